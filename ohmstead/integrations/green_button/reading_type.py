"""What the numbers of a feed are: their unit, direction, and whether they are amounts of a period or a display.

Codes after the ESPI schema (NAESB REQ.21, espiDerived.xsd).
"""

from __future__ import annotations

from fractions import Fraction
from xml.etree.ElementTree import Element

import msgspec

from ohmstead.core import amount
from ohmstead.core.errors import Invalid

MOST_MULTIPLIER = 12
LONGEST_S = 400 * 86_400
UNITS = {72: "Wh", 31: "J", 132: "Btu", 169: "therm", 42: "m³", 119: "ft³", 134: "L", 128: "gal"}  # by uom
FLOWS = {None: "forward", 0: "forward", 1: "forward", 4: "net", 19: "reverse", 20: "forward"}
DELTA, DIALS = (None, 0, 4), (1, 2, 3)


class ReadingType(msgspec.Struct, frozen=True):
    """`interval_s`: how long a period is whose reading does not say it. `multiplier`: the power of ten."""

    uom: int | None
    multiplier: int
    flow: int | None
    behaviour: int | None
    kind: int | None
    commodity: int | None
    interval_s: int | None

    @classmethod
    def of(cls, record: Element) -> ReadingType:
        """The reading type of its element. Invalid for a multiplier beyond 10^±12."""

        def number(name: str) -> int | None:
            text = (record.findtext(name) or "").strip()
            if not text:
                return None
            try:
                return int(text[:12])
            except ValueError:
                raise Invalid(f"ReadingType: {name} is {text[:40]!r}; expected a whole number") from None

        multiplier = number("powerOfTenMultiplier") or 0
        if abs(multiplier) > MOST_MULTIPLIER:
            raise Invalid(f"ReadingType: powerOfTenMultiplier is {multiplier}; expected -{MOST_MULTIPLIER} to {MOST_MULTIPLIER}")
        interval_s = number("intervalLength")
        if interval_s is not None and not 0 < interval_s <= LONGEST_S:
            interval_s = None
        return cls(number("uom"), multiplier, number("flowDirection"), number("accumulationBehaviour"), number("kind"),
                   number("commodity"), interval_s)  # fmt: skip

    @property
    def direction(self) -> str | None:
        """forward (delivered), reverse (exported) or net; None for what is neither."""
        return FLOWS.get(self.flow)

    @property
    def is_display(self) -> bool:
        """Whether the numbers are what a register shows, not amounts of a period."""
        return self.behaviour in DIALS

    @property
    def usable(self) -> bool:
        """Whether this is energy or a volume, of periods or of a register."""
        return self.uom in UNITS and self.direction is not None and self.behaviour in (*DELTA, *DIALS)

    @property
    def unit(self) -> str:
        """mWh or mL."""
        return amount.unit(UNITS[self.uom or 0])[0]

    @property
    def factor(self) -> Fraction:
        """How many of our unit one of the file's numbers is, exactly."""
        return amount.unit(UNITS[self.uom or 0])[1] * Fraction(10) ** self.multiplier

    def __str__(self) -> str:
        unit = UNITS.get(self.uom or 0, f"uom {self.uom}")
        if self.multiplier:
            unit = f"10^{self.multiplier} {unit}"
        what = "register" if self.is_display else "periods" if self.behaviour in DELTA else f"accumulationBehaviour {self.behaviour}"
        return f"{self.direction or f'flowDirection {self.flow}'}, {what}, {unit}"
