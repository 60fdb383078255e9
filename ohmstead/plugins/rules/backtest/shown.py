"""Results of backtests for the API: instants as ISO 8601, energy and money as exact decimals in texts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from ohmstead.core.clock import iso
from ohmstead.plugins.rules.alerts.sources.energies import kwh
from ohmstead.plugins.rules.backtest.activations import Activation
from ohmstead.plugins.rules.backtest.energy import Used
from ohmstead.plugins.rules.backtest.money import Prices

CENTS = Decimal("0.0001")


def activation(found: Activation, millionths: bool) -> dict[str, Any]:
    """When a rule fired, about what, at which value, and until when it held."""
    value = kwh(found.value) if millionths else found.value
    until = None if found.until_ms is None else iso(found.until_ms)
    return {"subject": found.subject, "at": iso(found.at_ms), "value": value, "until": until}


def energy(used: Used, prices: Prices | None) -> dict[str, Any]:
    """What a meter point measured meanwhile, and what that cost."""
    known = used.cost is not None and prices is not None
    return {
        "meter_point": used.point, "amount": amount(used.millionths), "unit": used.unit, "cost": money(used.cost) if known else None,
        "currency": prices.currency if known and prices else None, "unpriced": amount(used.unpriced),
    }  # fmt: skip


def amount(millionths: int) -> str:
    """mWh as kWh, mL as m³."""
    return str(Decimal(millionths).scaleb(-6).quantize(Decimal("0.000001"))).rstrip("0").rstrip(".") or "0"


def money(cost: Fraction | None) -> str | None:
    """To a hundredth of a cent."""
    return None if cost is None else str((Decimal(cost.numerator) / Decimal(cost.denominator)).quantize(CENTS))
