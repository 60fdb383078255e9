"""What a tariff prices: the energy of consecutive slots. The ledger's sheets are of this form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec


class Energies(Protocol):
    """Consecutive slots, the first beginning at `start_ms` (UTC, on a slot's border), each `slot_ms` long.

    `mwh` is the energy of each slot, an integer number of mWh (mL for volumes) and 0 where nothing is covered. The
    three others say for how many milliseconds of each slot it was measured, estimated, or taken over a reset of the
    register; what is left of the slot is missing. All four are equally long.
    """

    @property
    def start_ms(self) -> int: ...

    @property
    def slot_ms(self) -> int: ...

    @property
    def mwh(self) -> Sequence[int]: ...

    @property
    def measured_ms(self) -> Sequence[int]: ...

    @property
    def estimated_ms(self) -> Sequence[int]: ...

    @property
    def reset_ms(self) -> Sequence[int]: ...


class Usage(msgspec.Struct, frozen=True):
    """What a contract used: import, export, and what each tariff register ("t1", "t2") counted of the import.

    Each is in order of time; where sheets of one kind lie over the same slots (several meter points), they are added.
    """

    imported: Sequence[Energies] = ()
    exported: Sequence[Energies] = ()
    registers: Mapping[str, Sequence[Energies]] = msgspec.field(default_factory=dict)
