"""One rate of the database as a tariff: energy, demand, fixed and least charges, fuel adjustments, and export."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from ohmstead.core.errors import Invalid
from ohmstead.integrations.urdb.demand import demand
from ohmstead.integrations.urdb.energy import energy, fuel
from ohmstead.integrations.urdb.fields import DESCRIPTION, is_old, nothing, renewed

CURRENCY = "USD"
FIXED = {"$/day": "day", "$/month": "month", "$/year": "year"}
METERING = "Net Metering"  # what is left of a bill is credited where the rate has a price for it, else kept as kWh
NETTING: Mapping[str, Mapping[str, Any] | None] = {
    METERING: {"over": "bill"}, "Net Billing Hourly": {"over": "hour"}, "Net Billing Instantaneous": None, "Buy All Sell All": None,
}  # fmt: skip


class Rate:
    """A rate while it is converted: which fields were read, and what cannot be priced."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        self.first = 1 if is_old(item) else 0  # how the first period is called
        self._fields = renewed(item)
        self._read: set[str] = set()
        self.refused: list[dict[str, str]] = []

    def take(self, name: str) -> Any:
        """A field; None where it is missing."""
        self._read.add(name)
        return self._fields.get(name)

    def charges(self, name: str) -> bool:
        """Whether a field is there and charges anything."""
        return not nothing(self.take(name))

    def number(self, value: Any, name: str) -> Decimal:
        """An exact number; 0, and refused, for what is none."""
        try:
            found = Decimal(str(value)) if isinstance(value, int | float | str) and not isinstance(value, bool) else Decimal("NaN")
        except InvalidOperation:
            found = Decimal("NaN")
        if not found.is_finite() or abs(found) >= 1_000_000 or found.as_tuple().exponent < -12:  # type: ignore[operator]  # it is finite
            self.refuse(name, f"{str(value)[:40]!r} is no number that can be priced")
            return Decimal(0)
        return found

    def refuse(self, name: str, reason: str) -> None:
        """Note a field that cannot be priced."""
        self.refused.append({"path": name, "message": reason})

    def refuse_rest(self) -> None:
        """Note what nobody has read and nobody may pass over."""
        for name, value in self._fields.items():
            if name not in self._read | DESCRIPTION and not nothing(value):
                self.refuse(name, "this cannot be priced")

    def day(self, name: str) -> date | None:
        """A day: seconds since 1970, or a date as text."""
        value = self.take(name)
        try:
            if isinstance(value, int | float) and not isinstance(value, bool):
                return datetime.fromtimestamp(value, UTC).date()
            return None if nothing(value) else date.fromisoformat(str(value)[:10])
        except (ValueError, OverflowError, OSError):
            self.refuse(name, f"{str(value)[:40]!r} is no day")
            return None


def tariff(raw: bytes, label: str | None = None, start: date | None = None) -> dict[str, Any]:
    """The tariff of a file, as the API takes it: name, currency, versions.

    `label` chooses one of several rates, `start` is the first day if the rate tells none. Times are those of the
    contract's zone; months are those of the calendar. Invalid with every field that cannot be priced, by its name.
    """
    item = _item(raw, label)
    rate = Rate(item)
    first, last = rate.day("startdate") or start, rate.day("enddate")
    if first is None:
        rate.refuse("startdate", "the rate does not say from when on it is valid; give the day")
    if not nothing(rate.take("country")) and item["country"] not in ("USA", "US"):
        rate.refuse("country", f"the prices of {item['country']!r} are not in {CURRENCY}")
    components = [*energy(rate), *fuel(rate), *demand(rate), *_fixed(rate)]
    components += _least(rate, [each["name"] for each in components])
    netting = _netting(rate, sold=any(each.get("direction") == "export" for each in components))
    rate.refuse_rest()
    if rate.refused:
        raise Invalid(f"{item.get('name', 'the rate')}: some of its fields cannot be priced", rate.refused)
    assert first is not None
    version: dict[str, Any] = {"from": first.isoformat(), "components": components}
    if last is not None:
        version["until"] = (last + timedelta(days=1)).isoformat()
    if netting:
        version["netting"] = dict(netting)
    name = " ".join(str(item[key]) for key in ("utility", "name") if item.get(key))
    return {"name": name or "URDB rate", "currency": CURRENCY, "versions": [version]}


def _item(raw: bytes, label: str | None) -> dict[str, Any]:
    try:
        data = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"the file is not JSON: {error}") from None
    items = data.get("items", [data]) if isinstance(data, dict) else data
    found = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    chosen = [item for item in found if label is None or item.get("label") == label]
    if len(chosen) != 1:
        names = ", ".join(f"{item.get('label')} ({item.get('name')})" for item in found[:20])
        raise Invalid(f"expected one rate; choose it by its label: {names}" if found else "there is no rate in the file")
    return chosen[0]


def _fixed(rate: Rate) -> list[dict[str, Any]]:
    if not rate.charges("fixedchargefirstmeter"):
        rate.take("fixedchargeunits")
        return []
    per = FIXED.get(str(rate.take("fixedchargeunits") or "$/month"))
    if per is None:
        rate.refuse("fixedchargeunits", f"expected {', '.join(FIXED)}")
        return []
    price = rate.number(rate.take("fixedchargefirstmeter"), "fixedchargefirstmeter")
    return [{"type": "standing", "name": "fixed charge", "price": f"{price:f}", "per": per}]


def _least(rate: Rate, of: list[str]) -> list[dict[str, Any]]:
    if not rate.charges("mincharge"):
        rate.take("minchargeunits")
        return []
    per = FIXED.get(str(rate.take("minchargeunits") or "$/month"))
    if per is None or not of:
        rate.refuse("minchargeunits", f"expected {', '.join(FIXED)}, and something that it is the least of")
        return []
    price = rate.number(rate.take("mincharge"), "mincharge")
    return [{"type": "minimum", "name": "minimum charge", "price": f"{price:f}", "per": per, "of": list(dict.fromkeys(of))}]


def _netting(rate: Rate, sold: bool) -> Mapping[str, Any] | None:
    rules = rate.take("dgrules")
    if rate.charges("usenetmetering") and nothing(rules):
        rules = METERING
    if not nothing(rules) and rules not in NETTING:
        rate.refuse("dgrules", f"expected {', '.join(NETTING)}")
        return None
    if rules == METERING and not sold:
        return {"over": "bill", "carry": "kwh"}
    return NETTING.get(rules)
