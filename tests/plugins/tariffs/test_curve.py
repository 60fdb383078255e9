"""What one more kWh costs, slot by slot."""

from __future__ import annotations

from fractions import Fraction

from ohmstead.plugins.tariffs.curve import curve, slot_costs, slot_prices
from ohmstead.plugins.tariffs.prices.timeline import Span, Timeline
from tests.fakes.tariffs import BERLIN, ms, plain, priced, sheet, tariff

HOUR_MS = 3_600_000
START = ms("2026-01-01")


def shown(prices: list[Fraction | None]) -> list[str | None]:
    return [None if each is None else plain(each) for each in prices]


def spot(*cents: int) -> dict[str, Timeline]:
    return {"spot": Timeline.of(Span(START + n * HOUR_MS, START + (n + 1) * HOUR_MS, each * 10**10) for n, each in enumerate(cents))}


def test_energy_fees_percentages_and_vat() -> None:
    # (0.10 + 0.08) and 5 % of the first: 0.185; with VAT of 19 % 0.22015; a capacity charge adds nothing to a kWh
    of = tariff("""
    vat: 19
    components:
      - {type: dynamic, name: energy, series: spot}
      - {type: flat, name: grid, price: 0.08}
      - {type: percentage, percent: 5, of: energy}
      - {type: capacity, price: 5}
      - {type: standing, per: day, price: 1}
    """)
    prices = spot(10, -20)
    assert shown(curve(of, START, START + 3 * HOUR_MS, HOUR_MS, BERLIN, prices=prices)) == ["0.185", "-0.13", None]
    assert shown(curve(of, START, START + HOUR_MS, HOUR_MS, BERLIN, prices=prices, with_vat=True)) == ["0.22015"]


def test_export_pays() -> None:
    of = tariff("components: [{type: flat, price: 0.30}, {type: dynamic, direction: export, series: spot, factor: 0.9}]")
    assert shown(curve(of, START, START + 2 * HOUR_MS, HOUR_MS, BERLIN, prices=spot(10), direction="export")) == ["0.09", None]
    # what export has no price for does not take the price of import away
    assert shown(curve(of, START, START + 2 * HOUR_MS, HOUR_MS, BERLIN, prices=spot(10))) == ["0.3", "0.3"]


def test_tiers_are_those_that_the_contract_has_come_to() -> None:
    of = tariff("components: [{type: tiers, period: month, tiers: [{up_to: 10, price: 0.20}, {price: 0.40}]}]")
    before = priced(of, "2026-01-01", "2026-01-02", sheet(START, [10_000_000]))
    day = START + 24 * HOUR_MS
    assert shown(curve(of, day, day + HOUR_MS, HOUR_MS, BERLIN)) == ["0.2"]
    assert shown(curve(of, day, day + HOUR_MS, HOUR_MS, BERLIN, carry=before.carry)) == ["0.4"]


def test_a_slot_that_crosses_a_tier_has_its_mean_price() -> None:
    # 8, then 4 kWh of which 2 are in the second tier: 8 × 0.20, 2 × 0.20 + 2 × 0.40
    found = priced("components: [{type: tiers, period: month, tiers: [{up_to: 10, price: 0.20}, {price: 0.40}]}]",
                   "2026-01-01", "2026-01-02", sheet(START, [8_000_000, 4_000_000, 0]))  # fmt: skip
    assert shown(slot_prices(found, START, START + 3 * 900_000, 900_000)) == ["0.2", "0.3", "0.4"]
    assert [plain(each) for each in slot_costs(found, START, START + 3 * 900_000, 900_000)] == ["1.6", "1.2", "0"]


def test_finer_slots_than_the_question_are_averaged() -> None:
    of = tariff("components: [{type: time_of_use, windows: [{name: a, price: 0.10, hours: 0-0:30}, {name: b, price: 0.20, hours: 0:30-24}]}]")
    found = priced(of, "2026-01-01", "2026-01-02", sheet(START, [1_000_000] * 4))
    assert shown(slot_prices(found, START, START + HOUR_MS, HOUR_MS)) == ["0.15"]
    assert shown(curve(of, START, START + HOUR_MS, 300_000, BERLIN)) == ["0.1"] * 6 + ["0.2"] * 6


def test_before_the_first_version_there_is_no_price() -> None:
    of = tariff("versions: [{from: 2026-01-02, components: [{type: flat, price: 1}]}]")
    assert shown(curve(of, START + 23 * HOUR_MS, START + 25 * HOUR_MS, HOUR_MS, BERLIN)) == [None, "1"]
