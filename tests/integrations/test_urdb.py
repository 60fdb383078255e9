"""Rates of the OpenEI database as tariffs: both forms, exact prices, and every field that cannot be priced named."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ohmstead.core.clock import from_ms, to_ms
from ohmstead.core.errors import Invalid
from ohmstead.integrations.urdb import tariff
from ohmstead.integrations.urdb.schedule import grid, windows
from ohmstead.plugins.tariffs.bill import bill as rounded
from ohmstead.plugins.tariffs.plugin import KINDS
from ohmstead.plugins.tariffs.pricing import price
from ohmstead.plugins.tariffs.registry import Tariffs
from ohmstead.plugins.tariffs.usage import Usage

ZONE, CHICAGO = ZoneInfo("America/Los_Angeles"), ZoneInfo("America/Chicago")
HOUR = 3_600_000
NIGHT, PEAK = [0] * 24, [0] * 16 + [1] * 5 + [0] * 3
SUMMER = [NIGHT] * 5 + [PEAK] * 4 + [NIGHT] * 3
RATE = {  # a time-of-use rate with demand, tiers apart
    "label": "5d1", "utility": "Test Power", "name": "E-TOU", "approved": True, "sector": "Residential", "startdate": 1_767_225_600,
    "energyratestructure": [[{"rate": 0.2, "adj": 0.01, "unit": "kWh"}], [{"rate": 0.35, "unit": "kWh", "max": 1e38}]],
    "energyweekdayschedule": SUMMER, "energyweekendschedule": [NIGHT] * 12,
    "fixedchargefirstmeter": 12.5, "fixedchargeunits": "$/month", "fueladjustmentsmonthly": [0.01] * 6 + [0.02] * 6,
    "mincharge": 20, "minchargeunits": "$/month", "energycomments": "as filed", "coincidentratestructure": [[{"rate": 0}]],
    "demandreactivepowercharge": 0, "fixedchargeeaaddl": None,
}  # fmt: skip


def convert(item: dict[str, Any], **options: Any) -> dict[str, Any]:
    return tariff(json.dumps({"items": [item]}).encode(), **options)


def registry() -> Tariffs:
    found = Tariffs()
    for kind in KINDS:
        found.add_kind(kind.KIND)
    return found


class Steady:
    """So many mWh in each slot."""

    def __init__(self, start: datetime, hours: int, mwh: int) -> None:
        self.start_ms, self.slot_ms, self.mwh = to_ms(start), HOUR, [mwh] * hours
        self.measured_ms, self.estimated_ms, self.reset_ms = [HOUR] * hours, [0] * hours, [0] * hours


def bill(document: dict[str, Any], start: datetime, hours: int, mwh: int) -> dict[str, Fraction]:
    known = registry()
    made = known.compiled("rate", known.check(document))
    usage = Usage((Steady(start, hours, mwh),))  # type: ignore[arg-type]
    priced = price(made, usage, to_ms(start), to_ms(start) + hours * HOUR, ZONE)
    assert not priced.unpriced
    amounts: dict[str, Fraction] = {}
    for line in priced.lines:
        amounts[line.component] = amounts.get(line.component, Fraction(0)) + line.amount
    return amounts


def test_time_of_use_priced_to_the_cent() -> None:
    made = convert(RATE)
    assert (made["name"], made["currency"], made["versions"][0]["from"]) == ("Test Power E-TOU", "USD", "2026-01-01")
    monday = datetime(2026, 7, 6, tzinfo=ZONE)
    amounts = bill(made, monday, 24, 1_000_000)  # a kWh in each hour: 19 at 0.21, 5 at 0.35
    assert amounts["energy"] == 19 * Fraction("0.21") + 5 * Fraction("0.35")
    assert amounts["fuel adjustment"] == 24 * Fraction("0.02")
    assert amounts["fixed charge"] == Fraction("12.5") / 31
    saturday = datetime(2026, 7, 11, tzinfo=ZONE)
    assert bill(made, saturday, 24, 1_000_000)["energy"] == 24 * Fraction("0.21")
    april = datetime(2026, 4, 6, tzinfo=ZONE)
    assert bill(made, april, 24, 1_000_000)["fuel adjustment"] == 24 * Fraction("0.01")


TIERED = """{"items": [{
  "label": "a1", "utility": "Prairie Electric Cooperative", "name": "Residential with demand", "approved": true, "sector": "Residential",
  "startdate": 1735689600, "servicetype": "Bundled", "voltagecategory": "Secondary",
  "energyratestructure": [[{"max": 350, "rate": 0.12345, "unit": "kWh"}, {"max": 800, "rate": 0.14567, "adj": 0.00321, "unit": "kWh"},
                           {"rate": 0.19, "unit": "kWh"}]],
  "flatdemandunit": "kW", "demandwindow": 15, "flatdemandstructure": [[{"rate": 4.25}], [{"rate": 6.5}]],
  "flatdemandmonths": [0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0],
  "fixedchargefirstmeter": 9.75, "fixedchargeunits": "$/month", "mincharge": 15, "minchargeunits": "$/month",
  "fueladjustmentsmonthly": [0.003, 0.003, 0.003, 0.001, 0.001, 0.001, -0.0021, -0.0021, -0.0021, 0, 0, 0]
}]}"""
SCHEDULED = """{"items": [{
  "label": "b1", "utility": "Lake City Power", "name": "Time of day", "startdate": "2025-11-01", "dgrules": "Net Billing Instantaneous",
  "energyratestructure": [[{"rate": 0.07135, "sell": 0.05}],
                          [{"rate": 0.1102, "adj": 0.0033, "max": 300, "sell": 0.05}, {"rate": 0.1319, "sell": 0.05}],
                          [{"rate": 0.2875, "adj": 0.0125, "sell": 0.05}], [{"rate": 0.5, "sell": 0.05}]],
  "energyweekdayschedule": [%(winter)s, %(winter)s, %(spring)s, %(spring)s, %(spring)s, %(summer)s, %(summer)s, %(summer)s, %(spring)s,
                            %(spring)s, %(spring)s, %(winter)s],
  "energyweekendschedule": [%(rest)s, %(rest)s, %(rest)s, %(rest)s, %(rest)s, %(rest)s, %(rest)s, %(rest)s, %(rest)s, %(rest)s, %(rest)s, %(rest)s],
  "demandratestructure": [[{"rate": 0}], [{"rate": 7.1, "adj": 0.25}], [{"rate": 12}]], "demandrateunit": "kW", "demandwindow": 60,
  "demandweekdayschedule": [%(busy)s, %(busy)s, %(busy)s, %(busy)s, %(busy)s, %(hot)s, %(hot)s, %(hot)s, %(busy)s, %(busy)s, %(busy)s, %(busy)s],
  "demandweekendschedule": [%(calm)s, %(calm)s, %(calm)s, %(calm)s, %(calm)s, %(calm)s, %(calm)s, %(calm)s, %(calm)s, %(calm)s, %(calm)s, %(calm)s],
  "fixedchargefirstmeter": 0.41, "fixedchargeunits": "$/day"
}]}""" % {  # noqa: UP031
    "winter": [1] * 24, "spring": [0] * 6 + [1] * 8 + [2] * 5 + [1] * 3 + [0] * 2, "summer": [3] * 24, "rest": [0] * 10 + [1] * 10 + [0] * 4,
    "calm": [0] * 24, "busy": [0] * 12 + [1] * 8 + [0] * 4, "hot": [0] * 12 + [2] * 8 + [0] * 4,
}  # fmt: skip


def month(start: datetime, by_hour: Callable[[datetime], str], odd: dict[datetime, tuple[str, ...]]) -> Steady:
    """A month in quarters of an hour: so many kWh in each hour, and four quarters of some."""
    following = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    found = Steady(start, 0, 0)
    found.slot_ms, found.mwh = HOUR // 4, []
    for at_ms in range(to_ms(start), to_ms(following), HOUR):
        at = from_ms(at_ms).astimezone(start.tzinfo)
        quarters = odd.get(at) or [str(Fraction(by_hour(at)) / 4)] * 4
        found.mwh += [int(Fraction(each) * 1_000_000) for each in quarters]
    found.measured_ms, found.estimated_ms, found.reset_ms = [HOUR // 4] * len(found.mwh), [0] * len(found.mwh), [0] * len(found.mwh)
    return found


def printed(rate: str, imported: Steady, exported: Steady | None = None) -> tuple[dict[str, str], str]:
    """The lines and the total of that month's bill, as printed."""
    known, end_ms = registry(), imported.start_ms + imported.slot_ms * len(imported.mwh)
    made = known.compiled("rate", known.check(tariff(rate.encode())))
    usage = Usage((imported,), () if exported is None else (exported,))  # type: ignore[arg-type]
    priced = price(made, usage, imported.start_ms, end_ms, CHICAGO)
    assert not priced.unpriced
    sheet = rounded(priced)
    return {f"{each.line.component} {each.line.label}".strip(): str(each.printed) for each in sheet.lines}, str(sheet.total)


