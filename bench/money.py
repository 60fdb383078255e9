"""A year of 100 meter points priced again, month by month as bills, under four kinds of rules at once; one month of one contract."""

from __future__ import annotations

import random
import statistics
import time
from array import array
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from bench.row import Row, rounds
from ohmstead.core.clock import to_ms
from ohmstead.plugins.billing.bill import Bill
from ohmstead.plugins.billing.biller import made
from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.cycle import Cycle, Moment, Period
from ohmstead.plugins.billing.supply import Supply
from ohmstead.plugins.ledger.sheet import Layer, Sheet
from ohmstead.plugins.tariffs.lines import Carry
from ohmstead.plugins.tariffs.plugin import KINDS
from ohmstead.plugins.tariffs.registry import Tariffs
from ohmstead.plugins.tariffs.tariff import Tariff

ROUNDS = rounds(3)
POINTS = 100
SLOT_MS = 900_000
ZONE = "Europe/Berlin"
START_MS, END_MS = to_ms(datetime(2025, 12, 31, 23, tzinfo=UTC)), to_ms(datetime(2026, 12, 31, 23, tzinfo=UTC))
RULES: list[dict[str, Any]] = [
    {"type": "time_of_use", "name": "energy", "windows": [
        {"name": "peak", "price": "0.25", "hours": "9-21", "days": "weekdays"},
        {"name": "off-peak", "price": "0.15", "hours": "21-9", "days": "weekdays"},
        {"name": "weekend", "price": "0.12", "days": "weekend"},
    ]},
    {"type": "tiers", "name": "grid", "period": "year", "tiers": [
        {"up_to": 1000, "price": "0.031"}, {"up_to": 3000, "price": "0.052"}, {"price": "0.074"},
    ]},
    {"type": "capacity", "name": "capacity", "price": "3.91", "peaks": 3, "different_days": True, "floor_kw": "2.5", "average": 12},
    {"type": "standing", "name": "base", "price": "0.31", "per": "day"},
    {"type": "percentage", "name": "levy", "percent": "5", "of": ["energy", "grid", "capacity"]},
]  # fmt: skip


def tariff() -> Tariff:
    """Time of use, tiers, capacity, a standing charge, a levy, and VAT."""
    tariffs = Tariffs()
    for kind in KINDS:
        tariffs.add_kind(kind.KIND)
    return tariffs.compiled("bench", tariffs.check({"currency": "EUR", "vat": 19, "components": RULES}))


def sheet(number: int) -> Sheet:
    """A year of a meter point's slots, all measured."""
    count = (END_MS - START_MS) // SLOT_MS
    chance = random.Random(number)
    found = Sheet.empty(START_MS, SLOT_MS, count)
    found.mwh = array("q", (chance.randrange(400_000) for _ in range(count)))
    found.measured_ms = array("i", [SLOT_MS]) * count
    found.source = bytearray([Layer.LIVE]) * count
    return found


def contract(point: str) -> Contract:
    """Calendar months of a meter point."""
    return Contract(point, point, "home", ZONE, "EUR", ((START_MS, "bench"),), Cycle(Moment(ZONE)), (point,))


def year(of: Tariff, point: str, slots: Sheet) -> list[Bill]:
    """The bills of a year: what tiers and peaks hand over goes from month to month."""
    its, carry, bills = contract(point), dict[str, Any](), list[Bill]()
    supply = Supply({point: [slots]})
    for period in its.between(START_MS, END_MS):
        handed: Carry = bills[-1].priced.carry if bills else carry
        bills.append(made(its, of, period, supply, handed))
    return bills


def month(of: Tariff, slots: Sheet) -> bytes:
    """One month, down to the bytes of its bill."""
    period = Period(START_MS, START_MS + 31 * 86_400_000)
    return msgspec.json.encode(made(contract("point-0"), of, period, Supply({"point-0": [slots]}), {}).body())


def timed(work: Callable[[], object]) -> float:
    """Seconds of it."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure() -> list[Row]:
    """Two rows."""
    of = tariff()
    sheets = {f"point-{number}": sheet(number) for number in range(POINTS)}
    first = next(iter(sheets.values()))
    years = [timed(lambda: [year(of, point, slots) for point, slots in sheets.items()]) for _ in range(ROUNDS)]
    months = [timed(lambda: month(of, first)) * 1000 for _ in range(ROUNDS * 5)]
    what = f"a year × {POINTS} meter points priced again: time of use, tiers, capacity, levy, VAT"
    note = f"{POINTS * len(first) / 1e6:.1f} million slots as {POINTS * 12:,} monthly bills, on one core"
    return [
        Row(what, "s", statistics.median(years), 5, less=True, note=note),
        Row("one month of one contract, to the bytes of its bill", "ms", statistics.median(months), 50, less=True),
    ]


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
