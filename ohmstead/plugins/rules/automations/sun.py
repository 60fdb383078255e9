"""When the sun rises and sets. Formulas: NOAA Solar Calculator (gml.noaa.gov/grad/solcalc), after Meeus, Astronomical Algorithms.

Good to about a minute between the polar circles. The sun's centre then stands 0.833° below the horizon: its radius, and
what the air bends. On a polar day or night it does neither.
"""

from __future__ import annotations

from datetime import date, timedelta
from math import acos, asin, cos, degrees, radians, sin, tan

from ohmstead.core.clock import from_ms

RISE, SET = EVENTS = ("rise", "set")
DAY_MS = 86_400_000
J2000_DAY = 10_957.5  # days from 1970 to noon of 2000-01-01
ALTITUDE = -0.833  # degrees
YEAR_AND_A_DAY = 367


def instant(day: date, latitude: float, longitude: float, event: str) -> int | None:
    """Milliseconds since 1970 of the event that belongs to the solar day of `day`; None when there is none.

    Degrees north and east. The solar noon of `day` is that of the longitude, whatever the time zone.
    """
    start = (day - date(1970, 1, 1)).days
    at = start + 0.5 - longitude / 360  # a first guess: the mean solar noon
    for _ in range(3):  # where the sun is changes until then
        declination, equation_min = _sun((at - J2000_DAY) / 36_525)
        angle = (sin(radians(ALTITUDE)) - sin(radians(latitude)) * sin(declination)) / (cos(radians(latitude)) * cos(declination))
        if not -1 < angle < 1:
            return None
        noon = start + 0.5 - longitude / 360 - equation_min / 1440
        at = noon + degrees(acos(angle)) / 360 * (-1 if event == RISE else 1)
    return round(at * DAY_MS)


def _sun(centuries: float) -> tuple[float, float]:
    """The declination in radians, and the equation of time in minutes, so many Julian centuries after 2000."""
    t = centuries
    mean = radians((280.46646 + t * (36_000.76983 + t * 0.0003032)) % 360)
    anomaly = radians(357.52911 + t * (35_999.05029 - 0.0001537 * t))
    eccentricity = 0.016708634 - t * (0.000042037 + 0.0000001267 * t)
    centre = (sin(anomaly) * (1.914602 - t * (0.004817 + 0.000014 * t)) + sin(2 * anomaly) * (0.019993 - 0.000101 * t)
              + sin(3 * anomaly) * 0.000289)  # fmt: skip
    node = radians(125.04 - 1934.136 * t)
    apparent = mean + radians(centre - 0.00569 - 0.00478 * sin(node))
    oblique = radians(23.439291 - t * (0.0130042 + t * (0.00000016 - t * 0.000000504)) + 0.00256 * cos(node))
    y = tan(oblique / 2) ** 2
    equation = (y * sin(2 * mean) - 2 * eccentricity * sin(anomaly) + 4 * eccentricity * y * sin(anomaly) * cos(2 * mean)
                - y * y / 2 * sin(4 * mean) - 1.25 * eccentricity * eccentricity * sin(2 * anomaly))  # fmt: skip
    return asin(sin(oblique) * sin(apparent)), degrees(equation) * 4


def following(after_ms: int, latitude: float, longitude: float, event: str, offset_ms: int = 0) -> int | None:
    """The first such event, moved by the offset, after an instant; None when there is none for a year."""
    today = from_ms(after_ms).date()
    for days in range(-2, YEAR_AND_A_DAY):
        at_ms = instant(today + timedelta(days=days), latitude, longitude, event)
        if at_ms is not None and at_ms + offset_ms > after_ms:
            return at_ms + offset_ms
    return None
