"""Export set against import, slot by slot or over spans of slots, in integers that lose nothing."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ohmstead.plugins.tariffs.demand import windows
from ohmstead.plugins.tariffs.local import HOUR_MS
from ohmstead.plugins.tariffs.meter import Column, Meter, grid


class Pair(NamedTuple):
    """Import and export in the same slots."""

    imported: Meter
    exported: Meter


def pair(imported: Meter, exported: Meter, start_ms: int, end_ms: int) -> Pair:
    """Both within a span, on one grid."""
    both = [Meter(_between(meter, start_ms, end_ms)) for meter in (imported, exported)]
    cells = grid(column for meter in both for column in meter.columns)
    return Pair(*(Meter(meter.laid(cells)) for meter in both))


def by_slot(both: Pair) -> Pair:
    """In every slot only what is more is left."""
    net = [[i - e for i, e in zip(a.mwh, b.mwh, strict=True)] for a, b in zip(both.imported.columns, both.exported.columns, strict=True)]
    return _made(both, [[max(each, 0) for each in column] for column in net], [[max(-each, 0) for each in column] for column in net])


def by_hour(both: Pair, zone: ZoneInfo) -> Pair:
    """In every hour of local time only what is more is left, in proportion to its slots."""
    left = [[list(column.mwh) for column in meter.columns] for meter in both]
    for place, (a, b) in enumerate(zip(both.imported.columns, both.exported.columns, strict=True)):
        for found in windows(Meter([a]), zone, a.start_ms, a.end_ms, HOUR_MS):
            for number in range(len(found.energy)):
                begins_ms = found.start_ms + number * found.length_ms
                first, last = a.place(begins_ms), a.place(begins_ms + found.length_ms)
                net = a.sums[last] - a.sums[first] - b.sums[last] + b.sums[first]
                left[0][place][first:last] = share(a.mwh[first:last], max(net, 0))
                left[1][place][first:last] = share(b.mwh[first:last], max(-net, 0))
    return _made(both, *left)


def scaled(both: Pair, imported: int, exported: int) -> Pair:
    """So much of each, shared over its slots in proportion to what they have."""
    left = []
    for meter, target in zip(both, (imported, exported), strict=True):
        flat = iter(share([each for column in meter.columns for each in column.mwh], target))
        left.append([[next(flat) for _ in column.mwh] for column in meter.columns])
    return _made(both, *left)


def share(parts: Sequence[int], target: int) -> list[int]:
    """`target` shared in proportion to the parts: each is the floor of the running share less what went before."""
    sums = list(accumulate(parts, initial=0))
    total = sums[-1]
    if total == target:
        return list(parts)
    floors = [each * target // total for each in sums] if total else [0] * len(sums)
    return [high - low for low, high in pairwise(floors)]


def _between(meter: Meter, start_ms: int, end_ms: int) -> Iterable[Column]:
    for column in meter.columns:
        first, last = column.place(start_ms), column.place(end_ms)
        if first < last:
            gone = frozenset(place - first for place in column.missing if first <= place < last)
            yield Column(column.instant(first), column.slot_ms, column.mwh[first:last], gone)


def _made(both: Pair, *left: Sequence[Sequence[int]]) -> Pair:
    return Pair(*(
        Meter(Column(c.start_ms, c.slot_ms, array("q", mwh), c.missing) for c, mwh in zip(meter.columns, columns, strict=True))
        for meter, columns in zip(both, left, strict=True)
    ))  # fmt: skip
