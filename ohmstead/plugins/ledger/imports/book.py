"""The rows of imports: periods and registers of a meter point, visible only once their import is committed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import RowMapping, text

from ohmstead.core.clock import EARLIEST_MS, LATEST_MS
from ohmstead.plugins.ledger.derive.delta import Period, steps
from ohmstead.plugins.ledger.derive.state import Verdict
from ohmstead.plugins.ledger.lists import given, listed
from ohmstead.plugins.ledger.sheet import Layer
from ohmstead.plugins.storage.connection import AsyncConnection

CHUNK = 2000  # rows in one statement
BEGUN, COMMITTED, DISCARDED = "begun", "committed", "discarded"


class Import(msgspec.Struct, frozen=True):
    """One import of a meter point. `recorded_ms` is when it was committed; until then when something last came in."""

    id: int
    number: int
    point_id: int
    layer: Layer
    source: str
    fingerprint: str | None
    author: str
    recorded_ms: int
    status: str
    start_ms: int | None
    end_ms: int | None
    rows: int
    note: str | None


class Stated(NamedTuple):
    """What the imports of one layer say: periods with the number of the import each is of, and registers that fell."""

    periods: list[tuple[Period, int]]
    verdicts: list[Verdict]


class Clash(msgspec.Struct, frozen=True):
    """Two imports of one layer that say different things of the same periods, from the first to the last of those."""

    earlier: int
    later: int
    start_ms: int
    end_ms: int
    count: int
    mwh: int  # the sum of the differences, each without its sign


class ImportBook:
    """Statements for one tenant; each takes the transaction it is to run in."""

    def __init__(self, tenant_id: int) -> None:
        self._tenant = tenant_id

    async def begin(self, tx: AsyncConnection, made: Import) -> Import:
        """Write a new import under the next number."""
        values = {**msgspec.structs.asdict(made), "tenant": self._tenant, "layer": int(made.layer)}
        row = (await tx.execute(_BEGIN, values)).mappings().one()
        return _import(row)

    async def one(self, tx: AsyncConnection, number: int) -> Import | None:
        """The import of that number."""
        row = (await tx.execute(text(_SELECT + " AND number = :number"), {"tenant": self._tenant, "number": number})).mappings().first()
        return None if row is None else _import(row)

    async def alike(self, tx: AsyncConnection, point_id: int, layer: Layer, fingerprint: str) -> list[Import]:
        """The imports of the same file for the same layer of a meter point, the newest first; no discarded ones."""
        where = " AND point_id = :point AND layer = :layer AND fingerprint = :print AND status <> 'discarded' ORDER BY number DESC"
        values = {"tenant": self._tenant, "point": point_id, "layer": int(layer), "print": fingerprint}
        return [_import(row) for row in (await tx.execute(text(_SELECT + where), values)).mappings()]

    async def listing(self, tx: AsyncConnection, point_id: int | None, before: int, limit: int) -> list[Import]:
        """Imports with a number below `before`, the newest first."""
        where = " AND number < :before" + ("" if point_id is None else " AND point_id = :point") + " ORDER BY number DESC LIMIT :limit"
        values = {"tenant": self._tenant, "before": before, "limit": limit} | ({} if point_id is None else {"point": point_id})
        return [_import(row) for row in (await tx.execute(text(_SELECT + where), values)).mappings()]

    async def stale(self, tx: AsyncConnection, before_ms: int) -> list[Import]:
        """Imports that nobody finished and nothing came in for since then."""
        where = " AND status = 'begun' AND recorded_ms < :before"
        found = await tx.execute(text(_SELECT + where), {"tenant": self._tenant, "before": before_ms})
        return [_import(row) for row in found.mappings()]

    async def add_periods(self, tx: AsyncConnection, id_: int, rows: Sequence[tuple[int, int, int, int]]) -> None:
        """Write (start, end, amount, 1 where estimated); of the same period the last counts."""
        once = {row[:2]: row for row in rows}
        await self._fill(tx, _PERIODS, ["bigint"] * 4, id_, list(once.values()))
        await tx.execute(_LONGEST, {"id": id_, "longest": max((end_ms - start_ms for start_ms, end_ms in once), default=0)})

    async def add_registers(self, tx: AsyncConnection, id_: int, rows: Sequence[tuple[int, int]]) -> None:
        """Write (instant, amount); of the same instant the last counts."""
        await self._fill(tx, _REGISTERS, ["bigint"] * 2, id_, list(dict(rows).items()))

    async def _fill(self, tx: AsyncConnection, statement: str, kinds: Sequence[str], id_: int, rows: Sequence[Sequence[int]]) -> None:
        sql = text(statement.format(rows=listed(tx.dialect.name, kinds)))
        for at in range(0, len(rows), CHUNK):
            await tx.execute(sql, {"id": id_, **given(rows[at : at + CHUNK])})

    async def touch(self, tx: AsyncConnection, id_: int, now_ms: int) -> None:
        """Something came in for an import just now."""
        await tx.execute(text("UPDATE imports SET recorded_ms = :now WHERE id = :id"), {"id": id_, "now": now_ms})

    async def close(self, tx: AsyncConnection, id_: int, status: str, now_ms: int) -> Import:
        """Commit or discard an import; the rows of a discarded one go."""
        if status == DISCARDED:
            for table in ("imported_periods", "imported_registers"):
                await tx.execute(text(f"DELETE FROM {table} WHERE import_id = :id"), {"id": id_})  # noqa: S608
        extent = (await tx.execute(_EXTENT, {"id": id_})).mappings().one()
        starts = [at for at in (extent["p_start"], extent["r_start"]) if at is not None]
        ends = [at for at in (extent["p_end"], extent["r_end"]) if at is not None]
        values = {"id": id_, "status": status, "now": now_ms, "rows": extent["p_count"] + extent["r_count"]}
        values |= {"start": min(starts, default=None), "end": max(ends, default=None)}
        return _import((await tx.execute(_CLOSE, values)).mappings().one())

    async def total(self, tx: AsyncConnection, id_: int) -> tuple[int, int, int]:
        """How many periods and registers an import has, and the sum of the periods."""
        row = (await tx.execute(_TOTAL, {"id": id_})).one()
        return int(row[0]), int(row[1]), int(row[2])

    async def extent(self, tx: AsyncConnection, id_: int) -> tuple[int, int] | None:
        """From when to when an import says anything; None when nothing."""
        row = (await tx.execute(_EXTENT, {"id": id_})).mappings().one()
        starts = [at for at in (row["p_start"], row["r_start"]) if at is not None]
        ends = [at for at in (row["p_end"], row["r_end"]) if at is not None]
        return (min(starts), max(ends)) if starts else None

    async def reach(self, tx: AsyncConnection, made: Import, start_ms: int, end_ms: int) -> tuple[int, int]:
        """The span an import has a say in: its own, and over to the registers of other imports beside its first and last."""
        low, high = (await tx.execute(_BESIDE, {"point": made.point_id, "layer": int(made.layer), "source": made.source,
                                                "start": start_ms, "end": end_ms})).one()  # fmt: skip
        return (start_ms if low is None else low), (end_ms if high is None else high)

    async def stated(
        self, tx: AsyncConnection, point_id: int, layer: Layer, start_ms: int, end_ms: int,
        seams: Sequence[int] = (), known_at_ms: int = LATEST_MS, also: int = 0,
    ) -> Stated:  # fmt: skip
        """What committed imports of a layer say of the periods that overlap a span; of the same period the later import's word.

        Registers of the same source are one register, whichever imports they came in, but no step crosses one of the
        `seams`, instants in order at which a meter was swapped. `known_at_ms` leaves out imports recorded later; `also`
        is the id of one that is not committed yet.
        """
        who = {"point": point_id, "layer": int(layer), "known": known_at_ms, "also": also}
        rows = (await tx.execute(_OVERLAPPING, {**who, "start": start_ms, "end": end_ms})).all()
        periods = {(start, end): (Period(start, end, mwh, said == "estimated"), number) for start, end, mwh, said, number in rows}
        verdicts: list[Verdict] = []
        for registers in (await self._registers(tx, who, start_ms, end_ms)).values():
            number_at = {at_ms: number for at_ms, _, number in registers}
            for _, meter in groupby(registers, key=lambda row: bisect_right(seams, row[0])):
                found, odd = steps([(at_ms, mwh) for at_ms, mwh, _ in meter])
                verdicts += odd
                for period in found:
                    periods.setdefault((period.start_ms, period.end_ms), (period, number_at[period.end_ms]))
        return Stated([periods[key] for key in sorted(periods)], verdicts)

    async def _registers(
        self, tx: AsyncConnection, who: dict[str, int], start_ms: int, end_ms: int
    ) -> dict[str, list[tuple[int, int, int]]]:
        """By source: (instant, amount, number) in order of time, from the last before the span to the first behind it."""
        edges = (await tx.execute(_EDGES, {**who, "start": start_ms, "end": end_ms})).all()
        found: dict[str, list[tuple[int, int, int]]] = {}
        for source, low, high in edges:
            span = {"source": source, "low": EARLIEST_MS if low is None else low, "high": LATEST_MS if high is None else high}
            rows = (await tx.execute(_READS, {**who, **span})).all()
            found[source] = list({row[0]: (row[0], row[1], row[2]) for row in rows}.values())
        return found

    async def reads(self, tx: AsyncConnection, point_id: int, before_ms: int, limit: int) -> list[tuple[int, int, int]]:
        """(instant, amount, number) of the manual registers of a meter point before an instant, newest first; the later import's word."""
        values = {"point": point_id, "layer": int(Layer.MANUAL), "before": before_ms, "limit": limit}
        return [(int(row[0]), int(row[1]), int(row[2])) for row in await tx.execute(_MANUAL, values)]

    async def clashes(self, tx: AsyncConnection, point_id: int, layer: Layer, also: int = 0) -> list[Clash]:
        """Pairs of imports of a layer that state other amounts of the same periods; of three each with the one before it."""
        rows = await tx.execute(_CLASHES, {"point": point_id, "layer": int(layer), "known": LATEST_MS, "also": also})
        return [Clash(*map(int, row)) for row in rows]