def test_a_month_of_tiers_and_demand_by_hand() -> None:
    def use(at: datetime) -> str:
        return "0.4" if at.hour < 7 else "0.9" if at.hour < 17 else "2.1" if at.hour < 22 else "0.6"

    july = month(datetime(2026, 7, 1, tzinfo=CHICAGO), use, {datetime(2026, 7, 15, 18, tzinfo=CHICAGO): ("1.0", "2.6", "1.7", "1.0")})
    # A day has 7 × 0.4 + 10 × 0.9 + 5 × 2.1 + 2 × 0.6 = 23.5 kWh, 31 of them 728.5; one hour of 6.3 instead of 2.1: 732.7 kWh.
    # Energy: 350 × 0.12345 = 43.2075; 382.7 × (0.14567 + 0.00321) = 56.976376. The third tier is not reached.
    # Demand: 2.6 kWh in a quarter of an hour are 10.4 kW, × 6.50 of the summer = 67.60. Fuel: 732.7 × −0.0021 = −1.53867.
    lines, total = printed(TIERED, july)
    assert lines == {
        "energy tier 1": "43.21", "energy tier 2": "56.98", "fuel adjustment period 3": "-1.54", "demand of season 2 2026-07": "67.60",
        "fixed charge": "9.75",
    }  # fmt: skip
    assert total == "176.00"  # 43.21 + 56.98 − 1.54 + 67.60 + 9.75, above the least of 15


