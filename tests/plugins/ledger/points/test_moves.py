"""Locations that change take along what is computed for them: at once, or at the next start."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from ohmstead.core.errors import Conflict
from ohmstead.core.plugin import PeriodRow
from tests.fakes.derived import take_in
from tests.fakes.metered_house import MeteredHouse

T0, HOUR, DAY = 1_767_225_600_000, 3_600_000, 86_400_000  # 2026-01-01T00:00:00Z


async def two_flats(house: MeteredHouse) -> None:
    """A block with a meter of its own, 1 kW, and two flats in it with 2 kW and 3 kW; a boiler of 0.5 kW in the first."""
    await house.ask("POST", "/locations", {"id": "block", "kind": "building"})
    for flat in ("flat1", "flat2"):
        await house.ask("POST", "/locations", {"id": flat, "kind": "apartment", "parent": "block"})
    for slug, location, kw in (("m", "block", 1.0), ("m1", "flat1", 2.0), ("m2", "flat2", 3.0)):
        await measured(house, slug, "grid_import", location, kw)
    await measured(house, "boiler", "load", "flat1", 0.5)
    assert await consumed(house) == {"consumption-block": 48, "consumption-flat1": 96, "consumption-flat2": 144}


async def measured(house: MeteredHouse, slug: str, role: str, location: str, kw: float) -> None:
    await house.ask("POST", "/meter-points", {"id": slug, "role": role, "location": location, "series": f"{slug}.energy_import"})
    batch = house.ingest.batch("test", "test")
    for hour in range(49):
        assert batch.add(batch.feed(slug), "energy_import", 100 + hour * kw, T0 + hour * HOUR) is None
    await house.ingest.store(batch)


async def consumed(house: MeteredHouse) -> dict[str, int]:
    """kWh of two days of all that is computed, by the days stored; once all that changed is derived."""
    await house.ledger.registrar.follow()
    await house.settle()
    slugs = [point.id for point in house.points if point.role == "consumption"]
    found = await house.ledger.rollups(slugs, "day", T0, T0 + 2 * DAY)
    assert (await house.ask("POST", "/ledger/verify", {})).data["same"]
    return {slug: sum(day.mwh for day in days) // 1_000_000 for slug, days in found.items()}


async def test_another_kind_counts_for_other_premises(house: MeteredHouse) -> None:
    await two_flats(house)
    await house.ask("PUT", "/locations/flat1", {"kind": "room"})
    assert await consumed(house) == {"consumption-block": 144, "consumption-flat2": 144}
    assert house.points.parent("boiler") == "consumption-block"
    await house.ask("PUT", "/locations/flat1", {"kind": "apartment"})
    assert await consumed(house) == {"consumption-block": 48, "consumption-flat1": 96, "consumption-flat2": 144}


async def test_another_parent_counts_for_other_premises(house: MeteredHouse) -> None:
    await two_flats(house)
    await house.ask("POST", "/locations", {"id": "attic", "kind": "floor", "parent": "flat1"})
    await measured(house, "roof", "pv", "attic", 0.25)
    assert await consumed(house) == {"consumption-block": 48, "consumption-flat1": 108, "consumption-flat2": 144}
    await house.ask("PUT", "/locations/attic", {"parent": "flat2"})
    assert await consumed(house) == {"consumption-block": 48, "consumption-flat1": 96, "consumption-flat2": 156}


async def test_another_role_or_place_of_a_meter_point_leaves_nothing_behind(house: MeteredHouse) -> None:
    await two_flats(house)
    await house.ask("PUT", "/meter-points/m2", {"location": "block"})
    assert await consumed(house) == {"consumption-block": 192, "consumption-flat1": 96}
    await house.ask("PUT", "/meter-points/m", {"role": "custom"})
    assert await consumed(house) == {"consumption-block": 144, "consumption-flat1": 96}
    await house.ask("PUT", "/meter-points/m2", {"role": "grid_export"})
    assert await consumed(house) == {"consumption-block": 0, "consumption-flat1": 96}


async def test_what_was_only_imported_leaves_with_its_meter_point(house: MeteredHouse) -> None:
    await two_flats(house)
    await house.ask("POST", "/meter-points", {"id": "sun", "role": "pv", "location": "block"})
    begun = await house.ledger.imports.begin("settled", "sun", "utility", "test")
    await house.ledger.imports.add(begun.made.number, [PeriodRow(T0, T0 + DAY, 10_000_000)])
    await house.ledger.imports.commit(begun.made.number)
    assert (await consumed(house))["consumption-block"] == 34, "of the second day the sun is not known"
    await house.ask("DELETE", "/meter-points/sun")
    assert (await consumed(house))["consumption-block"] == 48


async def test_a_place_that_changed_while_nobody_looked(storage_url: str, tmp_path: Path) -> None:
    async with MeteredHouse(storage_url, tmp_path, start=False) as house:
        house.start()
        await two_flats(house)
    async with MeteredHouse(storage_url, tmp_path, start=False) as house:
        await house.storage.write(lambda tx: tx.execute(text("UPDATE locations SET kind = 'room' WHERE id = 'flat2'")))
    async with MeteredHouse(storage_url, tmp_path) as house:
        assert await consumed(house) == {"consumption-block": 192, "consumption-flat1": 96}


async def test_a_location_stays_while_a_meter_point_is_in_it(house: MeteredHouse) -> None:
    await two_flats(house)
    with pytest.raises(Conflict, match="location 'flat2' still holds meter point m2; move them first"):
        await house.ask("DELETE", "/locations/flat2")
    await house.ask("PUT", "/meter-points/m2", {"location": "block"})
    await house.ask("DELETE", "/locations/flat2")
    assert await consumed(house) == {"consumption-block": 192, "consumption-flat1": 96}


async def test_a_part_that_ends_later_than_it_was_heard_of_lacks_until_then_only(house: MeteredHouse) -> None:
    await two_flats(house)
    await house.ask("POST", "/meter-points", {"id": "sun", "role": "pv", "location": "flat1", "series": "sun.energy_import"})
    await take_in(house, "sun", "energy_import", [(T0 + hour * HOUR, hour * 0.5) for hour in range(13)])
    assert (await consumed(house))["consumption-flat1"] == 24 + 6, "nobody knows what the sun gave in the afternoon and since"
    [binding] = await house.get("/meter-points/sun/bindings")
    body = {"series": "sun.energy_import", "to": "2026-01-01T18:00:00Z"}
    await house.ask("PUT", f"/meter-points/sun/bindings/{binding['number']}", body)
    assert (await consumed(house))["consumption-flat1"] == 24 + 6 + 48
