"""Numbered imports: whole or not at all, the same file once, the later word counts."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from ohmstead.core.clock import ManualClock
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.plugin import PeriodRow, RegisterRow
from ohmstead.plugins.ledger.imports.book import Stated
from ohmstead.plugins.ledger.sheet import Layer
from tests.fakes.metered_house import MeteredHouse

T0 = 1_772_323_200_000  # 2026-03-01T00:00:00Z
HOUR = 3_600_000


@pytest.fixture
async def grid(house: MeteredHouse) -> str:
    await house.ask("POST", "/meter-points", {"id": "grid", "role": "grid_import"})
    return "grid"


async def brought(house: MeteredHouse, kind: str, *rows: PeriodRow | RegisterRow, source: str = "utility", fingerprint: str | None = None) -> int:
    begun = await house.ledger.imports.begin(kind, "grid", source, "test", fingerprint)
    assert not begun.known
    await house.ledger.imports.add(begun.made.number, rows)
    await house.ledger.imports.commit(begun.made.number)
    return begun.made.number


async def stated(house: MeteredHouse, layer: Layer, seams: tuple[int, ...] = ()) -> Stated:
    async with house.storage.read() as connection:
        return await house.ledger.imports.book.stated(connection, house.points.get("grid").key, layer, 0, 1 << 47, seams)


def hours(found: Stated) -> list[tuple[float, float, int, int]]:
    return [((p.start_ms - T0) / HOUR, (p.end_ms - T0) / HOUR, p.mwh, number) for p, number in found.periods]


def period(hour: float, mwh: int, length: float = 1) -> PeriodRow:
    return PeriodRow(T0 + round(hour * HOUR), T0 + round((hour + length) * HOUR), mwh)


async def test_nothing_counts_before_it_is_committed_whole(house: MeteredHouse, grid: str) -> None:
    begun = await house.ledger.imports.begin("settled", grid, "utility", "test")
    await house.ledger.imports.add(begun.made.number, [period(0, 5), period(1, 6)])
    assert hours(await stated(house, Layer.SETTLED)) == []
    done = await house.ledger.imports.commit(begun.made.number)
    assert (done.rows, done.start_ms, done.end_ms, done.status) == (2, T0, T0 + 2 * HOUR, "committed")
    assert hours(await stated(house, Layer.SETTLED)) == [(0, 1, 5, 1), (1, 2, 6, 1)]
    with pytest.raises(Conflict, match="was committed already"):
        await house.ledger.imports.add(begun.made.number, [period(2, 1)])


async def test_the_later_import_and_the_last_row_of_it_win(house: MeteredHouse, grid: str) -> None:
    await brought(house, "settled", period(0, 5), period(1, 6))
    second = await brought(house, "settled", period(1, 7), period(1, 8))
    assert hours(await stated(house, Layer.SETTLED)) == [(0, 1, 5, 1), (1, 2, 8, second)]
    await house.ledger.imports.discard(second)
    assert hours(await stated(house, Layer.SETTLED)) == [(0, 1, 5, 1), (1, 2, 6, 1)]
    with pytest.raises(Conflict, match="discarded already"):
        await house.ledger.imports.discard(second)


async def test_the_same_file_again_changes_nothing_and_says_so(house: MeteredHouse, grid: str) -> None:
    begin = {"meter_point": grid, "kind": "settled", "source": "march.xml", "fingerprint": "abc"}
    begun = await house.ask("POST", "/imports", begin)
    number = begun.data["number"]
    await house.ask("POST", f"/imports/{number}/rows", portion(periods=[[T0, T0 + HOUR, 1_500_000]]))
    again = await house.ask("POST", "/imports", begin)  # the first was never finished
    assert again.data["known"] is False
    number = again.data["number"]
    await house.ask("POST", f"/imports/{number}/rows", portion(periods=[[T0, T0 + HOUR, 1_500_000]]))
    await house.ask("POST", f"/imports/{number}/commit")
    third = await house.ask("POST", "/imports", begin)
    assert third.status == 200
    assert (third.data["known"], third.data["number"]) == (True, number)
    listed = await house.get("/imports", meter_point=grid)
    assert [(made["number"], made["status"]) for made in listed] == [(2, "committed"), (1, "discarded")]


def portion(**given: Any) -> Any:
    import msgspec

    from ohmstead.plugins.ledger.imports.routes import Portion

    return msgspec.convert(given, Portion)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (PeriodRow(T0, T0, 5), "row 1: expected a period that ends behind its beginning"),
        (PeriodRow(T0, T0 + HOUR, -5, place="line 7"), "line 7: amount -5 mWh"),
        (PeriodRow(T0, T0 + HOUR, 10**30), "expected 0 to"),
        (PeriodRow(T0, T0 + 3000 * 24 * HOUR, 5), "longer than five years"),
        (PeriodRow(T0, T0 + HOUR, 5, unit="mL"), "is in m³, and the meter point counts kWh"),
        (RegisterRow(10**18, 5), "is no time of an import: expected 1970 to 2099"),
    ],
)
async def test_rows_that_cannot_be_are_refused_with_their_place(house: MeteredHouse, grid: str, row: PeriodRow, message: str) -> None:
    begun = await house.ledger.imports.begin("settled", grid, "utility", "test")
    with pytest.raises(Invalid, match=message):
        await house.ledger.imports.add(begun.made.number, [row])
    with pytest.raises(Invalid, match="has no rows"):
        await house.ledger.imports.commit(begun.made.number)


async def test_registers_of_one_source_are_one_register_until_the_meter_is_swapped(house: MeteredHouse, grid: str) -> None:
    reads = [{"at": "2026-03-01T00:00Z", "value": "100"}, {"at": "2026-03-01T10:00Z", "value": 110.5}]
    await house.ask("POST", "/meter-points/grid/reads", {"reads": reads})
    await house.ask("POST", "/meter-points/grid/reads", {"reads": [{"at": "2026-03-01T20:00Z", "value": "112"}]})
    assert hours(await stated(house, Layer.MANUAL)) == [(0, 10, 10_500_000, 1), (10, 20, 1_500_000, 2)]
    assert hours(await stated(house, Layer.MANUAL, (T0 + 15 * HOUR,))) == [(0, 10, 10_500_000, 1)]
    await house.ask("POST", "/meter-points/grid/reads", {"reads": [{"at": "2026-03-01T10:00Z", "value": "111"}]})
    assert [(read["at"][11:13], read["value"]) for read in await house.get("/meter-points/grid/reads")] == [
        ("20", "112.000000"), ("10", "111.000000"), ("00", "100.000000"),
    ]  # fmt: skip
    with pytest.raises(Invalid, match="still to come"):
        await house.ask("POST", "/meter-points/grid/reads", {"reads": [{"at": "2999-01-01", "value": 1}]})


async def test_a_commit_marks_what_it_says_in_the_same_transaction(house: MeteredHouse, grid: str) -> None:
    async with house.storage.read() as connection:
        last = await connection.scalar(text("SELECT max(id) FROM point_marks"))
    await brought(house, "settled", period(3, 5), period(30, 6))
    async with house.storage.read() as connection:
        rows = (await connection.execute(text("SELECT start_ms, end_ms, reach FROM point_marks WHERE id > :last"), {"last": last or 0})).all()
    assert [tuple(row) for row in rows] in ([(T0 + 3 * HOUR, T0 + 31 * HOUR, "layers")], [])  # [] once it is derived


async def test_a_preview_names_the_imports_it_contradicts(house: MeteredHouse, grid: str) -> None:
    first = await brought(house, "settled", period(0, 5), period(1, 6), period(2, 7))
    begun = await house.ledger.imports.begin("settled", grid, "utility", "test")
    await house.ledger.imports.add(begun.made.number, [period(1, 6), period(2, 17), period(3, 1)])
    seen = await house.get(f"/imports/{begun.made.number}/preview")
    assert (seen["periods"], seen["kwh"], seen["start"]) == (3, "0.000024", "2026-03-01T01:00:00Z")
    assert [(each["import"], each["periods"], each["kwh"]) for each in seen["conflicts"]] == [(first, 1, "0.000010")]


async def test_a_preview_of_what_nothing_is_known_says_nothing_instead_of_0(house: MeteredHouse, grid: str) -> None:
    begun = await house.ledger.imports.begin("settled", grid, "utility", "test")
    await house.ledger.imports.add(begun.made.number, [period(1, 0)])
    seen = await house.get(f"/imports/{begun.made.number}/preview")
    assert (seen["before_kwh"], seen["after_kwh"], seen["slots_changed"]) == (None, "0.000000", 4)


async def test_one_that_nobody_finished_is_cleared_away(house: MeteredHouse, grid: str) -> None:
    begun = await house.ledger.imports.begin("settled", grid, "utility", "test")
    assert await house.ledger.imports.tidy() == 0
    clock = house.clock
    assert isinstance(clock, ManualClock)
    clock.set(clock.now_ms() + 25 * HOUR)
    assert await house.ledger.imports.tidy() == 1
    assert (await house.ledger.imports.one(begun.made.number)).status == "discarded"


async def test_only_measured_points_take_imports(house: MeteredHouse, grid: str) -> None:
    with pytest.raises(Invalid, match="is computed; import into those it is made of"):
        await house.ledger.imports.begin("settled", "consumption", "utility", "test")
    with pytest.raises(NotFound, match="no meter point 'gird'. Did you mean \"grid\""):
        await house.ledger.imports.begin("settled", "gird", "utility", "test")
    with pytest.raises(NotFound, match="no import 'x'"):
        await house.get("/imports/x")


async def test_a_preview_is_what_committing_does(house: MeteredHouse, grid: str) -> None:
    await house.ask("POST", "/meter-points/grid/bindings", {"series": "m.energy_import"})
    for hour, value in enumerate((100.0, 100.4, 101.0, 101.2, 102.0)):
        await house.store("m", "energy_import", value, T0 + hour * HOUR)
    await house.settle()
    begun = await house.ledger.imports.begin("settled", grid, "utility", "test")
    await house.ledger.imports.add(begun.made.number, [period(1, 1_000_000, 2), period(6, 300_000)])
    seen = await house.get(f"/imports/{begun.made.number}/preview")
    before = await totals(house)
    await house.ledger.imports.commit(begun.made.number)
    await house.settle()
    after = await totals(house)
    assert (seen["before_kwh"], seen["after_kwh"]) == ("1.600000", "2.100000")
    assert (before, after) == (2_000_000, 2_500_000)
    [first, *_] = await house.get("/meter-points/grid/intervals", start="2026-03-01T01:00Z", end="2026-03-01T02:00Z", layers="true")
    assert first["source"] == "settled"
    assert first["quality"] == "estimated"
    assert first["kwh"] == "0.187500"  # a quarter of what the profile below has in that hour: 0.6 / 0.8 of 1 kWh
    assert first["layers"]["live"]["kwh"] == "0.150000"
    await house.ledger.imports.discard(begun.made.number)
    await house.settle()
    assert await totals(house) == before


async def totals(house: MeteredHouse) -> int:
    return sum(sum(sheet.mwh) for sheet in (await house.ledger.sheets(["grid"], T0, T0 + 8 * HOUR))["grid"])


async def test_imported_history_ends_where_own_readings_begin(house: MeteredHouse, grid: str) -> None:
    await house.ask("POST", "/meter-points/grid/bindings", {"series": "m.energy_import"})
    await house.store("m", "energy_import", 100.0, T0 + 5 * HOUR // 2)
    await house.store("m", "energy_import", 101.0, T0 + 3 * HOUR)
    await brought(house, "live", period(0, 10), period(1, 20), period(2, 30), period(3, 40))
    await house.settle()
    shown = await house.get("/meter-points/grid/intervals", start="2026-03-01T00:00Z", end="2026-03-01T04:00Z", resolution="hour")
    assert [each["kwh"] for each in shown] == ["0.000010", "0.000020", "1.000000", None]
