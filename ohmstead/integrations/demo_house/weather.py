"""Weather and chance as pure functions of seed and time: the same seed gives the same house, whenever it is asked."""

from __future__ import annotations

import math
from hashlib import blake2b

DAY_S = 86_400
_MASK = 0xFFFFFFFFFFFFFFFF
_LATITUDE = math.radians(48.1)
_SOLAR_OFFSET_S = 46 * 60  # of 11.6° east
_TILT = math.radians(35)  # of the modules, towards the south


class Chance:
    """Random numbers by name and number."""

    def __init__(self, seed: int, name: str) -> None:
        self._key = int.from_bytes(blake2b(f"{seed}:{name}".encode(), digest_size=8).digest())
        self._last = (-1, 0.0, 0.0)

    def at(self, number: int) -> float:
        """Evenly in 0 … 1 (splitmix64)."""
        z = (self._key + number * 0x9E3779B97F4A7C15) & _MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((z ^ (z >> 31)) >> 11) / 9007199254740992.0

    def smooth(self, at_s: float, period_s: float) -> float:
        """A wandering value in 0 … 1 that takes about `period_s` from one turn to the next."""
        number, share = divmod(at_s / period_s, 1.0)
        n = int(number)
        if self._last[0] != n:
            self._last = (n, self.at(n), self.at(n + 1))
        _, before, after = self._last
        return before + (after - before) * share * share * (3 - 2 * share)


class Weather:
    """Sun, clouds and temperature over one house."""

    def __init__(self, seed: int) -> None:
        self._fronts = Chance(seed, "fronts")
        self._clouds = Chance(seed, "clouds")
        self._warmth = Chance(seed, "warmth")

    def irradiance_w_m2(self, at_s: float) -> float:
        """On the modules, in W/m²; 0 at night."""
        return _clear_sky_w_m2(at_s) * (1 - 0.82 * self._cover(at_s))

    def _cover(self, at_s: float) -> float:
        """0 for a blue sky, 1 for a grey one: fronts that take days, and clouds that take minutes on mixed days."""
        front = self._fronts.smooth(at_s, 1.7 * DAY_S)
        mixed = 1 - abs(2 * front - 1)
        return min(1.0, max(0.0, front + 0.7 * mixed * (self._clouds.smooth(at_s, 1100) - 0.5)))

    def temperature_c(self, at_s: float) -> float:
        """Outdoors."""
        season = math.cos(2 * math.pi * (_day_of_year(at_s) - 20) / 365.25)
        hour = math.cos(2 * math.pi * (_solar_hour(at_s) - 15) / 24)
        return 10 - 9.5 * season + 3.5 * hour + 9 * (self._warmth.smooth(at_s, 2.3 * DAY_S) - 0.5)


def _clear_sky_w_m2(at_s: float) -> float:
    declination = math.radians(-23.44) * math.cos(2 * math.pi * (_day_of_year(at_s) + 10) / 365.25)
    hour = math.radians(15 * (_solar_hour(at_s) - 12))
    height = _sine(_LATITUDE, declination, hour)
    if height <= 0.01:
        return 0.0
    direct = max(0.0, _sine(_LATITUDE - _TILT, declination, hour))
    return 1000 * direct * math.exp(-0.14 / height) * 1.15 + 60 * height


def _sine(latitude: float, declination: float, hour: float) -> float:
    return math.sin(latitude) * math.sin(declination) + math.cos(latitude) * math.cos(declination) * math.cos(hour)


def _day_of_year(at_s: float) -> float:
    return (at_s / DAY_S) % 365.25


def _solar_hour(at_s: float) -> float:
    return ((at_s + _SOLAR_OFFSET_S) % DAY_S) / 3600
