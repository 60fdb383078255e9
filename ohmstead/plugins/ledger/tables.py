"""The tables of the ledger.

What people say is kept in rows that are never changed in substance: meter points, bindings, imports, corrections. What
is derived from it and from the readings — tracks, layers, rollups, findings — can be thrown away and comes back the
same. Rows below a meter point, a binding or an import carry its tenant through it. `day` counts UTC days since 1970.
Columns of slots are little-endian arrays, see engine/days.py.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

from ohmstead.core.plugin import Tables

metadata = MetaData()


def _tenant() -> Column[int]:
    return Column("tenant_id", Integer, nullable=False)


meter_points = Table(
    "meter_points",
    metadata,
    Column("id", Integer, primary_key=True),
    _tenant(),
    Column("slug", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("time_zone", Text, nullable=False),  # in which its rollups are made
    Column("parts", Text, nullable=False, server_default=""),  # what a computed one was made of, and which days each counts
    Column("parent", Text),  # slug of the meter point it hangs under; NULL: under its location's consumption
    Column("category", Text),
    Column("device", Text),  # while the automatic choice feeds it: whose readings
    Column("flow", Text),  # and which of that device's ways of energy
    Column("origin", Text, nullable=False),  # yaml, api, auto or computed
    Column("created_ms", BigInteger, nullable=False),
    Column("removed_ms", BigInteger),  # its intervals stay
    UniqueConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "slug"),
    sqlite_autoincrement=True,
)

bindings = Table(  # what measures a meter point from when to when; an id is never used again
    "bindings",
    metadata,
    Column("id", Integer, primary_key=True),
    _tenant(),
    Column("point_id", Integer, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger),  # NULL: still; else the first instant behind it
    Column("automatic", Integer, nullable=False),  # 1: may be changed by itself
    Column("body", Text, nullable=False),  # JSON object: terms, longest gap, plausible maximum
    UniqueConstraint("tenant_id", "id"),
    sqlite_autoincrement=True,
)

slot_lengths = Table(
    "slot_lengths",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("from_day", Integer, primary_key=True),
    Column("slot_ms", Integer, nullable=False),
)

ledger_marks = Table(  # readings of a bound series that are stored and not yet derived from
    "ledger_marks",
    metadata,
    Column("series_id", Integer, primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("round", Integer, primary_key=True),  # of derivation, in which they are due
    Column("from_ms", BigInteger, nullable=False),  # the earliest of them
    Column("generation", Integer, nullable=False),  # counts the groups that brought some
)

point_marks = Table(  # spans of a meter point to derive anew, one row for each reason; gone once done
    "point_marks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("point_id", Integer, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger),  # NULL: to the end
    Column("reach", Text, nullable=False),  # tracks: from the readings on; layers: only what lies over them
    Column("binding_id", Integer),  # with term: of this track alone, the rest of what could not be done at once
    Column("term", Integer),
    sqlite_autoincrement=True,
)

track_days = Table(  # the energy one term of a binding measured, by slot
    "track_days",
    metadata,
    Column("binding_id", Integer, primary_key=True),
    Column("term", Integer, primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("slot_ms", Integer, nullable=False),
    Column("energy", LargeBinary, nullable=False),
    Column("cover", LargeBinary),  # NULL: all of the day is measured
    Column("state", LargeBinary),  # the last checkpoint in this day, from which derivation can go on
)

track_heads = Table(  # how far each track is derived
    "track_heads",
    metadata,
    Column("binding_id", Integer, primary_key=True),
    Column("term", Integer, primary_key=True),
    Column("last_ms", BigInteger, nullable=False),  # the newest reading that was seen
    Column("state", LargeBinary, nullable=False),  # from which derivation goes on with later ones
)

verdicts = Table(  # readings of registers that were no plain step: what findings are made of
    "verdicts",
    metadata,
    Column("binding_id", Integer, primary_key=True),
    Column("term", Integer, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True),
    Column("verdict", Text, nullable=False),  # spike, suspect, glitch, rollover, reset, fall …
    Column("from_ms", BigInteger, primary_key=True),  # the last kept reading before it
    Column("before_mwh", BigInteger, nullable=False),  # what the register had reached
    Column("mwh", BigInteger, nullable=False),  # what it showed
    Column("step_mwh", BigInteger, nullable=False),  # what it would book
)

layer_days = Table(  # what imports and corrections say, by slot; live is the sum of tracks
    "layer_days",
    metadata,
    Column("point_id", Integer, primary_key=True),
    Column("layer", Integer, primary_key=True),  # sheet.Layer: manual, settled, correction; live: imported history
    Column("day", Integer, primary_key=True),
    Column("slot_ms", Integer, nullable=False),
    Column("energy", LargeBinary, nullable=False),
    Column("cover", LargeBinary),
    Column("origin", LargeBinary, nullable=False),  # number of the import or correction each slot is of, 0: it says nothing
)

energy_rollups = Table(
    "energy_rollups",
    metadata,
    Column("point_id", Integer, primary_key=True),
    Column("resolution", Text, primary_key=True),  # hour, day, month, year; in the zone of the point's location
    Column("start_ms", BigInteger, primary_key=True),
    Column("end_ms", BigInteger, nullable=False),
    Column("mwh", BigInteger, nullable=False),
    Column("measured_ms", BigInteger, nullable=False),
    Column("estimated_ms", BigInteger, nullable=False),
    Column("reset_ms", BigInteger, nullable=False),
    Column("source", Integer, nullable=False),  # the highest layer that speaks in it
    Column("peak_15_mwh", BigInteger),  # energy of the quarter-hour that had most; NULL: none was whole
    Column("peak_15_ms", BigInteger),  # where the first such began
    Column("peak_60_mwh", BigInteger),
    Column("peak_60_ms", BigInteger),
)

imports = Table(
    "imports",
    metadata,
    Column("id", Integer, primary_key=True),
    _tenant(),
    Column("number", Integer, nullable=False),
    Column("point_id", Integer, nullable=False),
    Column("layer", Integer, nullable=False),  # sheet.Layer: live, manual, settled
    Column("source", Text, nullable=False),
    Column("fingerprint", Text),
    Column("author", Text, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),  # when it was committed; until then when it was begun
    Column("status", Text, nullable=False),  # begun, committed, discarded
    Column("start_ms", BigInteger),
    Column("end_ms", BigInteger),
    Column("rows", Integer, nullable=False),
    Column("longest_ms", BigInteger, nullable=False, server_default="0"),  # of its periods: none that began earlier reaches into a span
    Column("note", Text),
    UniqueConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "number"),
    sqlite_autoincrement=True,
)

imported_periods = Table(
    "imported_periods",
    metadata,
    Column("import_id", Integer, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("end_ms", BigInteger, primary_key=True),
    Column("mwh", BigInteger, nullable=False),
    Column("quality", Text, nullable=False),  # measured or estimated
)

imported_registers = Table(
    "imported_registers",
    metadata,
    Column("import_id", Integer, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True),
    Column("mwh", BigInteger, nullable=False),
)

corrections = Table(
    "corrections",
    metadata,
    Column("id", Integer, primary_key=True),
    _tenant(),
    Column("number", Integer, nullable=False),
    Column("point_id", Integer),  # NULL: of readings
    Column("series", Text),  # `device.quantity`; NULL: of intervals
    Column("kind", Text, nullable=False),  # void, shift, reading-scale; set-total, spread, interval-scale, replace, confirm
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),  # JSON object: what the kind needs
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Column("undone_ms", BigInteger),
    Column("undone_by", Text),
    Column("undone_reason", Text),
    UniqueConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "number"),
    sqlite_autoincrement=True,
)

findings = Table(
    "findings",
    metadata,
    Column("id", Integer, primary_key=True),
    _tenant(),
    Column("point_id", Integer, nullable=False),
    Column("cause", Text, nullable=False),
    Column("place", Text, nullable=False),  # what makes it the same finding when it is derived again
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("mwh", BigInteger),  # how much it is about
    Column("body", Text, nullable=False),  # JSON object: values, the proposed correction
    Column("status", Text, nullable=False),  # open, dismissed, closed
    Column("found_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),  # told once the clock has passed it
    Column("notified_ms", BigInteger),
    Column("news_ms", BigInteger),  # when it was said that it opened or closed, until all who heard have kept what follows
    Column("closed_ms", BigInteger),
    Column("closed_by", Text),
    Column("reason", Text),
    UniqueConstraint("tenant_id", "id"),
    UniqueConstraint("point_id", "cause", "place"),
    sqlite_autoincrement=True,
)

seals = Table(  # days of meter points some of whose raw readings have left the database
    "seals",
    metadata,
    Column("point_id", Integer, primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the day's tracks, the states to go on from among them
)

archived_days = Table(  # what the archive holds; readings that came since may be in the database beside it
    "archived_days",
    metadata,
    Column("series_id", Integer, primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("file", Text, nullable=False),  # below data/archive/readings
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the readings, see archive/digest.py
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
)

TABLES = Tables("ledger", Path(__file__).parent / "migrations")
