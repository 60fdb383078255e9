"""Bills worked out by hand: every comment says how its figures come about."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from ohmstead.plugins.tariffs.bill import bill
from ohmstead.plugins.tariffs.prices.timeline import Span, Timeline
from ohmstead.plugins.tariffs.usage import Usage
from tests.fakes.tariffs import BERLIN, ms, plain, priced, sheet, steady, tariff, told

PEAK = """
components:
  - type: time_of_use
    name: energy
    windows:
      - {name: peak, price: 0.25, days: weekdays, hours: 9-21}
      - {name: off-peak, price: 0.15, days: weekdays, hours: 21-9}
      - {name: weekend, price: 0.12, days: weekend}
"""


def test_flat() -> None:
    # 1 kW for the 31 days of January: 744 kWh × 0.30 = 223.20
    assert told(priced("components: [{type: flat, price: 0.30}]", "2026-01-01", "2026-02-01", steady("2026-01-01", "2026-02-01", 1000))) == [
        "flat: 744 kWh × 0.3 = 223.2"
    ]


def test_a_week_of_peak_off_peak_and_weekend() -> None:
    # Mon 2026-01-05 to Sun 2026-01-11, 1 kW: peak 5 × 12 h × 0.25 = 15; off-peak 5 × 12 h × 0.15 = 9; weekend 48 h × 0.12 = 5.76
    found = priced(PEAK, "2026-01-05", "2026-01-12", steady("2026-01-05", "2026-01-12", 1000))
    assert told(found) == ["energy peak: 60 kWh × 0.25 = 15", "energy off-peak: 60 kWh × 0.15 = 9", "energy weekend: 48 kWh × 0.12 = 5.76"]
    assert [line.slots for line in found.lines] == [240, 240, 192]
    assert str(bill(found).total) == "29.76"


def test_a_holiday_is_a_day_of_its_own_where_the_windows_say_so() -> None:
    # Tue 2026-01-06 is a holiday: 24 h × 0.12 = 2.88; the Wednesday is 12 h × 0.25 + 12 h × 0.15 = 3 + 1.8
    text = PEAK.replace("days: weekend", "days: [weekend, holidays]") + "holidays: [2026-01-06]"
    found = priced(text, "2026-01-06", "2026-01-08", steady("2026-01-06", "2026-01-08", 1000))
    assert told(found) == ["energy peak: 12 kWh × 0.25 = 3", "energy off-peak: 12 kWh × 0.15 = 1.8", "energy weekend: 24 kWh × 0.12 = 2.88"]


def test_a_holiday_is_its_day_of_the_week_where_no_window_speaks_of_holidays() -> None:
    found = priced(PEAK + "holidays: [2026-01-06]", "2026-01-06", "2026-01-07", steady("2026-01-06", "2026-01-07", 1000))
    assert told(found) == ["energy peak: 12 kWh × 0.25 = 3", "energy off-peak: 12 kWh × 0.15 = 1.8"]


def test_seasons_over_the_end_of_the_year() -> None:
    # 31 Oct is summer: 24 × 0.20; 1 Nov and 28 and 29 Feb 2028 are winter; 1 Mar is summer again
    text = """
    components:
      - type: time_of_use
        windows:
          - {name: winter, price: 0.30, dates: 11-01..02-29}
          - {name: summer, price: 0.20, dates: 03-01..10-31}
    """
    assert told(priced(text, "2026-10-31", "2026-11-02", steady("2026-10-31", "2026-11-02", 1000))) == [
        "time_of_use winter: 24 kWh × 0.3 = 7.2", "time_of_use summer: 24 kWh × 0.2 = 4.8",
    ]  # fmt: skip
    assert told(priced(text, "2028-02-28", "2028-03-02", steady("2028-02-28", "2028-03-02", 1000))) == [
        "time_of_use winter: 48 kWh × 0.3 = 14.4", "time_of_use summer: 24 kWh × 0.2 = 4.8",
    ]  # fmt: skip


NIGHT = """
components:
  - type: time_of_use
    windows:
      - {name: night, price: 0.10, hours: 0-6}
      - {name: day, price: 0.30, hours: 6-24}
