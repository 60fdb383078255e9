"""Readings as a table: what the devices said, as it is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from ohmstead.core.quantity import Kind as Quantity
from ohmstead.plugins.reports.table import Column, Kind, Row, Table
from ohmstead.plugins.storage.history import History, SeriesInfo

BATCH = 5000
COLUMNS = (
    Column("device"), Column("quantity"), Column("start", Kind.INSTANT), Column("at", Kind.INSTANT), Column("value", Kind.REAL),
    Column("text"), Column("unit"),
)  # fmt: skip


def table(history: History, series: Sequence[SeriesInfo], start_ms: int, end_ms: int) -> Table:
    """The readings of some series in [start, end), series by series; `start` is set for energies of a period."""

    async def batches() -> AsyncIterator[list[Row]]:
        for one in series:
            async for batch in (_periods if one.kind is Quantity.DELTA else _instants)(history, one, start_ms, end_ms):
                yield batch

    return Table("readings", COLUMNS, batches())


async def _instants(history: History, one: SeriesInfo, start_ms: int, end_ms: int) -> AsyncIterator[list[Row]]:
    after: int | None = None
    while found := await history.raw(one.key, start_ms, end_ms, BATCH, after, one.kind):
        after = found[-1][0]
        if one.kind is Quantity.TEXT:
            yield [(one.device, one.quantity, None, at_ms, None, value, one.unit) for at_ms, value in found]
        else:
            yield [(one.device, one.quantity, None, at_ms, value, None, one.unit) for at_ms, value in found]


async def _periods(history: History, one: SeriesInfo, start_ms: int, end_ms: int) -> AsyncIterator[list[Row]]:
    """Periods that end together stay in one batch, since the next one begins behind their end."""
    after: int | None = None
    while found := await history.deltas(one.key, start_ms, end_ms, BATCH + 1, after):
        if len(found) > BATCH:
            found = [period for period in found if period[1] < found[-1][1]] or found
        after = found[-1][1]
        yield [(one.device, one.quantity, from_ms, at_ms, value, None, one.unit) for from_ms, at_ms, value in found]
