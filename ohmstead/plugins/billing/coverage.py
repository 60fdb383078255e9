"""How much of a period is measured, estimated, taken over a reset, or missing: by time, as the shares on a bill are."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ohmstead.core.clock import iso
from ohmstead.plugins.tariffs.usage import Energies

SHARE_DIGITS = 6  # of a share from 0 to 1


class Coverage(msgspec.Struct, frozen=True):
    """Of one meter point or of several together: times are summed over them, `slots` counts those of each.

    `missing` are spans of slots of which some part is not covered, in order, joined where they touch.
    """

    slots: int = 0
    total_ms: int = 0
    measured_ms: int = 0
    estimated_ms: int = 0
    reset_ms: int = 0
    missing: tuple[tuple[int, int], ...] = ()

    @property
    def missing_ms(self) -> int:
        """For how long nothing is known."""
        return self.total_ms - self.measured_ms - self.estimated_ms - self.reset_ms

    def with_(self, other: Coverage) -> Coverage:
        """Both together."""
        return Coverage(
            self.slots + other.slots, self.total_ms + other.total_ms, self.measured_ms + other.measured_ms,
            self.estimated_ms + other.estimated_ms, self.reset_ms + other.reset_ms, tuple(_joined(sorted(self.missing + other.missing))),
        )  # fmt: skip

    def shown(self) -> dict[str, Any]:
        """For the bill: shares of time as decimal strings, and where something is missing."""
        of = {"measured": self.measured_ms, "estimated": self.estimated_ms, "reset": self.reset_ms, "missing": self.missing_ms}
        return {
            "slots": self.slots,
            "shares": {name: share(part, self.total_ms) for name, part in of.items()},
            "missing": [{"start": iso(start), "end": iso(end)} for start, end in self.missing],
        }


def share(part: int, whole: int) -> str:
    """A part of a whole from 0 to 1, to six digits, half up; "0" of nothing."""
    scale = 10**SHARE_DIGITS
    units = (2 * part * scale + whole) // (2 * whole) if whole else 0
    return f"{units // scale}.{units % scale:0{SHARE_DIGITS}}".rstrip("0").rstrip(".")


def covered(sheets: Iterable[Energies], start_ms: int, end_ms: int) -> Coverage:
    """Of the slots of one meter point that lie in a period."""
    found = Coverage()
    for sheet in sheets:
        first = max(0, -(-(start_ms - sheet.start_ms) // sheet.slot_ms))
        last = min(len(sheet.mwh), (end_ms - sheet.start_ms) // sheet.slot_ms)
        if first < last:
            found = found.with_(_of(sheet, first, last))
    return found


def _of(sheet: Energies, first: int, last: int) -> Coverage:
    slot_ms, measured = sheet.slot_ms, sheet.measured_ms[first:last]
    if measured == array("i", [slot_ms]) * (last - first):  # the usual case, and arrays of one type compare fast
        return Coverage(last - first, (last - first) * slot_ms, (last - first) * slot_ms)
    estimated, reset = sheet.estimated_ms[first:last], sheet.reset_ms[first:last]
    total = map(sum, zip(measured, estimated, reset, strict=True))
    starts = (sheet.start_ms + (first + place) * slot_ms for place, known in enumerate(total) if known < slot_ms)
    return Coverage(
        last - first, (last - first) * slot_ms, sum(measured), sum(estimated), sum(reset),
        tuple(_joined((start, start + slot_ms) for start in starts)),
    )  # fmt: skip


def _joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans in order of their starts, those that touch as one."""
    begun: tuple[int, int] | None = None
    for start, end in spans:
        if begun is not None and start <= begun[1]:
            begun = begun[0], max(begun[1], end)
            continue
        if begun is not None:
            yield begun
        begun = start, end
    if begun is not None:
        yield begun