def test_a_month_of_weekdays_and_weekends_by_hand() -> None:
    def use(at: datetime) -> str:
        if at.weekday() >= 5:
            return "0.5" if at.hour < 10 else "1.7" if at.hour < 20 else "0.8"
        return "0.4" if at.hour < 6 else "1.1" if at.hour < 14 else "2.5" if at.hour < 19 else "1.3" if at.hour < 22 else "0.6"

    start = datetime(2026, 3, 1, tzinfo=CHICAGO)
    odd = {datetime(2026, 3, 10, 15, tzinfo=CHICAGO): ("1.0", "1.5", "0.5", "0.5"), datetime(2026, 3, 14, 12, tzinfo=CHICAGO): ("2", "1", "1", "1")}
    lines, total = printed(SCHEDULED, month(start, use, odd), month(start, lambda at: "0.7" if at.hour == 12 else "0", {}))
    # March 2026 has 22 weekdays and 9 days of weekends, of which the 8th has no hour from 2 to 3.
    # Period 1: 22 × (6 × 0.4 + 2 × 0.6) + 9 × (10 × 0.5 + 4 × 0.8) − 0.5 = 79.2 + 73.8 − 0.5 = 152.5 kWh × 0.07135 = 10.880875.
    # Period 2: 22 × (8 × 1.1 + 3 × 1.3) + 9 × 10 × 1.7 + (5 − 1.7 on the 14th) = 279.4 + 153 + 3.3 = 435.7 kWh:
    #   300 × 0.1135 = 34.05 and 135.7 × 0.1319 = 17.89883.
    # Period 3: 22 × 5 × 2.5 + (3.5 − 2.5 on the 10th) = 276 kWh × 0.30 = 82.80. Period 4 is that of the summer.
    # Demand of weekdays from 12 to 20: 3.5 kWh in the hour of the 10th (the 5 of Saturday do not count), × 7.35 = 25.725.
    # Fixed: 31 × 0.41 = 12.71. Export: 31 × 0.7 = 21.7 kWh × 0.05 = 1.085.
    assert lines == {
        "energy 1": "10.88", "energy 2 tier 1": "34.05", "energy 2 tier 2": "17.90", "energy 3": "82.80", "export": "-1.09",
        "demand 2 2026-03": "25.73", "fixed charge": "12.71",
    }  # fmt: skip
    assert total == "182.98"


