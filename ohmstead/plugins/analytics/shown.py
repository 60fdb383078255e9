"""Energy, power, money and flows as the API shows them: decimal strings, null for what is not known."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from ohmstead.core.clock import from_ms
from ohmstead.plugins.analytics.consumption import Used
from ohmstead.plugins.analytics.flows import WAYS, Flows, ratio
from ohmstead.plugins.ledger.layers import kwh

MICRO = Decimal("0.000001")
METERED = ("generation_kwh", "discharge_kwh", "import_kwh", "charge_kwh", "export_kwh")


def at(at_ms: int, zone: ZoneInfo) -> str:
    """An instant in a zone."""
    local: datetime = from_ms(at_ms).astimezone(zone)
    return local.isoformat()


def money(amount: Fraction | None) -> str | None:
    """To a millionth."""
    return None if amount is None else str((Decimal(amount.numerator) / Decimal(amount.denominator)).quantize(MICRO))


def used(found: Used, zone: ZoneInfo, whole_ms: int) -> dict[str, Any]:
    """One span of consumption; `complete` is the share of the time of which anything is known."""
    known = found.covered_ms > 0
    return {
        "start": at(found.start_ms, zone), "end": at(found.end_ms, zone), "consumption_kwh": kwh(found.mwh) if known else None,
        "peak_kw": None if found.peak_mw is None else kwh(found.peak_mw), "cost": money(found.cost),
        "complete": ratio(found.covered_ms, whole_ms),
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
