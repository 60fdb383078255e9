"""UsageSummary elements as invoices. Amounts are hundred-thousandths of the currency, whatever it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from ohmstead.core import amount
from ohmstead.core.errors import Invalid
from ohmstead.core.plugin import Found, InvoiceRow
from ohmstead.integrations.green_button.feed import Feed
from ohmstead.integrations.green_button.packed import chunks
from ohmstead.integrations.green_button.reading_type import MOST_MULTIPLIER, UNITS

CURRENCIES = {"840": "USD", "978": "EUR", "826": "GBP", "124": "CAD", "36": "AUD", "756": "CHF"}  # ISO 4217 numbers
ENERGY = ("overallConsumptionLastPeriod", "currentBillingPeriodOverAllConsumption")
MOST_LINES = 1000


def read(path: Path, options: Mapping[str, Any]) -> Iterator[Found]:
    """The invoices of a feed; a str is one that says too little. Invalid for what is no Green Button file."""
    feed = Feed.read(chunks(path))
    feed.close()
    if not feed.summaries:
        raise Invalid(f"{path.name} has no UsageSummary, and so bills nothing")
    for number, summary in enumerate(feed.summaries, 1):
        place = f"UsageSummary {number}"
        try:
            yield InvoiceRow(_body(summary), place)
        except ValueError as error:
            yield f"{place}: {error}"


def _body(summary: Element) -> dict[str, Any]:
    start_s, length_s = _whole(summary, "billingPeriod/start"), _whole(summary, "billingPeriod/duration")
    if start_s is None or length_s is None or not 0 < start_s < 1 << 36 or not 0 < length_s < 1 << 28:
        raise ValueError("expected a billingPeriod with start and duration in seconds")
    start, end = (datetime.fromtimestamp(at_s, UTC) for at_s in (start_s, start_s + length_s))
    found: dict[str, Any] = {
        "id": f"green-button-{start.date().isoformat()}", "start": start.isoformat(), "end": end.isoformat(),
        "currency": CURRENCIES.get((summary.findtext("currency") or "").strip().lstrip("0")), "kwh": _energy(summary),
        "total": _money(summary, "billLastPeriod"), "lines": [_line(item) for item in _items(summary)],
    }  # fmt: skip
    return {name: value for name, value in found.items() if value not in (None, [])}


def _items(summary: Element) -> list[Element]:
    return summary.findall("costAdditionalDetailLastPeriod")[:MOST_LINES]


def _line(item: Element) -> dict[str, Any]:
    return {"label": (item.findtext("note") or "").strip()[:200] or "additional cost", "gross": _money(item, "amount") or "0"}


def _energy(summary: Element) -> str | None:
    for name in ENERGY:
        value, uom = _whole(summary, f"{name}/value"), _whole(summary, f"{name}/uom")
        multiplier = _whole(summary, f"{name}/powerOfTenMultiplier") or 0
        if value is not None and uom in UNITS and abs(multiplier) <= MOST_MULTIPLIER:
            unit, factor = amount.unit(UNITS[uom])
            if unit == amount.MWH:
                return f"{Decimal(amount.whole(Decimal(value).scaleb(multiplier), factor)).scaleb(-6).normalize():f}"
    return None


def _money(element: Element, name: str) -> str | None:
    value = _whole(element, name)
    return None if value is None else f"{Decimal(value).scaleb(-5).normalize():f}"


def _whole(element: Element, name: str) -> int | None:
    text = (element.findtext(name) or "").strip()
    if not text:
        return None
    if len(text) > 16 or not text.lstrip("-").isdecimal():
        raise ValueError(f"{name} is {text[:40]!r}; expected a whole number")
    return int(text)
