"""Laws of pricing: buckets come to what slot by slot comes to, money is additive and linear, and a bill adds up."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.tariffs.bill import bill
from ohmstead.plugins.tariffs.curve import curve, slot_costs, slot_prices
from ohmstead.plugins.tariffs.lines import Priced
from ohmstead.plugins.tariffs.local import midnight
from ohmstead.plugins.tariffs.offset import share
from ohmstead.plugins.tariffs.pricing import price
from ohmstead.plugins.tariffs.schedule import WEEK
from ohmstead.plugins.tariffs.tariff import Tariff
from ohmstead.plugins.tariffs.usage import Usage
from tests.fakes.tariffs import sheet, tariff

MINUTE_MS = 60_000
ZONES = [ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")]
zones = st.sampled_from(ZONES)
# spans about the days on which clocks change, and anywhere
first_days = st.sampled_from([date(2026, 3, 27), date(2026, 10, 23), date(2026, 4, 3), date(2026, 10, 2), date(2026, 3, 6), date(2026, 10, 30)]) | st.dates(
    date(2025, 12, 20), date(2027, 1, 10)
)
prices = st.integers(-500, 2000).map(lambda number: Fraction(number, 1000))
laws = settings(max_examples=15, deadline=None)


@st.composite
def spans(draw: st.DrawFn) -> tuple[ZoneInfo, int, int, Sheet]:
    """Whole local days of a zone, and energy in their slots."""
    zone, first = draw(zones), draw(first_days)
    last = first + timedelta(days=draw(st.integers(1, 6)))
    start_ms, end_ms = midnight(zone, first), midnight(zone, last)
    slot_ms = draw(st.sampled_from([5, 15])) * MINUTE_MS
    random = draw(st.randoms(use_true_random=False))
    count = (end_ms - start_ms) // slot_ms
    often = draw(st.sampled_from([0, 0, 0.02]))
    missing = [place for place in range(count) if random.random() < often]
    return zone, start_ms, end_ms, sheet(start_ms, [random.randrange(0, 3_000_000) for _ in range(count)], slot_ms, missing)


@st.composite
def schedules(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Windows that give every hour of weekdays and of the weekend one price, in two seasons."""
    windows = []
    for season in (["04-01..09-30"], ["10-01..03-31"]):
        for days in ("weekdays", "weekend"):
            cuts = sorted(draw(st.sets(st.integers(0, 47), min_size=1, max_size=4)))
            for low, high in pairwise([*cuts, cuts[0]]):
                hours = f"{_clock(low)}-{_clock(high)}" if low != high else "0-24"
                windows.append({"name": f"w{len(windows)}", "price": str(float(draw(prices))), "days": [days], "dates": season, "hours": [hours]})
    return windows


def _clock(half_hours: int) -> str:
    return f"{half_hours // 2}:{half_hours % 2 * 30:02}"


def made(*components: dict[str, Any], **more: Any) -> Tariff:
    return tariff({"components": list(components), **more})


