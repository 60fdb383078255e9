"""A supplier's invoice, as it is written on paper."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec

from ohmstead.core.clock import from_ms, iso
from ohmstead.core.errors import Invalid
from ohmstead.plugins.ledger.moments import Moment, instant_ms

LONGEST_MS = 5 * 366 * 86_400_000


class BilledLine(msgspec.Struct, frozen=True):
    """One line; what it does not print is None. `net` and `gross` are in the currency, `price` in that per unit."""

    label: str
    quantity: Decimal | None = None
    unit: str | None = None
    price: Decimal | None = None
    net: Decimal | None = None
    vat_percent: Decimal | None = None
    gross: Decimal | None = None


class Read(msgspec.Struct, frozen=True):
    """What the supplier says the meter showed, in kWh."""

    at_ms: int
    kwh: Decimal
    estimated: bool = False


class Tolerance(msgspec.Struct, frozen=True):
    """What may differ without anybody asking: energy in kWh, and money in the currency for each line."""

    kwh: Decimal = Decimal("0.2")
    amount: Decimal = Decimal("0.01")


class Invoice(msgspec.Struct, frozen=True):
    """One invoice of a contract for [start_ms, end_ms). `kwh` is the energy bought, `exported_kwh` sold, where it says so."""

    id: str
    contract: str
    currency: str
    start_ms: int
    end_ms: int
    lines: tuple[BilledLine, ...] = ()
    kwh: Decimal | None = None
    exported_kwh: Decimal | None = None
    net: Decimal | None = None
    vat: Decimal | None = None
    total: Decimal | None = None
    reads: tuple[Read, ...] = ()
    supplier: str | None = None
    tolerance: Tolerance = Tolerance()

    @property
    def energy(self) -> Decimal | None:
        """The energy it bills: as stated, else between its first and last reading, else what all its lines in kWh agree on."""
        if self.kwh is not None:
            return self.kwh
        if len(self.reads) > 1:
            return self.reads[-1].kwh - self.reads[0].kwh
        said = {line.quantity for line in self.lines if line.unit == "kWh" and line.quantity is not None}
        return said.pop() if len(said) == 1 else None

    @property
    def estimated(self) -> list[Read]:
        """The readings that nobody took."""
        return [read for read in self.reads if read.estimated]


def invoice(given: Mapping[str, Any], zone: str, currency: str) -> Invoice:
    """The invoice that validated options describe; days are those of `zone`. Invalid for a period that cannot be."""
    start_ms, end_ms = instant_ms(given["start"], zone), _end(given, zone)
    if end_ms <= start_ms:
        raise _wrong("end", f"the period ends at {iso(end_ms)}, not after its start at {iso(start_ms)}; expected a later end")
    if end_ms - start_ms > LONGEST_MS:
        raise _wrong("end", "the period is longer than five years; expected that of one invoice")
    if start_ms % 900_000 or end_ms % 900_000:
        raise _wrong("start", "the period does not begin and end on a quarter of an hour, as intervals do")
    if given.get("currency", currency) != currency:
        raise _wrong("currency", f"the contract is in {currency}; expected an invoice in that")
    reads = tuple(sorted((Read(instant_ms(r["at"], zone), r["kwh"], r["estimated"]) for r in given.get("readings", ())), key=_at))
    for earlier, later in pairwise(reads):
        if later.kwh < earlier.kwh or later.at_ms == earlier.at_ms:
            raise _wrong("readings", f"{later.kwh} kWh at {iso(later.at_ms)} does not follow on {earlier.kwh} kWh at {iso(earlier.at_ms)}")
    return Invoice(
        given["id"], given["contract"], currency, start_ms, end_ms, tuple(_line(line) for line in given.get("lines", ())),
        given.get("kwh"), given.get("exported_kwh"), given.get("net"), given.get("vat"), given.get("total"), reads, given.get("supplier"),
        Tolerance(**given.get("tolerance", {})),
    )  # fmt: skip


def _at(read: Read) -> int:
    return read.at_ms


def _end(given: Mapping[str, Any], zone: str) -> int:
    """The end, which is not included; `through` names the last day that is."""
    if ("end" in given) == ("through" in given):
        raise _wrong("end", "expected end (the first day behind the period) or through (its last day), one of the two")
    if "end" in given:
        return instant_ms(given["end"], zone)
    last: Moment = given["through"]
    if isinstance(last, datetime):
        raise _wrong("through", "expected a day such as 2026-03-31")
    return instant_ms(last + timedelta(days=1), zone)


def _line(given: Mapping[str, Any]) -> BilledLine:
    line = BilledLine(**given)
    if line.quantity is None and line.net is None and line.gross is None:
        raise _wrong("lines", f"line {line.label!r} says neither a quantity nor an amount")
    if line.quantity is not None and line.unit is None:
        raise _wrong("lines", f"line {line.label!r} has a quantity without a unit, such as kWh")
    return line


def _wrong(path: str, message: str) -> Invalid:
    return Invalid(f"{path}: {message}", [{"path": path, "message": message}])


def shown(bill: Invoice) -> dict[str, Any]:
    """The invoice as the API answers it: numbers as decimal strings."""
    return {
        "id": bill.id, "contract": bill.contract, "supplier": bill.supplier, "currency": bill.currency, "start": iso(bill.start_ms),
        "end": iso(bill.end_ms), "kwh": _text(bill.kwh), "exported_kwh": _text(bill.exported_kwh),
        "lines": [
            {"label": line.label, "quantity": _text(line.quantity), "unit": line.unit, "price": _text(line.price), "net": _text(line.net),
             "vat_percent": _text(line.vat_percent), "gross": _text(line.gross)} for line in bill.lines
        ],
        "readings": [{"at": iso(read.at_ms), "kwh": _text(read.kwh), "estimated": read.estimated} for read in bill.reads],
        "net": _text(bill.net), "vat": _text(bill.vat), "total": _text(bill.total),
        "tolerance": {"kwh": _text(bill.tolerance.kwh), "amount": _text(bill.tolerance.amount)},
    }  # fmt: skip


def _text(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}"


def local_day(at_ms: int, zone: Any) -> str:
    """An instant for people: the day alone where it is midnight there."""
    local = from_ms(at_ms).astimezone(zone)
    return local.date().isoformat() if (local.hour, local.minute) == (0, 0) else local.strftime("%Y-%m-%d %H:%M")
