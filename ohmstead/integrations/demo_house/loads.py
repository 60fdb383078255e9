"""What the consumers of the house take, each a pure function of seed and time, in tenths of a watt."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ohmstead.integrations.demo_house.weather import DAY_S, Chance, Weather

_LOCAL_S = 3600  # the house lives by UTC + 1

Load = Callable[[float], int]


def loads(seed: int, weather: Weather) -> Mapping[str, Load]:
    """Power by device, in 0.1 W, at a time in seconds since 1970."""
    return {
        "D1": Bulb(seed), "fridge": Fridge(seed), "heatpump": HeatPump(seed, weather), "ev": Charger(seed),
        "plug_tv": Television(seed), "plug_desk": Desk(seed), "plug_washer": Washer(seed),
    }  # fmt: skip


def _local(at_s: float) -> tuple[int, float]:
    """Number of the local day, and the hour of it."""
    day, second = divmod(at_s + _LOCAL_S, DAY_S)
    return int(day), second / 3600


def _weekend(day: int) -> bool:
    return (day + 3) % 7 >= 5  # day 0 was a Thursday


class Bulb:
    """230 V, 0.85 A: the one somebody left on."""

    def __init__(self, seed: int) -> None:
        self._flicker = Chance(seed, "bulb")

    def __call__(self, at_s: float) -> int:
        return 1955 + int(8 * (self._flicker.smooth(at_s, 97) - 0.5))


class Fridge:
    """A compressor that runs a third of the time."""

    def __init__(self, seed: int) -> None:
        self._cycle = Chance(seed, "fridge")

    def __call__(self, at_s: float) -> int:
        number, share = divmod(at_s / 2700, 1.0)
        on = 0.28 + 0.14 * self._cycle.at(int(number))
        return 920 - int(120 * share) if share < on else 18


class HeatPump:
    """Runs the longer the colder it is, and makes hot water before dawn."""

    def __init__(self, seed: int, weather: Weather) -> None:
        self._weather = weather
        self._cycle = Chance(seed, "heat pump")

    def __call__(self, at_s: float) -> int:
        _, hour = _local(at_s)
        if 4.0 <= hour < 4.6:
            return 22_400 + int(900 * self._cycle.smooth(at_s, 300))
        number, share = divmod(at_s / 2400, 1.0)
        need = min(0.95, max(0.0, (17 - self._weather.temperature_c(number * 2400)) / 26))
        if share >= need + 0.06 * (self._cycle.at(int(number)) - 0.5):
            return 84
        return 13_500 + int(9000 * need) + int(700 * self._cycle.smooth(at_s, 400))


class Charger:
    """Every other evening, and at noon on some weekends: 11 kW of a wall box on one phase pair, less at the end."""

    def __init__(self, seed: int) -> None:
        self._chance = Chance(seed, "charger")

    def __call__(self, at_s: float) -> int:
        day, hour = _local(at_s)
        for number, begin in ((2 * day, 11.0 if _weekend(day) else 17.4), (2 * day - 2, -6.6)):
            if self._chance.at(number) > 0.5:
                continue
            since = hour - begin - 2.2 * self._chance.at(number + 1)
            lasts = 1.0 + 2.4 * self._chance.at(number * 3 + 1)
            if 0 <= since < lasts and (begin > 0 or not _weekend(day - 1)):
                return 73_600 if since < lasts - 0.3 else 21_000
        return 32


class Television:
    """Evenings, and weekend mornings."""

    def __init__(self, seed: int) -> None:
        self._chance = Chance(seed, "television")

    def __call__(self, at_s: float) -> int:
        day, hour = _local(at_s)
        begin = 18.4 + 1.5 * self._chance.at(day)
        watching = begin <= hour < begin + 3.6 or (_weekend(day) and 9 <= hour < 10.5)
        return 980 + int(420 * self._chance.smooth(at_s, 45)) if watching else 7


class Desk:
    """Working days."""

    def __init__(self, seed: int) -> None:
        self._chance = Chance(seed, "desk")

    def __call__(self, at_s: float) -> int:
        day, hour = _local(at_s)
        working = not _weekend(day) and (8.4 <= hour < 12.2 or 13 <= hour < 17.3)
        return 640 + int(560 * self._chance.smooth(at_s, 30)) if working else 12


class Washer:
    """A programme on about three days of a week: heat, wash, spin."""

    def __init__(self, seed: int) -> None:
        self._chance = Chance(seed, "washer")

    def __call__(self, at_s: float) -> int:
        day, hour = _local(at_s)
        if self._chance.at(day) > 0.45:
            return 9
        minute = 60 * (hour - 9 - 9 * self._chance.at(day + 1_000_000))
        if not 0 <= minute < 85:
            return 9
        if minute < 22:
            return 20_300 + int(400 * self._chance.smooth(at_s, 60))
        return 1300 + int(900 * self._chance.smooth(at_s, 20)) if minute < 72 else 4600
