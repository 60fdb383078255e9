"""Where a change lands: the meter points it reaches, and the marks that have them derived anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from ohmstead.core.clock import EARLIEST_MS, LATEST_MS
from ohmstead.plugins.ledger.corrections.amend import touched
from ohmstead.plugins.ledger.corrections.changes import AnyChange, OfReadings, Replace
from ohmstead.plugins.ledger.corrections.correction import Correction
from ohmstead.plugins.ledger.marks import Marks, Reach
from ohmstead.plugins.ledger.points.bindings import Binding
from ohmstead.plugins.ledger.points.points import MeterPoint, MeterPoints
from ohmstead.plugins.ledger.slots import local
from ohmstead.plugins.storage.connection import AsyncConnection

Touched = Sequence[tuple[str, int, int]]  # meter point, start_ms, end_ms


class Places:
    """Meter points as corrections see them."""

    def __init__(self, points: MeterPoints, marks: Marks) -> None:
        self._points, self._marks = points, marks

    def bound(self, series: str, start_ms: int = EARLIEST_MS, end_ms: int = LATEST_MS) -> list[tuple[MeterPoint, Binding]]:
        """The meter points that a series (`device.quantity`) measures in a span, with the bindings."""
        return [
            (point, binding) for point in self._points for binding in self._points.bindings(point.id)
            if series in binding.series() and binding.from_ms < end_ms and (binding.to_ms is None or start_ms < binding.to_ms)
        ]  # fmt: skip

    def zone_of(self, place: str) -> str:
        """The IANA zone of a meter point, or of the first one that a series measures. NotFound for an unknown meter point."""
        if "." not in place:
            return self._points.zone_of(self._points.get(place).id)
        found = self.bound(place)
        return self._points.zone_of(found[0][0].id) if found else "UTC"

    def reached(self, change: AnyChange, replacing: Iterable[Correction]) -> list[str]:
        """The meter points that a change reaches: its own, those replaced by them, and those computed of them."""
        if isinstance(change, OfReadings):
            found = dict.fromkeys(point.id for point, _ in self.bound(change.series, *span(change)))
        else:
            found = {change.meter_point: None}
        edges = [(c.change.by, c.change.meter_point) for c in replacing if isinstance(c.change, Replace)]
        edges += [(part, point.id) for point in self._points for part, _ in self._points.composition(point.id)]
        while more := [into for source, into in edges if source in found and into not in found]:
            found |= dict.fromkeys(more)
        return list(found)

    def days(self, touched: Touched) -> list[tuple[str, int, int]]:
        """For each meter point the whole local days from its first span to its last."""
        found: dict[str, tuple[int, int]] = {}
        for slug, start_ms, end_ms in touched:
            low, high = found.get(slug, (start_ms, end_ms))
            found[slug] = min(low, start_ms), max(high, end_ms)
        return [(slug, *_whole(ZoneInfo(self._points.zone_of(slug)), *each)) for slug, each in found.items()]

    async def mark(self, tx: AsyncConnection, change: AnyChange) -> None:
        """Have what a change touches derived anew; in the transaction that writes or undoes it."""
        low, high = span(change)
        if not isinstance(change, OfReadings):
            await self._marks.point(tx, self._points.get(change.meter_point).key, low, high, Reach.LAYERS)
            return
        for point, binding in self.bound(change.series, low, high):
            end_ms = high if binding.to_ms is None else min(high, binding.to_ms)
            await self._marks.point(tx, point.key, max(low, binding.from_ms), end_ms, Reach.TRACKS)


def _whole(zone: ZoneInfo, start_ms: int, end_ms: int) -> tuple[int, int]:
    first = next(local("day", zone, start_ms, start_ms + 1))
    last = next(local("day", zone, end_ms - 1, end_ms))
    return first[0], last[1]


def span(change: AnyChange) -> tuple[int, int]:
    """The span in which a change takes, moves or alters anything."""
    return touched(change) if isinstance(change, OfReadings) else (change.start_ms, change.end_ms)
