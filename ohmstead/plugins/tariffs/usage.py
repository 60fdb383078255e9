"""What a tariff prices: the energy of consecutive slots. The ledger's sheets are of this form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Energies(Protocol):
    """Consecutive slots, the first beginning at `start_ms` (UTC, on a slot's border), each `slot_ms` long.

    `mwh` is the energy of each slot, an integer number of mWh (mL for volumes) and 0 where nothing is covered. The
    three others say for how many milliseconds of each slot it was measured, estimated, or taken over a reset of the
    register; what is left of the slot is missing. All four are equally long.
    """

    start_ms: int
    slot_ms: int
    mwh: Sequence[int]
    measured_ms: Sequence[int]
    estimated_ms: Sequence[int]
    reset_ms: Sequence[int]
