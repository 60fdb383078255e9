"""A bill: what a contract costs in a period, line by line, as JSON that is the same bytes whenever it is made of the same."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec

from ohmstead.core.clock import iso
from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.coverage import Coverage
from ohmstead.plugins.billing.cycle import Period
from ohmstead.plugins.billing.supply import Supply
from ohmstead.plugins.tariffs.bill import BillLine
from ohmstead.plugins.tariffs.bill import Sheet as Printed
from ohmstead.plugins.tariffs.lines import Carry, Priced

DIGITS = 12  # decimals of a number that does not end


class Bill(msgspec.Struct, frozen=True):
    """What was priced, and its rounded lines. `supply` is what it is made of, `carried` what the period before handed over.

    `known_at_ms` leaves out what was recorded later; None is all that is known.
    """

    contract: Contract
    tariff: str
    period: Period
    priced: Priced
    sheet: Printed
    imported: Coverage
    exported: Coverage
    supply: Supply
    carried: Carry
    known_at_ms: int | None = None

    @property
    def id(self) -> str:
        """The contract and the local day on which the period begins."""
        return bill_id(self.contract, self.period)

    @property
    def known(self) -> bool:
        """Whether any energy is known at all."""
        return any(side.missing_ms < side.total_ms for side in (self.imported, self.exported))

    @property
    def complete(self) -> bool:
        """Whether no energy is missing and every slot has its price."""
        return not (self.imported.missing or self.exported.missing or self.priced.unpriced)

    def body(self) -> dict[str, Any]:
        """The bill as plain data: numbers as decimal strings, in a fixed order, without ids of rows and times of making."""
        contract, priced, sheet = self.contract, self.priced, self.sheet
        return {
            "contract": contract.id, "name": contract.name, "supplier": contract.supplier, "location": contract.location,
            "time_zone": contract.zone, "currency": contract.currency, "tariff": self.tariff,
            "start": iso(self.period.start_ms), "end": iso(self.period.end_ms),
            "known_at": None if self.known_at_ms is None else iso(self.known_at_ms),
            "lines": [shown_line(number, line) for number, line in enumerate(sheet.lines, 1)],
            "vat": [
                {"percent": plain(row.percent), "base": plain(row.base), "amount": plain(row.amount), "added": row.added}
                for row in sheet.vat
            ],
            "net": plain(sheet.net), "tax": plain(sheet.tax), "total": plain(sheet.total),
            "import": {"meter_points": list(contract.imports), **self.imported.shown()},
            "export": {"meter_points": list(contract.exports), **self.exported.shown()},
            "unpriced": shown_unpriced(priced),
            "excluded": [
                {"component": gap.component, "start": iso(gap.start_ms), "end": iso(gap.end_ms), "windows": gap.windows}
                for gap in priced.excluded
            ],
            "conversions": [
                {"start": iso(each.start_ms), "end": iso(each.end_ms), "m3": plain(each.m3), "kwh_per_m3": plain(each.kwh_per_m3),
                 "state_number": plain(each.state_number), "kwh": plain(each.kwh)} for each in priced.conversions
            ],
            "netted": [
                {"start": iso(each.start_ms), "end": iso(each.end_ms)}
                | {name: kwh(getattr(each, name)) for name in ("imported", "exported", "offset", "drawn", "banked", "expired", "balance")}
                for each in priced.netted
            ],
            "carried_in": dict(self.carried), "carried_out": dict(priced.carry),
        }  # fmt: skip


def bill_id(contract: Contract, period: Period) -> str:
    """The id of a contract's bill for a period."""
    return f"{contract.id}-{contract.cycle.moment.day_of(period.start_ms)}"


def shown_unpriced(priced: Priced) -> list[dict[str, Any]]:
    """The slots that have no price."""
    return [
        {"component": gap.component, "start": iso(gap.start_ms), "end": iso(gap.end_ms), "slots": gap.slots, "kwh": kwh(gap.mwh),
         "reason": gap.reason} for gap in priced.unpriced
    ]  # fmt: skip


def shown_line(number: int, line: BillLine) -> dict[str, Any]:
    """One printed line."""
    of = line.line
    return {
        "line": number, "key": of.key, "label": of.label, "rule": of.component, "kind": of.kind, "version": of.version,
        "direction": of.direction or None, "quantity": plain(of.quantity), "unit": of.unit, "price": plain(of.price),
        "exact": plain(of.amount), "net": _or_none(line.net), "vat_percent": plain(of.vat), "vat": _or_none(line.vat),
        "gross": _or_none(line.gross), "printed": plain(line.printed), "slots": of.slots, "price_imports": of.price_imports,
    }  # fmt: skip


def _or_none(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def plain(number: Fraction | Decimal | int) -> str:
    """An exact number as a decimal string; one that never ends with twelve decimals, half away from zero.

    A Decimal keeps its decimals, so that money shows its cents.
    """
    if isinstance(number, Decimal):
        return f"{number:f}"
    exact = Fraction(number)
    scaled = abs(exact) * 10**DIGITS
    units = scaled.numerator // scaled.denominator + (2 * (scaled.numerator % scaled.denominator) >= scaled.denominator)
    whole, part = divmod(units, 10**DIGITS)
    sign = "-" if exact < 0 and units else ""
    return f"{sign}{whole}.{part:0{DIGITS}}".rstrip("0").rstrip(".")


def kwh(mwh: Fraction | int) -> str:
    """Energy in mWh as kWh."""
    return plain(Fraction(mwh) / 1_000_000)


def micro(amount: Fraction | Decimal) -> int:
    """Money in integer millionths of its currency, half away from zero."""
    scaled = Fraction(amount) * 1_000_000
    units = (2 * abs(scaled.numerator) + scaled.denominator) // (2 * scaled.denominator)
    return -units if scaled < 0 else units
