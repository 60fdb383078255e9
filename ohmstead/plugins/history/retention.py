"""`retention:` in the YAML: for how long to keep what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.quantity import Quantities
from ohmstead.plugins.storage.retention import Keep, Policy

FOREVER = "forever"
DAY_S = 86_400.0


def days(value: Any) -> float | None:
    """A time span of a day or more, in days; None is for ever."""
    if value == FOREVER:
        return None
    length = validate.duration(value) / DAY_S
    if length < 1:
        raise vol.Invalid(f"expected a day or more, such as 90d, or {FOREVER}")
    return length


KEEP: dict[Any, Any] = {
    vol.Optional("raw", description="readings as they came; 90d unless given"): days,
    vol.Optional("fine", description="rollups of five minutes and hours; 365d unless given"): days,
    vol.Optional("daily", description="rollups of days; 1826d unless given"): days,
}
FIELDS = {"raw": "raw_days", "fine": "fine_days", "daily": "daily_days"}


def schema(quantities: Quantities) -> dict[Any, Any]:
    """The section's schema."""

    def quantity(value: Any) -> str:
        if value not in quantities:
            raise vol.Invalid(f"unknown quantity.{validate.did_you_mean(str(value), quantities)}")
        return str(value)

    return {
        **KEEP,
        vol.Optional("quantities", description="the same for single quantities"): {quantity: KEEP},
        vol.Optional("devices", description="the same for single devices, which counts more than their quantities"): {validate.slug: KEEP},
    }


def policy(given: Mapping[str, Any]) -> Policy:
    """What the section asks for; parts that are not given follow the part above."""
    default = _keep(given, Keep())
    by_quantity = {name: _keep(part, default) for name, part in given.get("quantities", {}).items()}
    by_device = {name: _keep(part, default) for name, part in given.get("devices", {}).items()}
    return Policy(default, by_quantity, by_device)


def _keep(given: Mapping[str, Any], otherwise: Keep) -> Keep:
    return Keep(**{field: given.get(name, getattr(otherwise, field)) for name, field in FIELDS.items()})