def test_the_least_is_reached() -> None:
    start = datetime(2026, 2, 1, tzinfo=ZONE)
    amounts = bill(convert(RATE), start, 28 * 24, 1_000)  # 0.672 kWh
    assert sum(amounts.values()) == 20


def test_tiers_for_the_month_and_for_its_days() -> None:
    tiers = [{"rate": 0.1, "max": 300}, {"rate": 0.2, "max": 500, "adj": 0.05}, {"rate": 0.4}]
    plain = {"name": "tiered", "startdate": "2026-01-01", "energyratestructure": [tiers]}
    start = datetime(2026, 2, 1, tzinfo=ZONE)
    assert bill(convert(plain), start, 672, 1_000_000) == {"energy": 300 * Fraction("0.1") + 200 * Fraction("0.25") + 172 * Fraction("0.4")}
    daily = {**plain, "energyratestructure": [[{**tiers[0], "max": 10, "unit": "kWh daily"}, {"rate": 0.4, "unit": "kWh daily"}]]}
    assert bill(convert(daily), start, 672, 1_000_000) == {"energy": 280 * Fraction("0.1") + 392 * Fraction("0.4")}


def test_tiers_of_periods_count_each_its_own_energy() -> None:
    item = {**RATE, "energyratestructure": [[{"rate": 0.1, "max": 100}, {"rate": 0.2}], [{"rate": 0.5}]], "mincharge": 0, "fueladjustmentsmonthly": []}
    july = bill(convert(item), datetime(2026, 7, 1, tzinfo=ZONE), 744, 1_000_000)
    peak = 23 * 5  # weekdays of July 2026
    assert july["energy 1"] == 100 * Fraction("0.1") + (744 - peak - 100) * Fraction("0.2")
    assert july["energy 2"] == peak * Fraction("0.5")


def test_demand_by_month_and_by_period() -> None:
    item = {"name": "d", "startdate": "2026-01-01", "energyratestructure": [[{"rate": 0}]], "flatdemandstructure": [[{"rate": 3}], [{"rate": 5, "adj": 1}]],
            "flatdemandmonths": [0] * 6 + [1] * 6, "flatdemandunit": "kW", "demandratestructure": [[{"rate": 0}], [{"rate": 10}]],
            "demandweekdayschedule": SUMMER, "demandweekendschedule": [NIGHT] * 12, "demandwindow": 60}  # fmt: skip
    components = convert(item)["versions"][0]["components"]
    assert [(each["name"], each.get("price"), each.get("window")) for each in components if each["type"] == "capacity"] == [
        ("demand of season 1", "3", 60), ("demand of season 2", "6", 60), ("demand 2", "10", 60)]  # fmt: skip
    assert components[-1]["when"] == [{"dates": ["06-01..09-30"], "days": ["weekdays"], "hours": ["16-21"]}]


def test_the_flat_old_form_counts_periods_from_1() -> None:
    weekday = "".join("1" * 8 + "2" * 14 + "1" * 2 for _ in range(12))
    old = {"label": "Data:0998", "name": "A-6", "utility": "Old Power", "startdate": "2011-01-01", "version": 1.5, "usenetmetering": "false",
           "fixedmonthlycharge": 8.9, "demandrateunit": "kW", "demandweekdayschedule": "1" * 288, "demandweekendschedule": "1" * 288,
           "demandratchetpercentage": 0, "energyrateunit": "kWh", "energyweekdayschedule": weekday, "energyweekendschedule": "1" * 288,
           "energydrdayschedule": weekday, "uri": "http://en.openei.org/x", "type": "Utility_Rates",
           "energyratestructure/period2/period": 2, "energyratestructure/period2/tier1rate": 0.15534, "energyratestructure/period2/tier1sell": 0.15534,
           "energyratestructure/period1/period": 1, "energyratestructure/period1/tier1rate": 0.12768, "energyratestructure/period1/tier1sell": 0.12768,
           }  # fmt: skip
    made = convert(old)
    amounts = bill(made, datetime(2026, 7, 6, tzinfo=ZONE), 24, 1_000_000)
    assert amounts["energy"] == 10 * Fraction("0.12768") + 14 * Fraction("0.15534")
    assert next(each for each in made["versions"][0]["components"] if each["name"] == "export")["direction"] == "export"


