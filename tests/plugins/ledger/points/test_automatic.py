"""Meter points that appear by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ohmstead.core.clock import EARLIEST_MS, ManualClock
from ohmstead.core.model import DeviceInfo
from ohmstead.plugins.ledger.points.bindings import Binding, Term
from ohmstead.plugins.ledger.points.points import MeterPoint, Role
from tests.fakes.metered_house import MeteredHouse

T0 = 1_772_323_200_000  # 2026-03-01T00:00:00Z
HOUR = 3_600_000


def spans(house: MeteredHouse, slug: str) -> list[tuple[int, int | None, tuple[str, ...]]]:
    """The bindings of a meter point, as hours since T0 and series."""
    hours = [(b.from_ms - T0, b.to_ms and b.to_ms - T0, b.series()) for b in house.points.bindings(slug)]
    return [(start // HOUR, end and end // HOUR, series) for start, end, series in hours]


async def announce(house: MeteredHouse, device: str, kind: str) -> None:
    house.devices.announce(DeviceInfo(device, kind=kind), device)


async def test_a_meter_makes_grid_import_and_consumption(house: MeteredHouse) -> None:
    await announce(house, "grid", "meter")
    await house.store("grid", "energy_import", 100.0, T0)
    await house.ledger.automatic.settle()
    assert {point.id: point.role for point in house.points} == {"grid": "grid_import", "consumption": "consumption"}
    assert house.points.composition("consumption") == (("grid", 1),)
    assert spans(house, "grid") == [(0, None, ("grid.energy_import",))]


async def test_a_better_source_takes_over_at_its_first_reading_whenever_that_arrives(house: MeteredHouse) -> None:
    await announce(house, "grid", "meter")
    await house.store("grid", "power", 500.0, T0)
    await house.store("grid", "energy_import_t2", 10.0, T0 + 3 * HOUR)
    await house.store("grid", "energy_import_t1", 10.0, T0 + 2 * HOUR)
    await house.store("grid", "energy_import", 20.0, T0 + 5 * HOUR)
    await house.ledger.automatic.settle()
    assert spans(house, "grid") == [
        (0, 2, ("grid.power",)),
        (2, 3, ("grid.energy_import_t1",)),
        (3, 5, ("grid.energy_import_t1", "grid.energy_import_t2")),
        (5, None, ("grid.energy_import",)),
    ]
    await house.store("grid", "energy_import", 19.0, T0 + HOUR)
    await house.ledger.automatic.settle()
    assert spans(house, "grid") == [(0, 1, ("grid.power",)), (1, None, ("grid.energy_import",))]


async def test_export_appears_once_power_goes_back(house: MeteredHouse) -> None:
    await announce(house, "grid", "meter")
    await house.store("grid", "power", 500.0, T0)
    await house.ledger.automatic.settle()
    assert "grid_export" not in house.points
    await house.store("grid", "power", -20.0, T0 + HOUR)
    await house.ledger.automatic.settle()
    assert house.points.get("grid_export").role == "grid_export"
    assert spans(house, "grid_export") == [(0, None, ("grid.power",))]


SEEN = (  # device, quantity, value, hour
    ("grid", "power", 400.0, 0), ("grid", "power", -300.0, 4), ("grid", "energy_import_t2", 5.0, 6), ("grid", "energy_import_t1", 7.0, 5),
    ("grid", "energy_import", 12.0, 9), ("grid", "energy_export", 1.0, 8), ("battery", "power", 900.0, 1), ("battery", "energy_import", 3.0, 7),
    ("pv", "energy_export", 2.0, 2), ("pv", "energy_total", 2.0, 1), ("fridge", "power_l1", 40.0, 3), ("boiler", "gas", 8.0, 3),
)  # fmt: skip
KINDS = {"grid": "meter", "battery": "battery", "pv": "inverter", "fridge": "appliance", "boiler": "boiler"}


async def outcome(folder: Path, order: Sequence[int], settles: set[int], restarts: set[int], early: bool) -> object:
    """What becomes of the readings in that order, with settling and restarts in between."""
    url, clock = f"sqlite:///{folder / 'ohmstead.db'}", ManualClock()
    rest = list(order)
    while True:
        async with MeteredHouse(url, folder, clock, start=False) as house:
            house.ledger.automatic.listen()
            if early:
                announce_all(house)
            while rest:
                device, quantity, value, hour = SEEN[rest.pop(0)]
                await house.store(device, quantity, value, T0 + hour * HOUR)
                if len(rest) in settles:
                    await house.ledger.automatic.settle()
                if len(rest) in restarts:
                    break
            if rest:
                continue
            announce_all(house)
            await house.ledger.automatic.settle()
            bindings = {p.id: [(b.from_ms, b.to_ms, b.terms) for b in house.points.bindings(p.id)] for p in house.points}
            return {point.id: (point.role, point.name) for point in house.points}, bindings


def announce_all(house: MeteredHouse) -> None:
    for device, kind in KINDS.items():
        house.devices.announce(DeviceInfo(device, kind=kind), device)


@pytest.fixture
async def usual(tmp_path: Path) -> object:
    return await outcome(tmp_path, range(len(SEEN)), set(), set(), early=True)


@given(st.permutations(range(len(SEEN))), st.sets(st.integers(0, 11)), st.sets(st.integers(1, 11), max_size=1), st.booleans())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_order_and_restarts_make_no_difference(
    usual: object, tmp_path_factory: pytest.TempPathFactory, order: list[int], settles: set[int], restarts: set[int], early: bool
) -> None:
    assert await outcome(tmp_path_factory.mktemp("other"), order, settles, restarts, early) == usual


async def test_what_each_kind_of_device_makes(house: MeteredHouse) -> None:
    announce_all(house)
    for device, quantity, value, hour in SEEN:
        await house.store(device, quantity, value, T0 + hour * HOUR)
    await house.ledger.automatic.settle()
    assert {point.id: point.role.value for point in house.points} == {
        "battery": "battery_in", "battery_out": "battery_out", "boiler_gas": "gas", "consumption": "consumption", "fridge": "load",
        "grid": "grid_import", "grid_export": "grid_export", "pv": "pv",
    }  # fmt: skip
    assert spans(house, "pv") == [(1, 2, ("pv.energy_total",)), (2, None, ("pv.energy_export",))]
    assert spans(house, "battery") == [(1, 7, ("battery.power",)), (7, None, ("battery.energy_import",))]
    assert [b.terms[0].part for b in house.points.bindings("battery")] == ["negative", "all"]
    assert spans(house, "grid_export") == [(0, 8, ("grid.power",)), (8, None, ("grid.energy_export",))]


async def test_a_newly_bound_series_gets_its_past(house: MeteredHouse) -> None:
    await house.store("plug", "energy_import", 5.0, T0)
    await house.store("plug", "energy_import", 5.5, T0 + HOUR // 2)
    await house.settle()
    [sheet] = (await house.ledger.sheets(["plug"], T0, T0 + HOUR))["plug"]
    assert list(sheet.mwh) == [250_000, 250_000, 0, 0]


@pytest.mark.parametrize(
    ("kind", "role", "others"),
    [
        ("other", Role.GRID_IMPORT, {"consumption"}),  # the YAML speaks of the device's own id: it is not made twice
        ("meter", Role.LOAD, set()),  # a meter in a flat is no import of the house
        ("meter", Role.CUSTOM, {"m-2", "consumption"}),  # counts beside the others
        ("heat_pump", Role.GRID_IMPORT, {"m-2", "consumption"}),  # a heat pump with a grid meter of its own
    ],
)
async def test_a_series_that_a_person_bound_counts_once(house: MeteredHouse, kind: str, role: Role, others: set[str]) -> None:
    house.ledger.automatic.stated = {"m": {"role": role.value, "series": "m.energy_import", "name": "Mine"}}
    bound = Binding(EARLIEST_MS, None, (Term("m.energy_import"),), 50_000_000)
    await house.ledger.registrar.put(MeterPoint(0, "m", "Mine", role, origin="yaml"), [bound])
    await announce(house, "m", kind)
    await house.store("m", "energy_import", 100.0, T0)
    await house.ledger.automatic.settle()
    assert {point.id for point in house.points} == {"m", *others}
    assert all(point.origin != "yaml" and point.name != "Mine" for point in house.points if point.id != "m")
