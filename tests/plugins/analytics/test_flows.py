"""The flows of a slot lose nothing, and follow the rule in its order."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.core.clock import from_ms, to_ms
from ohmstead.plugins.analytics.comparison import pairs
from ohmstead.plugins.analytics.flows import WAYS, Flows, Slot, flow, ratio
from ohmstead.plugins.analytics.telemetry import uptime

energy = st.integers(0, 2_000_000)


@settings(max_examples=300, deadline=None)
@given(st.builds(Slot, energy, energy, energy, energy, energy))
def test_all_that_came_and_all_that_went(slot: Slot) -> None:
    ways = dict(zip(WAYS, flow(slot), strict=True))
    assert min(ways.values()) >= 0

    def out(source: str) -> int:
        return sum(mwh for (from_, _), mwh in ways.items() if from_ == source)

    def into(sink: str) -> int:
        return sum(mwh for (_, to), mwh in ways.items() if to == sink)

    assert (out("generation"), out("battery"), out("grid")) == slot[:3]
    assert (into("battery"), into("export")) == slot[3:]
    assert into("load") - out("unknown") == slot.generated + slot.discharged + slot.imported - slot.charged - slot.exported
    assert not (into("load") and out("unknown"))


@pytest.mark.parametrize(("slot", "expected"), [
    (Slot(10, 0, 0, 3, 4), {"generation_load": 3, "generation_battery": 3, "generation_export": 4}),
    (Slot(2, 3, 5, 0, 0), {"generation_load": 2, "battery_load": 3, "grid_load": 5}),
    (Slot(0, 0, 9, 4, 0), {"grid_load": 5, "grid_battery": 4}),
    (Slot(0, 8, 0, 0, 6), {"battery_load": 2, "battery_export": 6}),
    (Slot(0, 5, 0, 5, 0), {"battery_battery": 5}),
    (Slot(6, 0, 1, 1, 2), {"generation_export": 2, "generation_load": 4, "grid_battery": 1}),
    (Slot(0, 0, 3, 0, 3), {"grid_export": 3}),
    (Slot(1, 0, 0, 0, 3), {"generation_export": 1, "unknown_export": 2}),
])  # fmt: skip
def test_the_rule_by_hand(slot: Slot, expected: dict[str, int]) -> None:
    assert {f"{a}_{b}": mwh for (a, b), mwh in zip(WAYS, flow(slot), strict=True) if mwh} == expected


def test_shares_and_carbon() -> None:
    flows = Flows()
    flows.add(Slot(5_000_000, 0, 1_000_000, 0, 2_000_000), 400)
    assert flows.consumed == 4_000_000
    assert (ratio(*flows.self_consumption), ratio(*flows.self_sufficiency)) == ("0.6000", "0.7500")
    assert flows.carbon == [400_000_000, 1_200_000_000], "µg: 1 kWh bought, 3 kWh not"
    assert ratio(0, 0) is None


def spans(text: str, zone: str = "Europe/Berlin") -> dict[str, list[str]]:
    at = to_ms(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))

    def local(ms: int) -> str:
        return f"{from_ms(ms).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"

    return {each.name: [local(ms) for ms in each[1:]] for each in pairs(at, ZoneInfo(zone))}


def test_comparisons_are_true_to_the_calendar() -> None:
    assert spans("2026-03-31T15:30") == {
        "yesterday": ["2026-03-31 00:00", "2026-03-31 15:30", "2026-03-30 00:00", "2026-03-30 15:30", "2026-03-31 00:00"],
        "last_week": ["2026-03-30 00:00", "2026-03-31 15:30", "2026-03-23 00:00", "2026-03-24 15:30", "2026-03-30 00:00"],
        "last_month": ["2026-03-01 00:00", "2026-03-31 15:30", "2026-02-01 00:00", "2026-03-01 00:00", "2026-03-01 00:00"],
        "same_month_last_year": ["2026-03-01 00:00", "2026-03-31 15:30", "2025-03-01 00:00", "2025-03-31 15:30", "2025-04-01 00:00"],
    }
    assert spans("2026-03-30T02:30")["yesterday"][3] == "2026-03-29 03:30", "an hour that the clock skipped"
    assert spans("2026-10-26T12:00")["yesterday"][3] == "2026-10-25 12:00"
    assert spans("2026-01-31T12:00")["last_month"][2:] == ["2025-12-01 00:00", "2025-12-31 12:00", "2026-01-01 00:00"]


def test_uptime() -> None:
    line = [{"at_ms": 80, "status": "offline"}, {"at_ms": 50, "status": "online"}, {"at_ms": 20, "status": "offline"}]
    assert uptime(line, 40, 100) == 0.5
    assert uptime(line, 0, 100) == 0.375, "nothing is known before 20"
    assert uptime([], 0, 100) is None
