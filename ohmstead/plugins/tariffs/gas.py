"""Gas from m³ to kWh: volume × calorific value, which changes from date to date, × state number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import voluptuous as vol

from ohmstead.plugins.tariffs import money
from ohmstead.plugins.tariffs.local import midnight
from ohmstead.plugins.tariffs.moment import day

PER_ML = Fraction(1, 1_000_000)  # mL in m³, and mWh in kWh


class Quality(NamedTuple):
    """How a span's volume counts: kWh of a mL."""

    start_ms: int
    end_ms: int
    kwh_per_m3: Fraction
    kwh_per_ml: Fraction


class Gas(msgspec.Struct, frozen=True):
    """Calorific values in kWh/m³, each from a date on, in order, and the state number (m³ at the meter to m³ at 0 °C, 1013.25 mbar)."""

    calorific: tuple[tuple[date, Fraction], ...]
    state_number: Fraction

    def spans(self, start_ms: int, end_ms: int, zone: ZoneInfo) -> Iterator[Quality]:
        """The span cut where another value begins; before the first date the first value counts."""
        begins = [start_ms, *(midnight(zone, since) for since, _ in self.calorific[1:]), end_ms]
        for (low, high), (_, value) in zip(pairwise(begins), self.calorific, strict=True):
            low, high = max(low, start_ms), min(high, end_ms)
            if low < high:
                yield Quality(low, high, value, value * self.state_number * PER_ML)


def calorific_values(value: Any) -> list[dict[str, Any]]:
    """Values in kWh/m³, each from a date on, in order."""
    found: list[dict[str, Any]] = vol.Schema(vol.All([_VALUE], vol.Length(min=1, msg="expected at least one")))(value)
    for before, after in pairwise(found):
        if after["from"] <= before["from"]:
            raise vol.Invalid(f"{after['from']} does not come after {before['from']}; expected dates in order, each once")
    return found


_VALUE = {
    vol.Required("from", description="first day on which it counts"): day,
    vol.Required("kwh_per_m3", description="calorific value"): money.between(1, 100, "kWh/m³"),
}
GAS: dict[Any, Any] = {
    vol.Required("calorific_values", description="list of {from: date, kwh_per_m3: value}"): calorific_values,
    vol.Optional("state_number", default=1, description="m³ at the meter × this = m³ at standard conditions"): money.between(0, 10, ""),
}


def compiled(options: Mapping[str, Any]) -> Gas:
    """The conversion that checked options describe."""
    values = tuple((each["from"], Fraction(each["kwh_per_m3"])) for each in options["calorific_values"])
    return Gas(values, Fraction(options["state_number"]))
