"""What a meter point will probably take: each slot as the mean of the same weekday and time of day over the last weeks."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from ohmstead.core.clock import from_ms
from ohmstead.plugins.ledger.sheet import Layer, Sheet

WEEKS = 4
WEEK_MS = 7 * 86_400_000

_Place = tuple[int, int]  # weekday, minute of the local day
_Mean = tuple[int, int]  # sum of mWh, count


class Profile:
    """The means of the slots that were covered whole. Slots of another length than `slot_ms` do not count."""

    def __init__(self, history: Iterable[Sheet], zone: ZoneInfo, slot_ms: int) -> None:
        self._zone, self._slot_ms = zone, slot_ms
        self._by_place: dict[_Place, _Mean] = defaultdict(lambda: (0, 0))
        self._by_minute: dict[int, _Mean] = defaultdict(lambda: (0, 0))
        self._all: _Mean = (0, 0)
        for sheet in history:
            if sheet.slot_ms == slot_ms:
                self._learn(sheet)

    @property
    def empty(self) -> bool:
        """Whether nothing was covered."""
        return self._all[1] == 0

    def _learn(self, sheet: Sheet) -> None:
        for place, mwh in enumerate(sheet.mwh):
            if sheet.measured_ms[place] + sheet.estimated_ms[place] + sheet.reset_ms[place] < sheet.slot_ms:
                continue
            weekday, minute = self._place(sheet.start_ms + place * sheet.slot_ms)
            self._by_place[weekday, minute] = _with(self._by_place[weekday, minute], mwh)
            self._by_minute[minute] = _with(self._by_minute[minute], mwh)
            self._all = _with(self._all, mwh)

    def sheet(self, start_ms: int, end_ms: int) -> Sheet:
        """The slots of a span, all estimated: by weekday and time of day, else by time of day, else the mean of all."""
        made = Sheet.empty(start_ms, self._slot_ms, max(0, (end_ms - start_ms) // self._slot_ms))
        made.mwh = array("q", (self._mwh(start_ms + place * self._slot_ms) for place in range(len(made))))
        made.estimated_ms = array("i", [self._slot_ms]) * len(made)
        made.source = bytearray([Layer.NONE]) * len(made)
        return made

    def _mwh(self, at_ms: int) -> int:
        weekday, minute = self._place(at_ms)
        for total, count in (self._by_place[weekday, minute], self._by_minute[minute], self._all):
            if count:
                return (2 * total + count) // (2 * count)
        return 0

    def _place(self, at_ms: int) -> _Place:
        local = from_ms(at_ms).astimezone(self._zone)
        return local.weekday(), local.hour * 60 + local.minute


def meet(imported: Sequence[Sheet], registers: Sequence[Sheet]) -> None:
    """Give what rounding of the means left between import and its tariff registers, a mWh or so in a slot, to the largest of these."""
    for place in range(min((len(sheet) for sheet in (*imported, *registers)), default=0)):
        apart = sum(sheet.mwh[place] for sheet in imported) - sum(sheet.mwh[place] for sheet in registers)
        if registers and abs(apart) <= len(imported) + len(registers):
            largest = max(registers, key=lambda sheet: sheet.mwh[place])
            largest.mwh[place] = max(0, largest.mwh[place] + apart)


def _with(mean: _Mean, mwh: int) -> _Mean:
    return mean[0] + mwh, mean[1] + 1
