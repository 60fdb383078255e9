"""What cannot be a tariff is refused: where, what, and what would be right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import voluptuous as vol
import yaml

from ohmstead.config import examine
from ohmstead.config.mistakes import mistakes
from tests.fakes.tariffs import registry


def problems(text: str) -> list[str]:
    """The mistakes as `ohmstead check` tells them, without file and line."""
    stated: Any = yaml.load(dedent(text), yaml.BaseLoader)
    _, found = mistakes(registry().schema, {"currency": "EUR", **stated})
    return [f"{' → '.join(map(str, mistake.keys))}: {mistake.text}" for mistake in found]


def component(text: str) -> str:
    (only,) = problems(f"components: [{text}]")
    return only.removeprefix("components → 0 → ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{type: flat, price: '0,25'}", "price: '0,25' is no number: expected a number such as 0.25, with a decimal point and no comma"),
        ("{type: flat, price: 1e999999}", "price: '1e999999' is no number: expected a number such as 0.25, with a decimal point"),
        ("{type: flat, price: " + "9" * 5000 + "}", "is no number"),
        ("{type: flat, price: nan}", "price: 'nan' is no number"),
        ("{type: flat, price: 99999999999}", "price: 99999999999 is beyond what can be priced: expected at most 1,000,000,000"),
        ("{type: flat, price: 0.00000000000001}", "at most 12 decimals"),
        ("{type: standing, price: -3, per: month}", "price: -3 is negative; expected 0 or more"),
        ("{type: standing, price: 3, per: week}", "per: expected day, month or year"),
        ("{type: capacity, price: -3}", "price: -3 is negative"),
        ("{type: capacity, price: 3, window: 20}", "window: expected 15, 30 or 60"),
        ("{type: flat, price: 1, prize: 3}", 'prize: unknown option. Did you mean "price"?'),
        ("{type: flat}", "price: is missing (price per kWh)"),
        ("{type: flatt, price: 1}", 'type: there is no such type of component; there are capacity, dynamic, flat'),
        ("{price: 1}", "expected a component with its type"),
        ("{type: tiers, period: month, tiers: [{price: 1}, {price: 2}]}", "tiers → 0: expected up_to in every tier but the last"),
        ("{type: tiers, period: month, tiers: [{up_to: 5, price: 1}, {up_to: 5, price: 2}, {price: 3}]}", "up_to: 5 is not more than the 5 before it"),
        ("{type: tiers, period: bill, prorate: true, tiers: [{price: 1}]}", "prorate: a bill has no length to shrink from"),
        ("{type: percentage, percent: 5, of: energy}", "of: there is no component 'energy' before this one"),
        ("{type: registers, prices: {t9: 1}}", "prices → t9"),
        ("{type: flat, price: 1, when: {hours: 9-25}}", "'9-25' are no hours of a day"),
        ("{type: flat, price: 1, when: {days: monday}}", 'expected mon, tue, wed, thu, fri, sat, sun, weekdays, weekend or holidays'),
        ("{type: flat, price: 1, when: {dates: 02-30..03-01}}", "expected a part of the year as month-day..month-day"),
        ("{type: flat, name: netting, price: 1}", "name: 'netting' is what the lines of netting are called"),
    ],
)  # fmt: skip
def test_a_component(text: str, told: str) -> None:
    assert told in component(text)


def windows(text: str) -> str:
    return component(f"{{type: time_of_use, windows: [{text}]}}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        # nights of weekdays and the whole weekend have no price
        ("{name: peak, price: 1, days: weekdays, hours: 9-21}",
         "mon, tue, wed, thu, fri: no price from 0:00 to 9:00; mon, tue, wed, thu, fri: no price from 21:00 to 24:00; sat, sun: no price from 0:00 to 24:00"),
        ("{name: a, price: 1, hours: 0-12}, {name: b, price: 2, hours: 11:30-24}", "two prices from 11:30 to 12:00"),
        ("{name: a, price: 1, hours: 6-22}, {name: b, price: 2, hours: 21-6}", "two prices from 21:00 to 22:00"),
        ("{name: a, price: 1, dates: 03-01..10-31}, {name: b, price: 2, dates: 11-01..02-28}", "sun 02-29..02-29: no price from 0:00 to 24:00"),
        ("{name: a, price: 1, days: weekdays}, {name: b, price: 2, days: [weekend, holidays]}, {name: c, price: 3, days: holidays, hours: 0-1}",
         "holidays: two prices from 0:00 to 1:00"),
        ("{name: a, price: 1, days: weekdays}, {name: b, price: 2, days: weekend}, {name: c, price: 3, days: holidays, hours: 0-23}",
         "holidays: no price from 23:00 to 24:00"),
    ],
)  # fmt: skip
def test_a_day_with_a_hole_or_a_double_price(text: str, told: str) -> None:
    assert told in windows(text)


def version(text: str) -> str:
    return f"  - {{{text}, components: [{{type: flat, price: 1}}]}}\n"


def versions(*texts: str) -> list[str]:
    return problems("versions:\n" + "".join(version(text) for text in texts))


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["from: 2026-01-01", "from: 2026-01-01"], "versions → 1 → from: two versions begin on 2026-01-01"),
        (["from: 2026-01-01, until: 2026-02-01", "from: 2026-03-01"], "versions → 1 → from: leaves a hole after the version before"),
        (["from: 2026-01-01, until: 2026-02-01", "from: 2026-01-15"], "versions → 1 → from: overlaps the version before"),
        (["from: 2026-01-01, until: 2025-02-01"], "ends on 2025-02-01, which is not after it begins"),
        (["from: 2026-02-30"], "versions → 0 → from: expected a date such as 2026-01-01"),
        (["from: 2026-01-01T00:00:00"], "versions → 0 → from: expected an instant with its offset"),
        (["until: 2026-01-01"], "versions → 0 → from: is missing"),
        (["from: 2026-01-01, frm: 1"], 'versions → 0 → frm: unknown option. Did you mean "from"?'),
    ],
)
def test_versions_that_do_not_fit(texts: list[str], told: str) -> None:
    assert told in versions(*texts)[0]


def test_versions_that_meet_or_were_recorded_later_fit() -> None:
    assert versions("from: 2026-01-01, until: 2026-02-01", "from: 2026-02-01", "from: 2026-02-01, recorded: '2026-05-01T00:00:00Z'") == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("netting: {over: slot, carry: kwh}", "carry: only what is left of a bill or a year is carried over as kWh"),
        ("netting: {over: year}", "carry: what is left of a bill within the year is kept as kWh"),
        ("netting: {over: bill, expires_months: 3}", "expires_months: there is nothing that could be left"),
        ("netting: {carry: money, true_up: {price: 1}}", "true_up → price: money that is left is paid out as it is"),
        ("netting: {}", "over: is missing"),
        ("gas: {calorific_values: [{from: 2026-02-01, kwh_per_m3: 11}, {from: 2026-01-01, kwh_per_m3: 11}]}", "2026-01-01 does not come after 2026-02-01"),
        ("gas: {calorific_values: []}", "expected at least one"),
        ("vat: 190", "vat: expected 0 to 100 %, not 190"),
        ("vat_mode: each", "vat_mode: expected total, line or included"),
    ],
)
def test_a_version(text: str, told: str) -> None:
    (only,) = problems(f"components: [{{type: flat, price: 1}}]\n{text}")
    assert told in only


def test_registers_are_not_netted() -> None:
    (only,) = problems("{components: [{type: registers, prices: {t1: 1}}], netting: {over: bill}}")
    assert "registers cannot be netted" in only


def test_versions_and_a_version_at_once() -> None:
    (only,) = problems("versions:\n" + version("from: 2026-01-01") + "vat: 19")
    assert only == "vat: belongs into a version, since there are versions"
    assert problems("name: empty") == ["components: is missing (what is charged, each with its type; or state versions)"]


def test_what_is_wrong_with_versions_is_not_said_to_be_missing(tmp_path: Path) -> None:
    """`ohmstead check` looks again without what was wrong, and then says nothing of what it took away itself."""
    (tmp_path / "configuration.yaml").write_text(dedent("""
        home: {name: House, time_zone: Europe/Berlin}
        tariffs:
          a: {currency: EUR, components: [{type: flat, price: '0,3'}]}
          b:
            currency: EUR
            versions:
              - {from: 2026-01-01, until: 2026-02-01, components: [{type: flat, price: 0.30}]}
              - {from: 2026-03-01, components: [{type: flat, price: 0.3}]}
    """))
    found = [str(problem) for problem in examine.problems(tmp_path).problems]
    assert [text.partition("  ")[2].partition(":")[0] for text in found] == [
        "tariffs → a → components → item 1 → price", "tariffs → b → versions → item 2 → from"]  # fmt: skip


def test_names_are_there_once() -> None:
    (only,) = problems("components: [{type: flat, price: 1}, {type: flat, price: 2}]")
    assert only == "components → 1 → name: there are two components 'flat'; expected a name of its own for each"


def numbers() -> Iterator[Any]:
    yield from (True, None, [], {}, float("inf"), 10**400, "1e5", "", "  ", "--1", "0x10", "1_000")


@pytest.mark.parametrize("value", list(numbers()))
def test_no_such_number_is_a_price(value: Any) -> None:
    with pytest.raises(vol.Invalid):
        registry().check({"currency": "EUR", "components": [{"type": "flat", "price": value}]})


@pytest.mark.parametrize(("value", "price"), [(0.1, "0.1"), (1, "1"), ("0.10", "0.10"), (1e-05, "0.00001"), ("-2.50", "-2.50"), (" 7 ", "7")])
def test_numbers_of_yaml_are_taken_as_they_were_written(value: Any, price: str) -> None:
    checked = registry().check({"currency": "EUR", "components": [{"type": "flat", "price": value}]})
    assert f"{checked['versions'][0]['components'][0]['price']:f}" == price
