"""What a device or a location may be described with, in the YAML and over the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.quantity import Kind, Quantities
from ohmstead.plugins.devices.locations import KINDS

MAX_METADATA = 16_384  # bytes as JSON
LONGEST_QUIET_S = 31 * 86_400.0

name = vol.All(validate.text, vol.Length(max=200, msg="expected at most 200 characters"))
_quiet_s = validate.between(1, LONGEST_QUIET_S, "seconds")


def _or_null(validator: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The validator, or null for what is not known; unlike voluptuous's own it says what was expected."""

    def known_or_null(value: Any) -> Any:
        return None if value is None else validator(value)

    return known_or_null


def quiet(value: Any) -> float:
    """A time span from a second to 31 days, in seconds."""
    return _quiet_s(validate.duration(value))


def grace(value: Any) -> float:
    """How long an old secret may go on working: nothing to 31 days, in seconds."""
    return validate.between(0, LONGEST_QUIET_S, "seconds")(validate.duration(value))


def metadata(value: Any) -> dict[str, Any]:
    """Whatever belongs to the device and nobody here understands."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise vol.Invalid("expected a mapping with names as keys")
    try:
        size = len(msgspec.json.encode(value))
    except (TypeError, ValueError, msgspec.MsgspecError, RecursionError):
        raise vol.Invalid("expected plain texts, numbers, lists and mappings") from None
    if size > MAX_METADATA:
        raise vol.Invalid(f"expected at most {MAX_METADATA} bytes")
    return value


class Ranges:
    """Ranges a device states for its quantities: quantity -> lowest and highest value in the canonical unit."""

    def __init__(self, quantities: Quantities) -> None:
        self._quantities = quantities

    def __call__(self, value: Any) -> dict[str, tuple[float, float]]:
        if not isinstance(value, Mapping):
            raise vol.Invalid("expected quantities, each with [lowest, highest]")
        return {str(quantity): self._span(str(quantity), span) for quantity, span in value.items()}

    def _span(self, quantity: str, span: Any) -> tuple[float, float]:
        known = self._quantities.get(quantity)
        if known is None or known.kind is Kind.TEXT:
            raise vol.Invalid(f"unknown quantity.{validate.did_you_mean(quantity, self._quantities)}", path=[quantity])
        if not isinstance(span, list | tuple) or len(span) != 2:
            raise vol.Invalid(f"expected [lowest, highest] in {known.unit or 'no unit'}", path=[quantity])
        low, high = (validate.number(bound) for bound in span)
        if low >= high:
            raise vol.Invalid("expected the lowest before the highest value", path=[quantity])
        return low, high


def _described(quantities: Quantities) -> dict[Any, Any]:
    """What YAML and API have in common."""
    return {
        vol.Optional("name", description="name for people; the id unless given"): name,
        vol.Optional("kind", description="what it is: meter, plug, inverter, battery, charger …"): validate.slug,
        vol.Optional("location", description="id of the location it is in; home unless given"): validate.slug,
        vol.Optional("via", description="id of the gateway it is reached by"): _or_null(validate.slug),
        vol.Optional("tags", description="words to find it by"): validate.list_of(name),
        vol.Optional("metadata", description="whatever else belongs to it"): metadata,
        vol.Optional("ranges", description="values to believe, as quantity: [lowest, highest]"): Ranges(quantities),
    }


def yaml_device(quantities: Quantities) -> dict[Any, Any]:
    """One entry of `devices:` in the YAML."""
    quiet_for = vol.Optional("offline_after", description="silent for longer than this it is offline; 120s unless given")
    return {**_described(quantities), quiet_for: quiet}


def api_device(quantities: Quantities) -> dict[Any, Any]:
    """What the API may change of a device."""
    facts = {vol.Optional(fact, description=f"its {fact}"): _or_null(name) for fact in ("manufacturer", "model", "firmware", "serial")}
    quiet_for = vol.Optional("offline_after_s", description="seconds of silence after which it is offline; 120 unless given")
    return {**_described(quantities), **facts, quiet_for: _quiet_s}


LOCATION: dict[Any, Any] = {
    vol.Optional("name", description="name for people; the id unless given"): name,
    vol.Optional("kind", description=", ".join(KINDS)): validate.one_of(*KINDS),
    vol.Optional("parent", description="id of the location it lies in"): _or_null(validate.slug),
    vol.Optional("address", description="postal address"): _or_null(vol.All(validate.text, vol.Length(max=1000))),
    vol.Optional("area_m2", description="floor area in m²"): _or_null(validate.between(0, 1e8, "m²")),
    vol.Optional("time_zone", description="IANA time zone; that of the location it lies in unless given"): _or_null(validate.time_zone),
    vol.Optional("latitude", description="degrees north"): _or_null(validate.between(-90, 90, "degrees")),
    vol.Optional("longitude", description="degrees east"): _or_null(validate.between(-180, 180, "degrees")),
}

REGISTRY: dict[Any, Any] = {
    vol.Optional("auto", default=True, description="make a device from its first valid message"): validate.boolean,
    vol.Optional("auto_limit", default=1000, description="how many devices may make themselves"): validate.integer(0, 1_000_000),
    vol.Optional("secret_grace", default="24h", description="how long an old secret works beside the new one"): grace,
    vol.Optional("secret_max_age", description="age at which a device has to fetch a new secret"): validate.duration,
}
