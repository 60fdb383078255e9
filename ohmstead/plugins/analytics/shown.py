"""Energy, power, money and flows as the API shows them: decimal strings, null for what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from ohmstead.core.clock import from_ms
from ohmstead.plugins.analytics.consumption import Used
from ohmstead.plugins.analytics.cost import Cost
from ohmstead.plugins.analytics.flows import WAYS, Flows, ratio
from ohmstead.plugins.billing.allocation import printed
from ohmstead.plugins.ledger.layers import kwh

MICRO = Decimal("0.000001")
METERED = ("generation_kwh", "discharge_kwh", "import_kwh", "charge_kwh", "export_kwh")


def at(at_ms: int, zone: ZoneInfo) -> str:
    """An instant in a zone."""
    local: datetime = from_ms(at_ms).astimezone(zone)
    return local.isoformat()


def money(parts: int | None) -> str | None:
    """An amount in 10^-12, to a millionth."""
    return None if parts is None else str(Decimal(parts).scaleb(-12).quantize(MICRO))


def together(parts: Mapping[str, int]) -> dict[str, str]:
    """Amounts in 10^-12 to a millionth, rounded so that together they are their sum to a millionth."""
    whole = Decimal(sum(parts.values())).scaleb(-12).quantize(MICRO)
    return {name: f"{Decimal(micro).scaleb(-6):f}" for name, micro in printed(parts, int(whole.scaleb(6)), 10**6).items()}


def cost(found: Cost, zone: ZoneInfo, span: tuple[int, int]) -> dict[str, Any]:
    """What energy cost, by which contracts, what no contract bills, and what of the span they have no price for."""
    return {
        "currency": found.currency, "cost": money(found.total),
        "contracts": [
            {"contract": name, "currency": currency, "cost": money(found.contracts[name])} for name, currency in found.currencies.items()
        ],
        "unbilled": list(found.unbilled),
        "unpriced": [
            {"contract": name, "component": gap.component, "start": at(max(gap.start_ms, span[0]), zone),
             "end": at(min(gap.end_ms, span[1]), zone), "reason": gap.reason} for name, gap in found.unpriced
        ],
    }  # fmt: skip


def used(found: Used, zone: ZoneInfo, cost: int | None) -> dict[str, Any]:
    """One span of consumption; `complete` is the share of the time of which anything is known."""
    known = found.covered_ms > 0
    return {
        "start": at(found.start_ms, zone), "end": at(found.end_ms, zone), "consumption_kwh": kwh(found.mwh) if known else None,
        "peak_kw": None if found.peak_mw is None else kwh(found.peak_mw), "cost": money(cost),
        "complete": ratio(found.covered_ms, (found.end_ms - found.start_ms) * found.points),
    }  # fmt: skip


def flows(span: tuple[int, int], found: Flows, zone: ZoneInfo, carbon: bool) -> dict[str, Any]:
    """The flows of one span."""
    shown: dict[str, Any] = {"start": at(span[0], zone), "end": at(span[1], zone)}
    shown |= {name: kwh(mwh) for name, mwh in zip(METERED, found.metered, strict=True)}
    shown |= {
        "consumption_kwh": kwh(found.consumed),
        "flows": {f"{source}_to_{sink}": kwh(mwh) for (source, sink), mwh in zip(WAYS, found.ways, strict=True)},
        "self_consumption": ratio(*found.self_consumption), "self_sufficiency": ratio(*found.self_sufficiency),
        "slots": found.slots, "missing_slots": found.missing,
    }  # fmt: skip
    if carbon:
        imported, avoided = (Decimal(each).scaleb(-9).quantize(MICRO) for each in found.carbon)
        shown |= {"carbon_kg": str(imported), "carbon_avoided_kg": str(avoided)}
    return shown
