"""A year of 100 meter points priced anew under time of use, tiers, capacity and taxes; and one month of one contract."""

from __future__ import annotations

import random
import statistics
import time
from array import array
from datetime import date
from itertools import pairwise
from zoneinfo import ZoneInfo

from bench.row import Row, rounds
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.tariffs.bill import bill
from ohmstead.plugins.tariffs.lines import Carry
from ohmstead.plugins.tariffs.local import midnight
from ohmstead.plugins.tariffs.plugin import KINDS
from ohmstead.plugins.tariffs.pricing import price
from ohmstead.plugins.tariffs.registry import Tariffs
from ohmstead.plugins.tariffs.tariff import Tariff
from ohmstead.plugins.tariffs.usage import Usage

ROUNDS = rounds(3)
POINTS = 100
SLOT_MS = 900_000
ZONE = ZoneInfo("Europe/Berlin")
MONTHS = [midnight(ZONE, date(2026 + month // 12, month % 12 + 1, 1)) for month in range(13)]
COMPONENTS = [
    {"type": "time_of_use", "name": "energy", "windows": [
        {"name": "peak", "price": 0.25, "days": "weekdays", "hours": "9-21"},
        {"name": "off-peak", "price": 0.15, "days": "weekdays", "hours": "21-9"},
        {"name": "weekend", "price": 0.12, "days": "weekend"},
    ]},
    {"type": "tiers", "period": "month", "tiers": [{"up_to": 150, "price": 0.01}, {"up_to": 300, "price": 0.02}, {"price": 0.03}]},
    {"type": "capacity", "price": 4.30, "floor_kw": 2.5},
    {"type": "flat", "name": "levy", "price": 0.0205},
    {"type": "percentage", "name": "tax", "percent": 5.1, "of": ["energy", "tiers", "capacity"]},
]  # fmt: skip


def tariff() -> Tariff:
    """The tariff that all of them have."""
    tariffs = Tariffs()
    for kind in KINDS:
        tariffs.add_kind(kind.KIND)
    return tariffs.compiled("bench", tariffs.check({"currency": "EUR", "vat": 19, "components": COMPONENTS}))


def year(seed: int) -> Sheet:
    """A year of quarter hours."""
    chance, count = random.Random(seed), (MONTHS[-1] - MONTHS[0]) // SLOT_MS
    sheet = Sheet.empty(MONTHS[0], SLOT_MS, count)
    sheet.mwh = array("q", [chance.randrange(600_000) for _ in range(count)])
    sheet.measured_ms = array("i", [SLOT_MS]) * count
    return sheet


def reprice(of: Tariff, sheets: list[Sheet]) -> float:
    """Seconds for twelve bills of each point, one going on from the other."""
    start = time.perf_counter()
    for sheet in sheets:
        carry: Carry = {}
        for first, last in pairwise(MONTHS):
            priced = price(of, Usage([sheet]), first, last, ZONE, carry=carry)
            carry = priced.carry
            bill(priced)
    return time.perf_counter() - start


def one_month(sheet: Sheet) -> float:
    """Milliseconds for one bill under a tariff that nothing is remembered of."""
    of = tariff()
    start = time.perf_counter()
    bill(price(of, Usage([sheet]), MONTHS[0], MONTHS[1], ZONE))
    return (time.perf_counter() - start) * 1000


def measure() -> list[Row]:
    """Rows of pricing."""
    sheets = [year(seed) for seed in range(POINTS)]
    of = tariff()
    whole = statistics.median(reprice(of, sheets) for _ in range(ROUNDS))
    month = statistics.median(one_month(sheets[0]) for _ in range(ROUNDS))
    return [
        Row("a year of 100 meter points, 3.5 M slots, priced anew", "s", whole, 5, less=True, note="time of use, tiers, capacity, taxes; 12 bills each"),
        Row("one month of one contract", "ms", month, 50, less=True, note="nothing remembered of the tariff's calendar"),
    ]


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
