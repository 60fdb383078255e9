"""Meter points that appear by themselves."""

from __future__ import annotations

from ohmstead.core.model import DeviceInfo
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
