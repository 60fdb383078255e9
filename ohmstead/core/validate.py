"""Validators for options, with units. Each turns what a person wrote into a plain value or says what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import voluptuous as vol

from ohmstead.core.model import is_slug

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, None: 1.0}
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
_IPV6 = re.compile(r"\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?\]?")


def text(value: Any) -> str:
    """A text; numbers are taken as they were written."""
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise vol.Invalid("expected a text")


def number(value: Any) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise vol.Invalid("expected a number")
    try:
        result = float(value)
    except ValueError:
        raise vol.Invalid("expected a number") from None
    except OverflowError:
        raise vol.Invalid("expected a finite number") from None
    if result != result or result in (float("inf"), float("-inf")):
        raise vol.Invalid("expected a finite number")
    return result


def integer(low: int, high: int) -> Callable[[Any], int]:
    """A whole number from `low` to `high`."""

    def whole(value: Any) -> int:
        result = number(value)
        if result != int(result) or not low <= result <= high:
            raise vol.Invalid(f"expected a whole number from {low} to {high}")
        return int(result)

    return whole


def between(low: float, high: float, unit: str = "") -> Callable[[Any], float]:
    """A number from `low` to `high`, both included, in `unit`."""

    def bounded(value: Any) -> float:
        result = number(value)
        if not low <= result <= high:
            raise vol.Invalid(f"expected {low:g} to {high:g} {unit}".rstrip())
        return result

    return bounded


def boolean(value: Any) -> bool:
    """true or false; yes, no, on and off are understood."""
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise vol.Invalid("expected true or false")


def duration(value: Any) -> float:
    """A time span in seconds: 90, 90s, 15m, 1.5h, 2d."""
    match = _DURATION.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
    if match is None:
        raise vol.Invalid('expected a time span such as 30s, 15m or 2h')
    return number(match[1]) * _SECONDS[match[2]]


def seconds(value: Any) -> float:
    """A time span from 0.1 s to one day, in seconds."""
    result = duration(value)
    if not 0.1 <= result <= 86_400:
        raise vol.Invalid("expected a time span from 0.1s to 24h")
    return result


def slug(value: Any) -> str:
    """An id: letters, digits, _ and -."""
    if isinstance(value, str | int) and not isinstance(value, bool) and is_slug(str(value)):
        return str(value)
    raise vol.Invalid("expected an id of letters, digits, _ and -, at most 64 characters")


def host(value: Any) -> str:
    """A host name or IP address, without a scheme or port."""
    if isinstance(value, str) and (_HOST.fullmatch(value) or _IPV6.fullmatch(value)):
        return value
    raise vol.Invalid("expected a host name or IP address, such as 192.168.1.20")


def url(*schemes: str) -> Callable[[Any], str]:
    """An address with one of the schemes."""

    def address(value: Any) -> str:
        try:
            parts = urlsplit(value) if isinstance(value, str) else None
            if parts is not None and parts.scheme in schemes and parts.hostname and parts.port != 0:  # a bad port raises
                return str(value)
        except ValueError:
            pass
        raise vol.Invalid(f"expected an address such as {schemes[0]}://example.org")

    return address


port = integer(1, 65_535)


def time_zone(value: Any) -> str:
    """An IANA time zone."""
    try:
        return ZoneInfo(value).key
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise vol.Invalid("expected a time zone such as Europe/Berlin") from error


def currency(value: Any) -> str:
    """An ISO 4217 code."""
    if isinstance(value, str) and re.fullmatch(r"[A-Z]{3}", value):
        return value
    raise vol.Invalid("expected a currency code such as EUR")


def one_of(*choices: str) -> Callable[[Any], str]:
    """One of a few words."""

    def word(value: Any) -> str:
        if value in choices:
            return str(value)
        known = f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]
        hint = did_you_mean(str(value), choices)
        raise vol.Invalid(f"expected {known}.{hint}" if hint else f"expected {known}")

    return word


def list_of(item: Any) -> Callable[[Any], list[Any]]:
    """A list, or a single thing that stands for a list of one."""
    schema = vol.Schema([item])

    def many(value: Any) -> list[Any]:
        return list(schema(value if isinstance(value, list) else [value]))

    return many


def did_you_mean(word: str, known: Any) -> str:
    """` Did you mean "…"?` for a likely slip of the pen, else nothing."""
    close = get_close_matches(word, [str(k) for k in known], n=1, cutoff=0.6)
    return f' Did you mean "{close[0]}"?' if close else ""


def options(schema: Mapping[Any, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given`, checked against a plugin's schema, defaults filled in; voluptuous.MultipleInvalid with every mistake."""
    result: dict[Hashable, Any] = vol.Schema(dict(schema))(dict(given))
    return {str(key): value for key, value in result.items()}
