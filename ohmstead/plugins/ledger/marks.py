"""Marks of what has to be derived anew: by readings, written along with them, and by people, on a meter point."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import insert

from ohmstead.core.model import Row
from ohmstead.plugins.ledger.points.registers import beside
from ohmstead.plugins.ledger.tables import point_marks
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.storage.group import Group
from ohmstead.plugins.storage.group import Marks as Along

if TYPE_CHECKING:
    from collections.abc import Callable

    from ohmstead.plugins.storage.storage import Storage

DAY_MS = 86_400_000
AGAIN = """(series_id, day, round) DO UPDATE SET generation = ledger_marks.generation + 1,
    from_ms = CASE WHEN excluded.from_ms < ledger_marks.from_ms THEN excluded.from_ms ELSE ledger_marks.from_ms END"""

Mark = tuple[int, int, int, int, int]  # series, day, round, the earliest instant in it, generation


class Reach(StrEnum):
    """From where on a meter point is derived anew."""

    TRACKS = "tracks"  # from the readings: bindings, and corrections below the live layer
    LAYERS = "layers"  # only what lies over the live layer: imports, corrections of intervals


class Marks:
    """Which series are bound, so that their readings leave marks; and marks on meter points."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._bound: frozenset[str] = frozenset()
        self._known: dict[int, bool] = {}  # series key -> whether it is bound; another one whenever that changes
        self._place = (0, 0)  # the round of derivation, and the series up to which it has come, in order of their keys

    async def join(self) -> Callable[[], None]:
        """Mark what readings touch, in their own transactions, until the returned function is called. Storage must be open."""
        [(last,)] = await self._storage.reader.rows("SELECT max(round) FROM ledger_marks")
        self._place = (last or 0) + 1, 0
        columns = {"series_id": "int", "day": "int", "round": "int", "from_ms": "bigint", "generation": "int"}
        return self._storage.mark(Along("ledger_marks", columns, self.of, AGAIN))

    def begin(self) -> None:
        """A round of derivation begins with the first series."""
        self._place = self._place[0] + 1, 0

    def reached(self, series: int) -> None:
        """All that is stored of the series up to this one is derived now: what comes later leaves marks for the next round.

        Else a series whose readings never cease would keep one mark for the whole day, and be derived again from where
        that begins, round by round. Call it while nothing is being written.
        """
        self._place = self._place[0], series

    def bind(self, addresses: Iterable[str]) -> None:
        """Have readings of these series, `device.quantity`, leave marks from now on.

        Call it before the transaction that writes a binding: a reading that comes right behind it must not be missed.
        """
        self._bound, self._known = self._bound.union(beside(addresses)), {}

    def unbind(self, addresses: Iterable[str]) -> None:
        """No binding has these series any more; call it after the transaction."""
        self._bound, self._known = self._bound.difference(beside(addresses)), {}

    def of(self, group: Group) -> list[Mark]:
        """The marks that a group of readings leaves, by key. Runs in the writer's thread."""
        found = _marks(group.rows, self._known, self._bound, self._place)
        if not group.deltas:
            return found
        # A delta touches the day it begins in; two kinds of one series never meet, its key has one.
        spans = [Row(row.series, row.from_ms or row.at_ms, row.value) for row in group.deltas]
        spans.sort(key=lambda row: (row.series.key, row.at_ms))
        return sorted(found + _marks(spans, self._known, self._bound, self._place))

    async def point(self, tx: AsyncConnection, key: int, start_ms: int, end_ms: int | None, reach: Reach) -> None:
        """Mark a span of the meter point with that key; `end_ms` None is to the end. In the transaction that changes it."""
        await tx.execute(insert(point_marks).values(point_id=key, start_ms=start_ms, end_ms=end_ms, reach=reach.value))


def _marks(rows: Iterable[Row], known: dict[int, bool], bound: frozenset[str], place: tuple[int, int]) -> list[Mark]:
    """Of rows in order of series and time: each day of a bound series, with the first instant in it."""
    marks: list[Mark] = []
    series, ends_ms, wanted = None, 0, False
    round_, reached = place
    for row in rows:
        if row.series is not series:
            series, key = row.series, row.series.key or 0
            if (found := known.get(key)) is None:
                found = known[key] = series.address in bound
            wanted, ends_ms = found, row.at_ms
        if wanted and row.at_ms >= ends_ms:
            day = row.at_ms // DAY_MS
            ends_ms = (day + 1) * DAY_MS
            marks.append((key, day, round_ + (key <= reached), row.at_ms, 1))
    return marks