def local(start_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(start_ms / 1000, UTC).astimezone(zone)


def slots(used: Sheet) -> list[tuple[int, int]]:
    return [(used.start_ms + place * used.slot_ms, mwh) for place, mwh in enumerate(used.mwh)]


def window_of(at: datetime, windows: list[dict[str, Any]]) -> dict[str, Any]:
    """The window of an instant, looked up the slow way."""
    minute, kind = at.hour * 60 + at.minute, "weekdays" if WEEK[at.weekday()] in WEEK[:5] else "weekend"
    summer = (4, 1) <= (at.month, at.day) <= (9, 30)
    (found,) = [
        window for window in windows
        if window["days"] == [kind] and (window["dates"] == ["04-01..09-30"]) == summer and _within(minute, window["hours"][0])
    ]  # fmt: skip
    return found


def _within(minute: int, hours: str) -> bool:
    low, high = (int(hour) * 60 + int(minutes or 0) for hour, _, minutes in (part.partition(":") for part in hours.split("-")))
    return low <= minute < high if low < high else minute < high or minute >= low


@laws
@given(spans(), schedules())
def test_buckets_come_to_what_slot_by_slot_comes_to(span: tuple[ZoneInfo, int, int, Sheet], windows: list[dict[str, Any]]) -> None:
    zone, start_ms, end_ms, used = span
    found = price(made({"type": "time_of_use", "windows": windows}), Usage([used]), start_ms, end_ms, zone)
    energy: dict[str, int] = defaultdict(int)
    count: dict[str, int] = defaultdict(int)
    for at_ms, mwh in slots(used):
        name = window_of(local(at_ms, zone), windows)["name"]
        energy[name] += mwh
        count[name] += 1
    assert {line.label: (line.quantity * 10**6, line.slots) for line in found.lines} == {name: (energy[name], count[name]) for name in count}
    assert found.total == sum(Fraction(energy[w["name"]], 10**6) * Fraction(w["price"]) for w in windows)


@laws
@given(spans(), st.sampled_from(["day", "month", "year", "bill"]), st.lists(st.integers(1, 60_000), min_size=1, max_size=3, unique=True), st.data())
def test_tiers_come_to_what_slot_by_slot_comes_to(span: tuple[ZoneInfo, int, int, Sheet], period: str, limits: list[int], data: st.DataObject) -> None:
    zone, start_ms, end_ms, used = span
    kwh = [Fraction(limit, 100) for limit in sorted(limits)]
    costs = [data.draw(prices) for _ in range(len(kwh) + 1)]
    tiers = [{"up_to": str(float(limit)), "price": str(float(cost))} for limit, cost in zip(kwh, costs, strict=False)] + [{"price": str(float(costs[-1]))}]
    found = price(made({"type": "tiers", "period": period, "tiers": tiers}), Usage([used]), start_ms, end_ms, zone)
    energy: dict[int, Fraction] = defaultdict(Fraction)
    filled: dict[object, Fraction] = defaultdict(Fraction)
    for at_ms, mwh in slots(used):
        day = local(at_ms, zone).date()
        key = {"day": day, "month": (day.year, day.month), "year": day.year, "bill": None}[period]
        left = Fraction(mwh, 10**6)
        for tier, limit in enumerate([*kwh, Fraction(10**12)]):
            part = min(left, max(limit - filled[key], Fraction(0)))
            energy[tier] += part
            filled[key] += part
            left -= part
    assert {line.label: line.quantity for line in found.lines if line.quantity} == {f"tier {tier + 1}": part for tier, part in energy.items() if part}
    assert found.total == sum(part * costs[tier] for tier, part in energy.items())
    for line in found.lines:
        assert sum(opened.quantity for opened in line.opened()) == line.quantity


@laws
@given(spans(), st.sampled_from([15, 30, 60]), st.integers(1, 3), st.booleans())
def test_peaks_are_those_of_all_windows(span: tuple[ZoneInfo, int, int, Sheet], minutes: int, count: int, different: bool) -> None:
    zone, start_ms, end_ms, used = span
    options = {"type": "capacity", "price": 1, "per": "bill", "period": "bill", "window": minutes, "peaks": count, "different_days": different}
    found = price(made(options), Usage([used]), start_ms, end_ms, zone)
    gathered: dict[tuple[Any, ...], list[tuple[int, int, bool]]] = defaultdict(list)
    for place, (at_ms, mwh) in enumerate(slots(used)):
        at = local(at_ms, zone)
        of_day = at.hour * 60 + at.minute
        gathered[at.date(), at.utcoffset(), of_day // minutes].append((at_ms, mwh, used.measured_ms[place] == used.slot_ms))
    whole = [
        (-Fraction(sum(mwh for _, mwh, _ in window) * 3_600_000, len(window) * used.slot_ms * 10**6), window[0][0], day)
        for (day, *_), window in gathered.items() if all(complete for *_, complete in window)
    ]  # fmt: skip
    best, days = [], set()
    for kw, _, day in sorted(whole):
        if len(best) < count and not (different and day in days):
            best.append(-kw)
            days.add(day)
    assert found.total == (sum(best) / len(best) if best else 0)
    assert sum(each.windows for each in found.excluded) == len(gathered) - len(whole)


ADDITIVE = [
    {"type": "flat", "name": "energy", "price": "0.123"},
    {"type": "flat", "name": "evening", "price": "0.05", "when": [{"hours": ["17-20"]}]},
    {"type": "flat", "name": "feed-in", "direction": "export", "price": "0.08"},
    {"type": "tiers", "name": "tiers", "period": "month", "tiers": [{"up_to": "40", "price": "0.1"}, {"price": "0.2"}]},
    {"type": "standing", "name": "day", "per": "day", "price": "0.31"},
    {"type": "standing", "name": "month", "per": "month", "price": "9.9"},
    {"type": "standing", "name": "year", "per": "year", "price": "100", "prorate": "365"},
    {"type": "standing", "name": "whole", "per": "month", "price": "1", "prorate": "whole"},
    {"type": "percentage", "name": "tax", "percent": "5.1", "of": ["energy", "tiers", "day"]},
]


def by_component(*found: Priced) -> dict[str, Fraction]:
    sums: dict[str, Fraction] = defaultdict(Fraction)
    for line in (line for each in found for line in each.lines):
        sums[line.component] += line.amount
    return {name: amount for name, amount in sums.items() if amount}


@laws
@given(spans(), st.data())
def test_money_is_additive_over_periods_before_rounding(span: tuple[ZoneInfo, int, int, Sheet], data: st.DataObject) -> None:
    zone, start_ms, end_ms, used = span
    known, usage = made(*ADDITIVE), Usage([used], [used])
    days = [midnight(zone, local(start_ms, zone).date() + timedelta(days=number)) for number in range((end_ms - start_ms) // 86_400_000 + 1)]
    cut_ms = data.draw(st.sampled_from(days))
    first = price(known, usage, start_ms, cut_ms, zone) if cut_ms > start_ms else None
    second = price(known, usage, cut_ms, end_ms, zone, carry=first.carry if first else {}) if cut_ms < end_ms else None
    whole = price(known, usage, start_ms, end_ms, zone)
    assert by_component(*(each for each in (first, second) if each)) == by_component(whole)


@laws
@given(spans(), st.integers(-50, 50))
def test_cost_is_linear_in_price(span: tuple[ZoneInfo, int, int, Sheet], times: int) -> None:
    zone, start_ms, end_ms, used = span
    once, more = (
        price(made({"type": "flat", "price": str(0.123 * n)[:8] if n == 1 else f"{123 * n / 1000:.3f}"}), Usage([used]), start_ms, end_ms, zone).total
        for n in (1, times)
    )
    assert more == once * times


@laws
@given(spans(), st.sampled_from(["total", "line", "included"]), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_the_printed_lines_add_up(span: tuple[ZoneInfo, int, int, Sheet], mode: str, currency: str) -> None:
    zone, start_ms, end_ms, used = span
    known = made(*ADDITIVE[:-1], {**ADDITIVE[-1], "vat": "7"}, vat="19", vat_mode=mode, currency=currency)
    found = bill(price(known, Usage([used], [used]), start_ms, end_ms, zone))
    assert found.total == sum(line.printed for line in found.lines) + sum(row.amount for row in found.vat if row.added)
    assert found.total == found.net + found.tax
    assert all(line.printed == round(line.printed, {"EUR": 2, "JPY": 0, "KWD": 3}[currency]) for line in found.lines)


@laws
@given(spans())
def test_costs_by_slot_come_to_the_lines_of_energy(span: tuple[ZoneInfo, int, int, Sheet]) -> None:
    zone, start_ms, end_ms, used = span
    found = price(made(*ADDITIVE[:4]), Usage([used], [used]), start_ms, end_ms, zone)
    for direction in ("import", "export"):
        costs = slot_costs(found, start_ms, end_ms, used.slot_ms, direction)
        assert sum(costs) == sum(line.amount for line in found.lines if line.direction == direction)
        sign = 1 if direction == "import" else -1
        per_kwh = slot_prices(found, start_ms, end_ms, used.slot_ms, direction)
        assert [sign * each * mwh / 10**6 for each, mwh in zip(per_kwh, used.mwh, strict=True) if each is not None] == costs


@laws
@given(spans(), schedules())
def test_the_curve_is_what_is_billed(span: tuple[ZoneInfo, int, int, Sheet], windows: list[dict[str, Any]]) -> None:
    zone, start_ms, end_ms, used = span
    known = made({"type": "time_of_use", "windows": windows}, {"type": "percentage", "percent": "5", "of": ["time_of_use"]})
    ahead = curve(known, start_ms, end_ms, used.slot_ms, zone)
    assert ahead == [Fraction(window_of(local(at_ms, zone), windows)["price"]) * Fraction(21, 20) for at_ms, _ in slots(used)]
    total = price(known, Usage([used]), start_ms, end_ms, zone).total
    assert sum(each * mwh for each, mwh in zip(ahead, used.mwh, strict=True) if each is not None) / 10**6 == total


@laws
@given(st.lists(st.integers(0, 10**9), max_size=50), st.data())
def test_sharing_loses_nothing(parts: list[int], data: st.DataObject) -> None:
    target = data.draw(st.integers(0, sum(parts)))
    shared = share(parts, target)
    assert sum(shared) == target
    assert all(0 <= each <= part + 1 for each, part in zip(shared, parts, strict=True))
    exact = [Fraction(part * target, sum(parts) or 1) for part in parts]
    assert all(abs(a - b) < 1 for a, b in zip(accumulate(shared), accumulate(exact), strict=True))


@laws
@given(spans(), st.sampled_from(["slot", "hour", "bill"]), st.data())
def test_netting_keeps_what_is_left(span: tuple[ZoneInfo, int, int, Sheet], over: str, data: st.DataObject) -> None:
    zone, start_ms, end_ms, used = span
    random = data.draw(st.randoms(use_true_random=False))
    other = sheet(start_ms, [random.randrange(0, 3_000_000) for _ in used.mwh], used.slot_ms)
    parts = [{"type": "flat", "name": "in", "price": 1}, {"type": "flat", "name": "out", "direction": "export", "price": 1}]
    found = price(made(*parts, netting={"over": over}), Usage([used], [other]), start_ms, end_ms, zone)
    assert found.total * 10**6 == sum(used.mwh) - sum(other.mwh)
    gross = price(made(*parts), Usage([used], [other]), start_ms, end_ms, zone)
    assert all(net.quantity <= whole.quantity for net, whole in zip(found.lines, gross.lines, strict=True))
