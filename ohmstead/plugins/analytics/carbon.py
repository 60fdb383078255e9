"""How much CO₂ a kWh from the grid stands for, by date."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.plugins.tariffs.local import midnight
from ohmstead.plugins.tariffs.moment import day

CARBON = [
    {
        vol.Required("from", description="first day on which it holds"): day,
        vol.Required("g_per_kwh", description="grams of CO₂ that a kWh from the grid stands for"): validate.integer(0, 5000),
    }
]


class Carbon:
    """Intensities in whole g/kWh, each from a local day on; 0 before the first."""

    def __init__(self, given: Sequence[Mapping[str, Any]] = ()) -> None:
        self._given: list[tuple[date, int]] = sorted((each["from"], each["g_per_kwh"]) for each in given)

    def __bool__(self) -> bool:
        return bool(self._given)

    def in_zone(self, zone: ZoneInfo) -> Intensity:
        """The same as instants of a zone."""
        return Intensity([midnight(zone, first) for first, _ in self._given], [grams for _, grams in self._given])


class Intensity:
    """Intensities by instant."""

    def __init__(self, starts_ms: list[int], grams: list[int]) -> None:
        self._starts_ms, self._grams = starts_ms, grams

    def at(self, at_ms: int) -> int:
        """In g/kWh."""
        place = bisect_right(self._starts_ms, at_ms) - 1
        return self._grams[place] if place >= 0 else 0
