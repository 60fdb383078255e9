"""The tables of storage.

Readings, deltas, texts and rollups carry their tenant through their series, which belongs to exactly one: a column of
its own would cost every stored reading a byte for nothing. All other tables name it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

HOME = 1  # the one tenant of a home

metadata = MetaData()

tenants = Table(
    "tenants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
)

series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("device_id", Text, nullable=False),
    Column("quantity", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("time_zone", Text),  # in which the days of a gauge's rollups are cut; NULL: there are none
    UniqueConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "device_id", "quantity"),
    sqlite_autoincrement=True,
)

readings = Table(
    "readings",
    metadata,
    Column("series_id", Integer, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True),
    Column("value", Double, nullable=False),
)

deltas = Table(
    "deltas",
    metadata,
    Column("series_id", Integer, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True),  # the end of the period
    Column("from_ms", BigInteger, primary_key=True),
    Column("value", Double, nullable=False),
)

texts = Table(
    "texts",
    metadata,
    Column("series_id", Integer, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True),
    Column("value", Text, nullable=False),
)

reading_notes = Table(  # sparse: only of readings that said more than their value
    "reading_notes",
    metadata,
    Column("series_id", Integer, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True),
    Column("sampled_ms", BigInteger),  # for how long the device sampled
    Column("flags", Text),
)

rollup_marks = Table(  # five-minute buckets whose readings changed since they were rolled up
    "rollup_marks",
    metadata,
    Column("series_id", Integer, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
)


def _rollup(name: str, *more: Column[int]) -> Table:
    return Table(
        name,
        metadata,
        Column("series_id", Integer, primary_key=True),
        Column("start_ms", BigInteger, primary_key=True),
        *more,
        Column("low", Double, nullable=False),
        Column("high", Double, nullable=False),
        Column("total", Double, nullable=False),  # the sum in order of time; the mean is total / count
        Column("last", Double, nullable=False),
        Column("count", Integer, nullable=False),
    )


rollup_5m = _rollup("rollup_5m")
rollup_1h = _rollup("rollup_1h")  # hours of UTC
rollup_1d = _rollup("rollup_1d", Column("end_ms", BigInteger, nullable=False))  # local days of the device's location

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("device_id", Text),
    Column("size", Integer, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    UniqueConstraint("tenant_id", "id"),
    sqlite_autoincrement=True,
)

dead_letter_ring = Table(  # what the ring holds, kept beside it so that nothing is ever counted
    "dead_letter_ring",
    metadata,
    Column("tenant_id", Integer, primary_key=True, autoincrement=False),
    Column("held", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("gone", BigInteger, nullable=False),
)
