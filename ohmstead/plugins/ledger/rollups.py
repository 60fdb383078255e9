"""Rollups of energy: hours, days, months and years in the zone of a meter point's location."""

from __future__ import annotations

import msgspec


class Rollup(msgspec.Struct, frozen=True):
    """The energy of one hour, day, month or year. What is neither measured, estimated nor over a reset is missing.

    `mwh` is an integer number of mWh (mL for volumes). The peaks are the energy of the quarter-hour and of the hour,
    by the local clock, that had most among those without a missing part, and where the first such began; None when
    none was whole. Their mean power in mW is 4 × and 1 × that.
    """

    start_ms: int
    end_ms: int
    mwh: int
    measured_ms: int
    estimated_ms: int
    reset_ms: int
    peak_15_mwh: int | None
    peak_15_ms: int | None
    peak_60_mwh: int | None
    peak_60_ms: int | None

    @property
    def covered_ms(self) -> int:
        """For how long anything is known."""
        return self.measured_ms + self.estimated_ms + self.reset_ms