"""


@pytest.mark.parametrize(
    ("zone", "day", "following", "night", "daytime"),
    [
        # the hour from 2 to 3 is not there: 5 h × 0.10 and 18 h × 0.30
        ("Europe/Berlin", "2026-03-29", "2026-03-30", "5 kWh × 0.1 = 0.5", "18 kWh × 0.3 = 5.4"),
        # the hour from 2 to 3 is there twice: 7 h × 0.10
        ("Europe/Berlin", "2026-10-25", "2026-10-26", "7 kWh × 0.1 = 0.7", "18 kWh × 0.3 = 5.4"),
        ("America/New_York", "2026-03-08", "2026-03-09", "5 kWh × 0.1 = 0.5", "18 kWh × 0.3 = 5.4"),
        ("America/New_York", "2026-11-01", "2026-11-02", "7 kWh × 0.1 = 0.7", "18 kWh × 0.3 = 5.4"),
        # half an hour: 2:00 becomes 2:30 in October, 2:00 becomes 1:30 in April
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-05", "5.5 kWh × 0.1 = 0.55", "18 kWh × 0.3 = 5.4"),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-06", "6.5 kWh × 0.1 = 0.65", "18 kWh × 0.3 = 5.4"),
        # +5:45 all year: 18:15 UTC is midnight
        ("Asia/Kathmandu", "2026-04-05", "2026-04-06", "6 kWh × 0.1 = 0.6", "18 kWh × 0.3 = 5.4"),
    ],
)
def test_days_on_which_the_clocks_change(zone: str, day: str, following: str, night: str, daytime: str) -> None:
    place = ZoneInfo(zone)
    assert told(priced(NIGHT, day, following, steady(day, following, 1000, place), place)) == [
        f"time_of_use night: {night}", f"time_of_use day: {daytime}",
    ]  # fmt: skip


def test_registers() -> None:
    # t1 counts 3 kWh × 0.30 = 0.90, t2 counts 1 kWh × 0.20 = 0.20; of the 5 kWh imported 1 has no register
    start = ms("2026-01-01")
    usage = Usage([sheet(start, [5_000_000])], registers={"t1": [sheet(start, [3_000_000])], "t2": [sheet(start, [1_000_000])]})
    found = priced("components: [{type: registers, prices: {t1: 0.30, t2: 0.20}}]", "2026-01-01", "2026-01-02", usage)
    assert told(found) == ["registers t1: 3 kWh × 0.3 = 0.9", "registers t2: 1 kWh × 0.2 = 0.2"]
    assert [(each.mwh, each.reason) for each in found.unpriced] == [(1_000_000, "no register")]


TIERS = "components: [{type: tiers, period: month, tiers: [{up_to: 100, price: 0.20}, {up_to: 150, price: 0.30}, {price: 0.40}]}]"


def test_tiers_split_the_slot_they_cross_exactly() -> None:
    # 3 slots of 60 kWh: 60 + 40 in tier 1, 20 + 30 in tier 2, 30 in tier 3: 100 × 0.20 + 50 × 0.30 + 30 × 0.40 = 20 + 15 + 12
    found = priced(TIERS, "2026-01-01", "2026-02-01", sheet(ms("2026-01-01"), [60_000_000] * 3))
    assert told(found) == ["tiers tier 1: 100 kWh × 0.2 = 20", "tiers tier 2: 50 kWh × 0.3 = 15", "tiers tier 3: 30 kWh × 0.4 = 12"]
    opened = [[plain(each.quantity) for each in line.opened()] for line in found.lines]
    assert opened == [["60", "40"], ["20", "30"], ["30"]]


def test_one_slot_that_fills_all_tiers() -> None:
    found = priced(TIERS, "2026-01-01", "2026-02-01", sheet(ms("2026-01-01"), [0, 200_000_000, 0]))
    assert [[plain(each.quantity) for each in line.opened()] for line in found.lines] == [["0", "100"], ["50"], ["50", "0"]]


def test_tiers_begin_again_with_every_period_and_go_on_from_bill_to_bill() -> None:
    # bills from the 15th: 80 kWh on 20 Jan; 80 kWh on 25 Jan cross 100 in the second bill; 80 kWh on 2 Feb begin anew
    one = priced(TIERS, "2026-01-15", "2026-01-22", sheet(ms("2026-01-20"), [80_000_000]))
    two = sheet(ms("2026-01-25"), [80_000_000]), sheet(ms("2026-02-02"), [80_000_000])
    found = priced(TIERS, "2026-01-22", "2026-02-15", Usage(two), carry=one.carry)
    # 20 + 80 in tier 1 = 20.00; 50 in tier 2 = 15.00; 10 in tier 3 = 4.00
    assert told(found) == ["tiers tier 1: 100 kWh × 0.2 = 20", "tiers tier 2: 50 kWh × 0.3 = 15", "tiers tier 3: 10 kWh × 0.4 = 4"]


def test_tiers_go_on_across_a_change_of_version_with_the_new_thresholds() -> None:
    # January has 120 kWh by the 16th under the old limit of 100: 100 × 0.20 + 20 × 0.30.
    # From the 16th the limit is 150: of 60 kWh more, 30 are below it at 0.22, and 30 above it at 0.33.
    found = priced("""
    versions:
      - {from: 2026-01-01, components: [{type: tiers, period: month, tiers: [{up_to: 100, price: 0.20}, {price: 0.30}]}]}
      - {from: 2026-01-16, components: [{type: tiers, period: month, tiers: [{up_to: 150, price: 0.22}, {price: 0.33}]}]}
    """, "2026-01-01", "2026-02-01", Usage([sheet(ms("2026-01-02"), [120_000_000]), sheet(ms("2026-01-20"), [60_000_000])]))  # fmt: skip
    assert told(found) == [
        "tiers tier 1: 100 kWh × 0.2 = 20", "tiers tier 2: 20 kWh × 0.3 = 6",
        "tiers tier 1: 30 kWh × 0.22 = 6.6", "tiers tier 2: 30 kWh × 0.33 = 9.9",
    ]  # fmt: skip
    assert [line.version for line in found.lines] == ["2026-01-01", "2026-01-01", "2026-01-16", "2026-01-16"]


def test_tiers_shrink_with_the_days_only_where_the_contract_says_so() -> None:
    # 10 of the 31 days of January: 310 kWh × 10/31 = 100 kWh in the first tier
    text = "components: [{type: tiers, period: month, prorate: %s, tiers: [{up_to: 310, price: 0.20}, {price: 0.30}]}]"
    used = sheet(ms("2026-01-02"), [150_000_000])
    assert told(priced(text % "true", "2026-01-01", "2026-01-11", used)) == ["tiers tier 1: 100 kWh × 0.2 = 20", "tiers tier 2: 50 kWh × 0.3 = 15"]
    assert told(priced(text % "false", "2026-01-01", "2026-01-11", used)) == ["tiers tier 1: 150 kWh × 0.2 = 30"]


def test_daily_allowances() -> None:
    # 8 kWh free each day: of 10 kWh on the first day 2 are paid, of 5 on the second none
    daily = "components: [{type: tiers, period: day, tiers: [{up_to: 8, price: 0}, {price: 0.50}]}]"
    used = Usage([sheet(ms("2026-01-01"), [10_000_000]), sheet(ms("2026-01-02"), [5_000_000])])
    assert told(priced(daily, "2026-01-01", "2026-01-03", used)) == ["tiers tier 1: 13 kWh × 0 = 0", "tiers tier 2: 2 kWh × 0.5 = 1"]
    # the same allowance over the days of the bill: 2 × 8 = 16 kWh, none of the 15 is paid
    billed = daily.replace("period: day", "period: bill, per: day")
    assert told(priced(billed, "2026-01-01", "2026-01-03", used)) == ["tiers tier 1: 15 kWh × 0 = 0"]


def test_dynamic_prices_negative_ones_and_slots_without() -> None:
    # hours of 1 kW at 0.10, -0.05 and 0.20: (0.10 + 0.02) + (-0.05 + 0.02) + (0.20 + 0.02) = 0.31 for 3 kWh; the fourth has no price
    start, hour = ms("2026-01-01"), 3_600_000
    series = Timeline.of(Span(start + n * hour, start + (n + 1) * hour, p * 10**10) for n, p in enumerate([10, -5, 20]))
    found = priced("components: [{type: dynamic, series: spot, adder: 0.02}]", "2026-01-01", "2026-01-01T04:00",
                   steady("2026-01-01", "2026-01-01T04:00", 1000), prices={"spot": series})  # fmt: skip
    assert told(found) == ["dynamic spot: 3 kWh × 31/300 = 0.31"]
    assert [(each.start_ms - start, each.slots, each.mwh, each.reason) for each in found.unpriced] == [(3 * hour, 4, 1_000_000, "no price")]
    assert [plain(each.price) for each in found.lines[0].opened()][::4] == ["0.12", "-0.03", "0.22"]


def test_dynamic_prices_with_factor() -> None:
    # 2 kWh × (0.10 × 1.19 + 0.05) = 2 × 0.169
    start = ms("2026-01-01")
    found = priced("components: [{type: dynamic, series: spot, factor: 1.19, adder: 0.05}]", "2026-01-01", "2026-01-02",
                   sheet(start, [2_000_000]), prices={"spot": Timeline.of([Span(start, start + 86_400_000, 10**11)])})  # fmt: skip
    assert told(found) == ["dynamic spot: 2 kWh × 0.169 = 0.338"]


def test_a_series_that_is_not_there_prices_nothing() -> None:
    found = priced("components: [{type: dynamic, series: spot}]", "2026-01-01", "2026-01-02", steady("2026-01-01", "2026-01-02", 1000))
    assert (found.lines, [(each.slots, each.mwh) for each in found.unpriced]) == ((), [(96, 24_000_000)])


def test_capacity_never_takes_a_window_with_missing_parts() -> None:
    # Quarter hours of 1, 2, (missing) and 1.5 kWh: 2 kWh in 15 minutes are 8 kW, × 5 = 40.00.
    # The missing one may have been higher; nobody knows, so it is listed.
    start = ms("2026-01-01")
    day = sheet(start, [1_000_000, 2_000_000, 9_000_000, 1_500_000], missing=[2])
    found = priced("components: [{type: capacity, price: 5}]", "2026-01-01", "2026-02-01", day)
    assert told(found) == ["capacity 2026-01: 8 kW × month × 5 = 40"]
    assert [(each.start_ms - start, each.windows) for each in found.excluded] == [(1_800_000, 1)]
    # over 60 minutes the hour has a missing part: no complete window, no price
    hourly = priced("components: [{type: capacity, price: 5, window: 60}]", "2026-01-01", "2026-02-01", day)
    assert (hourly.lines, [each.reason for each in hourly.unpriced], len(hourly.excluded)) == ((), ["no complete window"], 1)


def test_capacity_takes_the_mean_of_the_highest_on_different_days() -> None:
    # 1 Jan: 12 and 11 kW, 2 Jan: 10 kW, 3 Jan: 6 kW (mWh of 15 minutes). Two highest: 11.5; on different days: (12 + 10) / 2 = 11.
    days = [sheet(ms("2026-01-01"), [3_000_000, 2_750_000]), sheet(ms("2026-01-02"), [2_500_000]), sheet(ms("2026-01-03"), [1_500_000])]
    text = "components: [{type: capacity, price: 2, peaks: 2, different_days: %s}]"
    assert told(priced(text % "false", "2026-01-01", "2026-02-01", Usage(days))) == ["capacity 2026-01: 11.5 kW × month × 2 = 23"]
    assert told(priced(text % "true", "2026-01-01", "2026-02-01", Usage(days))) == ["capacity 2026-01: 11 kW × month × 2 = 22"]


def test_capacity_of_a_season_costs_nothing_outside_of_it() -> None:
    # June to September only: July's 2 kW × 5 = 10; in January nothing, and nothing is missing; in September without data it is
    text = "components: [{type: capacity, price: 5, when: [{dates: 06-01..09-30}]}]"
    assert told(priced(text, "2026-07-01", "2026-08-01", steady("2026-07-01", "2026-08-01", 2000))) == ["capacity 2026-07: 2 kW × month × 5 = 10"]
    january = priced(text, "2026-01-01", "2026-02-01", steady("2026-01-01", "2026-02-01", 2000))
    assert (january.lines, january.unpriced) == ((), ())
    assert [each.reason for each in priced(text, "2026-09-01", "2026-10-01", Usage([])).unpriced] == ["no complete window"]
    # a floor is a floor all year: 2.5 kW × 5
    floor = text.replace("price: 5", "price: 5, floor_kw: 2.5")
    assert told(priced(floor, "2026-01-01", "2026-02-01", steady("2026-01-01", "2026-02-01", 2000))) == ["capacity 2026-01: 2.5 kW × month × 5 = 12.5"]


def test_capacity_counts_certain_hours() -> None:
    # 20 kW at 7:00 do not count, 6 kW at 8:00 do
    used = Usage([sheet(ms("2026-01-05T07:00"), [5_000_000]), sheet(ms("2026-01-05T08:00"), [1_500_000])])
    found = priced("components: [{type: capacity, price: 1, when: {days: weekdays, hours: 8-20}}]", "2026-01-01", "2026-02-01", used)
    assert told(found) == ["capacity 2026-01: 6 kW × month × 1 = 6"]


FLANDERS = "components: [{type: capacity, price: 50, per: year, floor_kw: 2.5, average: 12}]"


def test_capacity_with_a_floor_and_the_mean_of_the_last_monthly_peaks() -> None:
    # January 4 kW, February 1 kW, which counts 2.5: January bills 4, February (4 + 2.5) / 2 = 3.25, by their days of 365
    january = priced(FLANDERS, "2026-01-01", "2026-02-01", sheet(ms("2026-01-10"), [1_000_000]))
    assert told(january) == ["capacity 2026-01: 124/365 kW × year × 50 = 1240/73"]  # 4 × 31/365
    february = priced(FLANDERS, "2026-02-01", "2026-03-01", sheet(ms("2026-02-10"), [250_000]), carry=january.carry)
    assert told(february) == ["capacity 2026-02: 91/365 kW × year × 50 = 910/73"]  # 3.25 × 28/365


def test_capacity_with_a_ratchet() -> None:
    # January 10 kW; February 2 kW, but at least 80 % of the highest of the 11 months before: 8
    text = "components: [{type: capacity, price: 3, ratchet: {percent: 80, periods: 11}}]"
    january = priced(text, "2026-01-01", "2026-02-01", sheet(ms("2026-01-10"), [2_500_000]))
    february = priced(text, "2026-02-01", "2026-03-01", sheet(ms("2026-02-10"), [500_000]), carry=january.carry)
    assert told(january) + told(february) == ["capacity 2026-01: 10 kW × month × 3 = 30", "capacity 2026-02: 8 kW × month × 3 = 24"]


def test_capacity_of_a_month_that_two_versions_share() -> None:
    # 4 kW on 20 January: 10 of 31 days at 3.10, 21 of 31 at 6.20: 40/31 × 3.10 = 4.00 and 84/31 × 6.20 = 16.80
    found = priced("""
    versions:
      - {from: 2026-01-01, components: [{type: capacity, price: 3.10}]}
      - {from: 2026-01-11, components: [{type: capacity, price: 6.20}]}
    """, "2026-01-01", "2026-02-01", sheet(ms("2026-01-20"), [1_000_000]))  # fmt: skip
    assert told(found) == ["capacity 2026-01: 40/31 kW × month × 3.1 = 4", "capacity 2026-01: 84/31 kW × month × 6.2 = 16.8"]


def test_an_hour_that_the_change_of_the_clocks_cuts_has_its_own_length() -> None:
    # Lord Howe, 2026-04-05: 2:00 becomes 1:30. 1:00–2:00, then 1:30–2:00 again, half an hour long: 3 kWh in it are 6 kW.
    zone = ZoneInfo("Australia/Lord_Howe")
    start = ms("2026-04-05T01:00", zone)
    found = priced("components: [{type: capacity, price: 1, window: 60}]", "2026-04-01", "2026-05-01",
                   sheet(start, [1_000_000] * 4 + [1_500_000] * 2 + [1_000_000] * 4), zone)  # fmt: skip
    assert told(found) == ["capacity 2026-04: 6 kW × month × 1 = 6"]


def test_an_hour_that_the_data_cut_is_not_complete() -> None:
    # 9:30 to 10:00 at 8 kW are half an hour of which nobody knows the other half; 10:00 to 11:00 are 4 kW
    used = sheet(ms("2026-01-05T09:30"), [2_000_000] * 2 + [1_000_000] * 4)
    found = priced("components: [{type: capacity, price: 1, window: 60}]", "2026-01-01", "2026-02-01", used)
    assert told(found) == ["capacity 2026-01: 4 kW × month × 1 = 4"]
    assert [(each.start_ms - ms("2026-01-05"), each.windows) for each in found.excluded] == [(34_200_000, 1)]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("per: day, price: 0.40", "31 day × 0.4 = 12.4"),
        ("per: month, price: 9.30", "65/62 month × 9.3 = 9.75"),
        ("per: year, price: 73", "31/365 year × 73 = 6.2"),
        ("per: month, price: 9.30, prorate: '365'", "372/365 month × 9.3 = 17298/1825"),
        ("per: month, price: 9.30, prorate: whole", "1 month × 9.3 = 9.3"),
    ],
)
def test_standing_charges(options: str, line: str) -> None:
    # 15 Jan to 15 Feb: 31 days; 17 of 31 and 14 of 28 days are 17/31 + 1/2 = 65/62 months; one first of a month lies in it
    found = priced(f"components: [{{type: standing, {options}}}]", "2026-01-15", "2026-02-15", Usage())
    assert told(found) == [f"standing: {line}"]


def test_standing_charges_of_two_versions() -> None:
    # 10 of 31 days at 6.20 are 2.00, 21 of 31 at 9.30 are 6.30
    found = priced("""
    versions:
      - {from: 2026-01-01, components: [{type: standing, per: month, price: 6.20}]}
      - {from: 2026-01-11, components: [{type: standing, per: month, price: 9.30}]}
    """, "2026-01-01", "2026-02-01", Usage())  # fmt: skip
    assert [plain(line.amount) for line in found.lines] == ["2", "6.3"]


def test_a_minimum_charge() -> None:
    # 20 kWh × 0.30 = 6; the least is 10: 4 more. At 40 kWh there is no such line.
    text = """
    components:
      - {type: flat, name: energy, price: 0.30}
      - {type: minimum, price: 10, per: month, of: energy}
    """
    assert told(priced(text, "2026-01-01", "2026-02-01", sheet(ms("2026-01-10"), [20_000_000])))[1:] == ["minimum: 1 bill × 4 = 4"]
    assert told(priced(text, "2026-01-01", "2026-02-01", sheet(ms("2026-01-10"), [40_000_000])))[1:] == []


def test_percentages_name_their_base() -> None:
    # energy 30, grid 10: 5 % of energy = 1.50; 10 % of energy and that tax = 3.15; the grid fee is not taxed
    found = priced("""
    components:
      - {type: flat, name: energy, price: 0.30}
      - {type: flat, name: grid, price: 0.10}
      - {type: percentage, name: tax, percent: 5, of: energy}
      - {type: percentage, name: surcharge, percent: 10, of: [energy, tax]}
    """, "2026-01-01", "2026-02-01", sheet(ms("2026-01-10"), [100_000_000]))  # fmt: skip
    assert told(found)[2:] == ["tax: 30 EUR × 0.05 = 1.5", "surcharge: 31.5 EUR × 0.1 = 3.15"]


def test_grid_zones() -> None:
    text = """
    components:
      - {type: flat, name: energy, price: 0.20}
      - {type: flat, name: grid, price: 0.10, grid_zone: north}
      - {type: flat, name: grid, price: 0.07, grid_zone: south}
    """
    used = sheet(ms("2026-01-10"), [1_000_000])
    assert told(priced(text, "2026-01-01", "2026-02-01", used, grid_zone="south")) == ["energy: 1 kWh × 0.2 = 0.2", "grid: 1 kWh × 0.07 = 0.07"]


def test_gas_by_dated_calorific_value_and_state_number() -> None:
    # 10 m³ × 11.2 × 0.95 = 106.4 kWh, then 20 m³ × 11.5 × 0.95 = 218.5 kWh: 324.9 kWh × 0.10 = 32.49
    found = priced("""
    gas: {state_number: 0.95, calorific_values: [{from: 2026-01-01, kwh_per_m3: 11.2}, {from: 2026-01-16, kwh_per_m3: 11.5}]}
    components: [{type: flat, name: gas, price: 0.10}]
    """, "2026-01-01", "2026-02-01", Usage([sheet(ms("2026-01-10"), [10_000_000]), sheet(ms("2026-01-20"), [20_000_000])]))  # fmt: skip
    assert [(plain(line.quantity), plain(line.amount)) for line in found.lines] == [("106.4", "10.64"), ("218.5", "21.85")]
    assert [(plain(c.m3), plain(c.kwh_per_m3), plain(c.kwh)) for c in found.conversions] == [("10", "11.2", "106.4"), ("20", "11.5", "218.5")]


def test_a_bill_before_the_first_version_says_what_has_no_price() -> None:
    found = priced("versions: [{from: 2026-01-02, components: [{type: flat, price: 1}]}]", "2026-01-01", "2026-01-03",
                   steady("2026-01-01", "2026-01-03", 1000))  # fmt: skip
    assert told(found) == ["flat: 24 kWh × 1 = 24"]
    assert [(each.slots, each.mwh, each.reason) for each in found.unpriced] == [(96, 24_000_000, "no version")]


def test_meter_points_over_the_same_slots_are_added() -> None:
    # 1 kW and, from noon, 2 kW more: 24 + 24 = 48 kWh
    used = Usage([steady("2026-01-01", "2026-01-02", 1000), steady("2026-01-01T12:00", "2026-01-02", 2000)])
    assert told(priced("components: [{type: flat, price: 0.25}]", "2026-01-01", "2026-01-02", used)) == ["flat: 48 kWh × 0.25 = 12"]


def test_slots_may_change_their_length() -> None:
    # a day of 15-minute slots, then a day of 5-minute ones, at 1.2 kW; 2 of the 31 days of the month
    used = Usage([steady("2026-01-05", "2026-01-06", 1200), steady("2026-01-06", "2026-01-07", 1200, BERLIN, 300_000)])
    assert told(priced(PEAK, "2026-01-05", "2026-01-07", used)) == ["energy peak: 28.8 kWh × 0.25 = 7.2", "energy off-peak: 28.8 kWh × 0.15 = 4.32"]
    assert told(priced("components: [{type: capacity, price: 1, window: 60}]", "2026-01-05", "2026-01-07", used)) == [
        "capacity 2026-01: 12/155 kW × month × 1 = 12/155"
    ]


def test_a_rule_may_apply_to_some_hours() -> None:
    # a surcharge from 17 to 20 on weekdays: 3 h of 1 kW on Friday, none on Saturday
    found = priced("components: [{type: flat, price: 0.05, when: {days: weekdays, hours: 17-20}}]", "2026-01-09", "2026-01-11",
                   steady("2026-01-09", "2026-01-11", 1000))  # fmt: skip
    assert told(found) == ["flat: 3 kWh × 0.05 = 0.15"]


def test_water_by_the_cubic_metre() -> None:
    # 12.5 m³ × 2.10 = 26.25
    found = priced("{unit: m³, components: [{type: flat, name: water, price: 2.10}]}", "2026-01-01", "2026-02-01", sheet(ms("2026-01-10"), [12_500_000]))
    assert told(found) == ["water: 12.5 m³ × 2.1 = 26.25"]


def test_the_same_tariff_compiles_to_the_same_bill_twice() -> None:
    known = tariff(PEAK)
    used = steady("2026-01-05", "2026-01-12", 1234)
    assert priced(known, "2026-01-05", "2026-01-12", used).lines == priced(known, "2026-01-05", "2026-01-12", used).lines
