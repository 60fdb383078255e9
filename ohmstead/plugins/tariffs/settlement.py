"""Netting in a bill: what is left of import and export, what is drawn from the bank and put into it, and its lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from itertools import groupby
from typing import Any

import msgspec

from ohmstead.plugins.tariffs import offset
from ohmstead.plugins.tariffs.bank import Bank
from ohmstead.plugins.tariffs.lines import Line, Netted
from ohmstead.plugins.tariffs.local import local_date, midnight
from ohmstead.plugins.tariffs.meter import Meter
from ohmstead.plugins.tariffs.netting import HOUR, KWH, MONEY, NAME, SLOT, YEAR, Netting
from ohmstead.plugins.tariffs.offset import Pair
from ohmstead.plugins.tariffs.part import Part

ZERO = Fraction(0)
UNIT = Fraction(1, 1_000_000)  # a mWh in kWh


class Kept:
    """What netting keeps from bill to bill: kWh (in mWh) and money, and what of the year's import was billed, for how much."""

    def __init__(self, carry: Mapping[str, Any]) -> None:
        self.kwh, self.money = Bank(carry.get("kwh", ())), Bank(carry.get("money", ()))
        self.billed_mwh, self.billed = int(carry.get("billed_mwh", 0)), Fraction(carry.get("billed", 0))

    def json(self) -> dict[str, Any]:
        """What the next bill is to be given."""
        found = {"kwh": self.kwh.json(), "money": self.money.json(), "billed_mwh": self.billed_mwh, "billed": str(self.billed)}
        return found if self.kwh.balance or self.money.balance or self.billed_mwh else {}


class Settlement:
    """Consecutive parts of a bill under one rule of netting, or under none."""

    def __init__(self, rule: Netting | None, parts: Sequence[Part], kept: Kept) -> None:
        self._rule, self._last, self._kept = rule, parts[-1], kept
        self._start_ms, self._end_ms = parts[0].start_ms, parts[-1].end_ms
        self.lines: list[Line] = []
        self.netted: list[Netted] = []
        self.parts = list(parts) if rule is None or rule.over is None else list(self._net(rule, parts))

    def _net(self, rule: Netting, parts: Sequence[Part]) -> Iterator[Part]:
        both = offset.pair(parts[0].meter("import"), parts[0].meter("export"), self._start_ms, self._end_ms)
        if rule.over in (SLOT, HOUR):
            left = offset.by_slot(both) if rule.over == SLOT else offset.by_hour(both, self._last.zone)
            self._note(both, left)
        else:
            left = self._over_bill(rule, both)
        for part in parts:
            yield msgspec.structs.replace(part, meters={**part.meters, "import": left.imported, "export": left.exported})

    def _over_bill(self, rule: Netting, both: Pair) -> Pair:
        """Over the whole bill; what is left of export goes where the rule says, and what is kept meets what is left of import."""
        expired = self._kept.kwh.expire(self._start_ms, rule.expires_months, self._last.zone)
        imported, exported = (_total(meter) for meter in both)
        short, surplus = max(imported - exported, 0), max(exported - imported, 0)
        drawn = int(self._kept.kwh.draw(short))
        credited = 0 if rule.carry == KWH else surplus
        left = offset.scaled(both, short - drawn, credited)
        banked = surplus - credited
        if rule.over == YEAR:
            banked -= self._refund(surplus)
            self._kept.billed_mwh += short - drawn
        self._kept.kwh.put(self._end_ms, banked)
        self._note(both, left, drawn, banked, int(expired))
        if self._year_ends(rule):
            self._settle(rule)
        return left

    def _refund(self, surplus: int) -> int:
        """Export that meets import billed earlier in the year: paid back at the mean price of that import."""
        mwh = min(surplus, self._kept.billed_mwh)
        if mwh:
            mean = self._kept.billed / self._kept.billed_mwh
            self._add("import of this year met by export", mwh * UNIT, "kWh", -mean / UNIT)
            self._kept.billed -= mwh * mean
            self._kept.billed_mwh -= mwh
        return mwh

    def _settle(self, rule: Netting) -> None:
        """The day on which the year of netting ends."""
        if rule.settles:
            left = self._kept.kwh.draw(self._kept.kwh.balance)
            if left and rule.price:
                self._add("true-up", left * UNIT, "kWh", -rule.price)
        self._kept.billed_mwh, self._kept.billed = 0, ZERO

    def close(self, lines: Iterable[Line]) -> None:
        """Once all components are priced: what this year's import came to, and credits in money."""
        rule, versions = self._rule, {part.version.name for part in self.parts}
        if rule is None:
            return
        own = [line for line in lines if line.version in versions]
        if rule.over == YEAR and not self._year_ends(rule):
            named = {c.name for part in self.parts for c in part.version.components if _of_import(c.rule)}
            self._kept.billed += sum((line.amount for line in own if line.component in named), ZERO)
        if rule.carry == MONEY:
            self._carry_money(rule, sum((line.amount for line in own), ZERO))

    def _carry_money(self, rule: Netting, total: Fraction) -> None:
        self._kept.money.expire(self._start_ms, rule.expires_months, self._last.zone)
        if total < 0:
            self._add("carried over to later bills", Fraction(1), "bill", -total)
            self._kept.money.put(self._end_ms, -total)
        elif used := self._kept.money.draw(total):
            self._add("credit of earlier bills", Fraction(1), "bill", -used)
        if rule.settles and self._year_ends(rule) and (left := self._kept.money.draw(self._kept.money.balance)):
            self._add("true-up", Fraction(1), "bill", -left)

    def _year_ends(self, rule: Netting) -> bool:
        """Whether the bill reaches the day on which the year of netting ends."""
        if rule.year is None:
            return False
        zone = self._last.zone
        days = (date(local_date(zone, self._start_ms).year + more, *rule.year) for more in range(-1, 3))
        return any(self._start_ms < midnight(zone, day) <= self._end_ms for day in days)

    def _note(self, both: Pair, left: Pair, drawn: int = 0, banked: int = 0, expired: int = 0) -> None:
        imported, exported = (_total(meter) for meter in both)
        met = imported - _total(left.imported) - drawn
        self.netted.append(
            Netted(self._start_ms, self._end_ms, imported, exported, met, drawn, banked, expired, int(self._kept.kwh.balance))
        )

    def _add(self, label: str, quantity: Fraction, unit: str, price: Fraction) -> None:
        version = self._last.version
        vat = version.vat if unit == "kWh" else ZERO
        made = Line(NAME, NAME, label, version.name, quantity, unit, price, quantity * price, vat=vat, vat_mode=version.vat_mode)
        self.lines.append(made)


def settlements(parts: Sequence[Part], kept: Kept) -> list[Settlement]:
    """The parts by their rule of netting."""
    return [Settlement(rule, list(same), kept) for rule, same in groupby(parts, key=lambda part: part.version.netting)]


def _total(meter: Meter) -> int:
    return sum(column.sums[-1] for column in meter.columns)


def _of_import(rule: Any) -> bool:
    """Whether a rule is about import after netting."""
    return getattr(getattr(rule, "selection", None), "meter", None) == "import"
