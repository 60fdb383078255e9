"""What derivation hands over: a state to resume from, and what it found odd."""

from __future__ import annotations

import msgspec


class State(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """All that decides what later readings of a track come to.

    `kept_ms` is the last kept reading. `until_ms` is the last reading that any verdict so far looked at: only what
    changes behind it leaves this state as it is. `value` is, in mWh, what the register had reached (its maximum m since it last
    started anew), or for a gauge the power in mW; `rose_ms` is when the register last rose. The rest is what the slot
    that holds `kept_ms` has got so far: `amount` in mWh, for gauges in mW × ms, and the time covered by quality.
    """

    kept_ms: int
    until_ms: int
    value: int
    rose_ms: int
    amount: int = 0
    measured_ms: int = 0
    estimated_ms: int = 0
    reset_ms: int = 0

    def encode(self) -> bytes:
        """As bytes: equal states give equal bytes."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> State:
        """What `encode` gave."""
        return msgspec.json.decode(data, type=cls)


class Verdict(msgspec.Struct, frozen=True):
    """A reading that was no plain step.

    `cause` is one of
    spike, glitch: the reading at `at_ms` was set aside; `mwh` is 0
    suspect: `mwh` would be its energy, which is not booked; [from_ms, at_ms) is missing
    reset, rollover: `mwh` is booked over (from_ms, at_ms]
    fall: the register fell by `before` − `value`; nothing is booked and the span is missing
    gap: no reading for longer than the longest gap; a register's `mwh` is booked as estimated, a gauge's rest is missing
    negative, negative_rest, overlap: of deltas, see delta.py.

    `from_ms` is the last kept reading before. `before` and `value` are what the register had reached and what it showed
    (mWh), for gauges the power held and the next one (mW). `firm`: no reading after those seen can change it.
    """

    at_ms: int
    cause: str
    from_ms: int
    before: int
    value: int
    mwh: int
    firm: bool = True
