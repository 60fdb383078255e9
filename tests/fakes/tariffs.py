"""Tariffs from YAML, energy by the slot, and the lines of a bill as short texts."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from textwrap import dedent
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from ohmstead.core.clock import to_ms
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.tariffs.lines import Priced
from ohmstead.plugins.tariffs.plugin import KINDS
from ohmstead.plugins.tariffs.pricing import price
from ohmstead.plugins.tariffs.registry import Tariffs
from ohmstead.plugins.tariffs.tariff import Tariff
from ohmstead.plugins.tariffs.usage import Usage

QUARTER_MS = 900_000
BERLIN = ZoneInfo("Europe/Berlin")


def registry() -> Tariffs:
    tariffs = Tariffs()
    for kind in KINDS:
        tariffs.add_kind(kind.KIND)
    return tariffs


def tariff(text: str | Mapping[str, Any]) -> Tariff:
    """A tariff in EUR unless it says otherwise."""
    known = registry()
    stated = yaml.load(dedent(text), yaml.BaseLoader) if isinstance(text, str) else text
    return known.compiled("t", known.check({"currency": "EUR", **stated}))


def ms(local: str, zone: ZoneInfo = BERLIN) -> int:
    """The instant of a local time such as 2026-01-05 or 2026-01-05T09:00."""
    return to_ms(datetime.fromisoformat(local).replace(tzinfo=zone))


def sheet(start_ms: int, mwh: Iterable[int], slot_ms: int = QUARTER_MS, missing: Iterable[int] = ()) -> Sheet:
    """Measured slots; those in `missing`, by their numbers, are not covered."""
    energy = array("q", mwh)
    made = Sheet.empty(start_ms, slot_ms, len(energy))
    made.mwh, made.measured_ms = energy, array("i", [slot_ms]) * len(energy)
    for place in missing:
        made.mwh[place] = made.measured_ms[place] = 0
    return made


def steady(start: str, end: str, watts: int, zone: ZoneInfo = BERLIN, slot_ms: int = QUARTER_MS) -> Sheet:
    """The same power all the time."""
    start_ms, end_ms = ms(start, zone), ms(end, zone)
    return sheet(start_ms, [watts * slot_ms // 3600] * ((end_ms - start_ms) // slot_ms), slot_ms)


def priced(of: Tariff | str, start: str, end: str, usage: Usage | Sheet, zone: ZoneInfo = BERLIN, **more: Any) -> Priced:
    used = usage if isinstance(usage, Usage) else Usage(imported=[usage])
    return price(of if isinstance(of, Tariff) else tariff(of), used, ms(start, zone), ms(end, zone), zone, **more)


def told(found: Priced) -> list[str]:
    """Every line as "component label: quantity unit × price = amount"."""
    return [f"{line.component}{' ' if line.label else ''}{line.label}: {plain(line.quantity)} {line.unit} × {plain(line.price)} = {plain(line.amount)}"
            for line in found.lines]  # fmt: skip


def plain(number: Fraction) -> str:
    """As a decimal where it is one, else as a fraction."""
    digits = number.denominator
    for prime in (2, 5):
        while digits % prime == 0:
            digits //= prime
    return str(number) if digits != 1 else f"{(Decimal(number.numerator) / Decimal(number.denominator)).normalize():f}"