def test_every_field_that_cannot_be_priced_is_named_at_once() -> None:
    wrong = {
        **RATE, "demandratchetpercentage": [0.8] * 12, "demandreactivepowercharge": 0.3, "coincidentratestructure": [[{"rate": 1}]],
        "someday": 3, "fixedchargeunits": "$/week", "minchargeunits": "$/hour", "dgrules": "Barter", "country": "CAN",
        "energyratestructure": [[{"rate": 0.2, "unit": "kWh/kW"}], [{"rate": "0,3", "bonus": 1}]], "fueladjustmentsmonthly": [1, 2],
        "flatdemandstructure": [[{"rate": 1, "max": 5}, {"rate": 2}]], "flatdemandunit": "hp", "demandwindow": 7,
        "energydrdayschedule": [PEAK] * 12,
    }  # fmt: skip
    with pytest.raises(Invalid) as refusal:
        convert(wrong)
    assert {each["path"] for each in refusal.value.details} == {
        "demandratchetpercentage", "demandreactivepowercharge", "coincidentratestructure", "someday", "fixedchargeunits", "minchargeunits",
        "dgrules", "country", "energyratestructure[0][0].unit", "energyratestructure[1][0].rate", "energyratestructure[1][0].bonus",
        "fueladjustmentsmonthly", "flatdemandstructure[0]", "flatdemandunit", "demandwindow", "energydrdayschedule",
    }  # fmt: skip


@pytest.mark.parametrize(("change", "path"), [
    ({"startdate": None}, "startdate"), ({"startdate": "soon"}, "startdate"),
    ({"energyweekdayschedule": [NIGHT] * 11}, "energyweekdayschedule"), ({"energyweekendschedule": [[7] * 24] * 12}, "energyweekendschedule"),
    ({"energyratestructure": [[{"rate": 1e12}], [{"rate": 1}]]}, "energyratestructure[0][0].rate"),
    ({"energyratestructure": [[{"rate": 1, "max": 5}], [{"rate": 1, "max": 5}, {"rate": 2, "max": 9}]]}, "energyratestructure[1][1].max"),
    ({"energyratestructure": "peak"}, "energyratestructure"), ({"energyratestructure": [[{"adj": None}], [{"rate": 1}]]}, "energyratestructure[0][0].rate"),
])  # fmt: skip
def test_what_else_is_refused(change: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid) as refusal:
        convert({**RATE, **change})
    assert path in {each["path"] for each in refusal.value.details}


def test_one_rate_is_chosen_by_its_label() -> None:
    two = json.dumps({"items": [RATE, {**RATE, "label": "5d2", "name": "other"}]}).encode()
    with pytest.raises(Invalid, match=r"5d1 \(E-TOU\), 5d2 \(other\)"):
        tariff(two)
    assert tariff(two, label="5d2")["name"] == "Test Power other"
    assert tariff(json.dumps({**RATE, "startdate": None}).encode(), start=date(2026, 3, 1))["versions"][0]["from"] == "2026-03-01"
    ended = convert({**RATE, "enddate": to_ms(datetime(2026, 12, 31, tzinfo=UTC)) // 1000})
    assert ended["versions"][0]["until"] == "2027-01-01"
    for broken in (b"no json", b"[]", b"[" * 100_000):
        with pytest.raises(Invalid):
            tariff(broken)


def test_windows_hold_every_hour_once() -> None:
    weekday = grid([[(month * hour) % 4 for hour in range(24)] for month in range(12)], 0)
    weekend = grid([[(month + hour) % 3 for hour in range(24)] for month in range(12)], 0)
    rows = [{"name": str(period), "price": "1", **window} for period, found in windows(weekday, weekend).items() for window in found]
    component = {"type": "time_of_use", "windows": rows}
    registry().check({"name": "x", "currency": "USD", "versions": [{"from": "2026-01-01", "components": [component]}]})