def _import(row: RowMapping) -> Import:
    fields: dict[str, Any] = {name: row[name] for name in Import.__struct_fields__}
    return Import(**{**fields, "layer": Layer(row["layer"])})


_COLUMNS = "id, number, point_id, layer, source, fingerprint, author, recorded_ms, status, start_ms, end_ms, rows, note"
_SELECT = f"SELECT {_COLUMNS} FROM imports WHERE tenant_id = :tenant"  # noqa: S608
_BEGIN = text(f"""
    INSERT INTO imports (tenant_id, number, point_id, layer, source, fingerprint, author, recorded_ms, status, rows, note)
    SELECT :tenant, coalesce(max(number), 0) + 1, CAST(:point_id AS INTEGER), CAST(:layer AS INTEGER), CAST(:source AS TEXT),
        CAST(:fingerprint AS TEXT), CAST(:author AS TEXT), CAST(:recorded_ms AS BIGINT), 'begun', 0, CAST(:note AS TEXT)
    FROM imports WHERE tenant_id = :tenant
    RETURNING {_COLUMNS}
""")  # noqa: S608
_PERIODS = """
    INSERT INTO imported_periods (import_id, start_ms, end_ms, mwh, quality)
    SELECT :id, c0, c1, c2, CASE c3 WHEN 1 THEN 'estimated' ELSE 'measured' END FROM ({rows}) fresh WHERE true
    ON CONFLICT (import_id, start_ms, end_ms) DO UPDATE SET mwh = excluded.mwh, quality = excluded.quality
"""
_LONGEST = text("UPDATE imports SET longest_ms = :longest WHERE id = :id AND longest_ms < :longest")
_REGISTERS = """
    INSERT INTO imported_registers (import_id, at_ms, mwh) SELECT :id, c0, c1 FROM ({rows}) fresh WHERE true
    ON CONFLICT (import_id, at_ms) DO UPDATE SET mwh = excluded.mwh
"""
_EXTENT = text("""
    SELECT p.low AS p_start, p.high AS p_end, p.n AS p_count, r.low AS r_start, r.high AS r_end, r.n AS r_count FROM
        (SELECT min(start_ms) AS low, max(end_ms) AS high, count(*) AS n FROM imported_periods WHERE import_id = :id) p,
        (SELECT min(at_ms) AS low, max(at_ms) AS high, count(*) AS n FROM imported_registers WHERE import_id = :id) r
""")
_CLOSE = text(f"""
    UPDATE imports SET status = :status, recorded_ms = :now, rows = :rows, start_ms = :start, end_ms = :end WHERE id = :id
    RETURNING {_COLUMNS}
""")  # noqa: S608
_TOTAL = text("""
    SELECT (SELECT count(*) FROM imported_periods WHERE import_id = :id), (SELECT count(*) FROM imported_registers WHERE import_id = :id),
        (SELECT coalesce(sum(mwh), 0) FROM imported_periods WHERE import_id = :id)
""")
_COUNTS = """
    i.point_id = :point AND i.layer = :layer AND ((i.status = 'committed' AND i.recorded_ms <= :known) OR i.id = :also)
"""
_OVERLAPPING = text(f"""
    SELECT p.start_ms, p.end_ms, p.mwh, p.quality, i.number FROM imports i JOIN imported_periods p ON p.import_id = i.id
    WHERE {_COUNTS} AND (i.id = :also OR (i.start_ms < :end AND i.end_ms > :start))
        AND p.start_ms > :start - i.longest_ms AND p.start_ms < :end AND p.end_ms > :start
    ORDER BY i.number
""")  # noqa: S608
_EDGES = text(f"""
    SELECT i.source,
        max((SELECT max(at_ms) FROM imported_registers WHERE import_id = i.id AND at_ms <= :start)),
        min((SELECT min(at_ms) FROM imported_registers WHERE import_id = i.id AND at_ms >= :end))
    FROM imports i WHERE {_COUNTS} AND EXISTS (SELECT 1 FROM imported_registers WHERE import_id = i.id)
    GROUP BY i.source ORDER BY i.source
""")  # noqa: S608
_BESIDE = text("""
    SELECT max(CASE WHEN r.at_ms < :start THEN r.at_ms END), min(CASE WHEN r.at_ms > :end THEN r.at_ms END)
    FROM imports i JOIN imported_registers r ON r.import_id = i.id
    WHERE i.point_id = :point AND i.layer = :layer AND i.status = 'committed' AND i.source = :source
""")
_READS = text(f"""
    SELECT r.at_ms, r.mwh, i.number FROM imports i JOIN imported_registers r ON r.import_id = i.id
    WHERE {_COUNTS} AND i.source = :source AND r.at_ms >= :low AND r.at_ms <= :high ORDER BY r.at_ms, i.number
""")  # noqa: S608
_MANUAL = text("""
    SELECT at_ms, mwh, number FROM (
        SELECT r.at_ms, r.mwh, i.number, row_number() OVER (PARTITION BY r.at_ms ORDER BY i.number DESC) AS turn
        FROM imports i JOIN imported_registers r ON r.import_id = i.id
        WHERE i.point_id = :point AND i.layer = :layer AND i.status = 'committed' AND r.at_ms < :before
    ) said WHERE turn = 1 ORDER BY at_ms DESC LIMIT :limit
""")
_CLASHES = text(f"""
    SELECT earlier, number, min(start_ms), max(end_ms), count(*), sum(abs(mwh - before)) FROM (
        SELECT i.number, p.start_ms, p.end_ms, p.mwh,
            lag(i.number) OVER same AS earlier, lag(p.mwh) OVER same AS before
        FROM imports i JOIN imported_periods p ON p.import_id = i.id WHERE {_COUNTS}
        WINDOW same AS (PARTITION BY p.start_ms, p.end_ms ORDER BY i.number)
    ) pairs WHERE before IS NOT NULL AND before <> mwh GROUP BY earlier, number ORDER BY earlier, number
""")  # noqa: S608
