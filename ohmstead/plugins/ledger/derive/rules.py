"""How the values of one series become energy, all in integers."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import msgspec

from ohmstead.core.errors import Unsupported
from ohmstead.core.quantity import Kind
from ohmstead.plugins.ledger.points.bindings import Binding, Part, Resets, Term

# Canonical unit -> integers that one of it makes: mWh, mL, mvarh; mW, mL/h, mvar. A count becomes kWh by its factor.
SCALES: Mapping[str, int] = {"kWh": 10**6, "kvarh": 10**6, "m³": 10**6, "m³/h": 10**6, "": 10**6, "W": 10**3, "var": 10**3}


class Rules(msgspec.Struct, frozen=True):
    """One term of a binding. `factor` turns a value into mWh (gauges: mW); all else is in mWh, mW (mWh per hour) and ms."""

    kind: Kind
    factor: Fraction
    start_ms: int
    end_ms: int | None
    plausible_per_h: int
    longest_gap_ms: int
    modulus: int | None = None
    resets: bool = False
    part: Part = Part.ALL
    opening: int | None = None
    closing: int | None = None

    @classmethod
    def of(cls, binding: Binding, term: Term, kind: Kind, unit: str) -> Rules:
        """The rules of a term whose series is of `kind` and canonical `unit`; Unsupported when it measures no energy or volume."""
        scale = SCALES.get(unit)
        if scale is None:
            raise Unsupported(f"{term.series} is in {unit}: a meter point is measured by energy, power, volume or flow")
        factor = Fraction(term.factor) * scale
        modulus, opening, closing = (None if x is None else round(Fraction(x) * factor) for x in (term.modulus, term.opening, term.closing))
        return cls(kind, factor, binding.from_ms, binding.to_ms, binding.plausible_per_h, binding.longest_gap_ms,
                   modulus, term.resets is not Resets.NONE, term.part, opening, closing)  # fmt: skip

    def counts(self, at_ms: int) -> bool:
        """Whether a reading of this instant belongs to the binding.

        One at the very end closes the last span of it (and opens the next binding's first), unless a closing register is stated.
        """
        if at_ms < self.start_ms:
            return False
        return self.end_ms is None or at_ms < self.end_ms or (at_ms == self.end_ms and self.closing is None)

    def part_of(self, amount: int) -> int:
        """What of a signed amount counts: its positive part, its negative part, or, of all, its size. Never below 0."""
        if self.part is Part.ALL:
            return abs(amount)
        return max(amount if self.part is Part.POSITIVE else -amount, 0)
