"""What is exported, from the database to the file: readings of every kind, in batches, on both engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ohmstead.core.errors import Invalid, NotFound
from ohmstead.plugins.reports import intervals, readings
from ohmstead.plugins.reports.formats import FORMATS, Format
from ohmstead.plugins.reports.plugin import ReportsPlugin
from ohmstead.plugins.reports.routes import _installed
from tests.fakes.derived import take_in
from tests.fakes.metered_house import MeteredHouse
from tests.fakes.reconciled_house import ReconciledHouse

MINUTE = 60_000


async def opened(url: str, folder: Path) -> ReconciledHouse:
    house = ReconciledHouse(url, folder)
    house.hub.provide(house.devices)
    house.hub.plugins.add("reports", ReportsPlugin())
    return house


async def export(house: ReconciledHouse, **query: Any) -> list[dict[str, Any]]:
    reply = await house.ask("GET", "/exports", format="json", resolution="day", period="last", **query)
    assert reply.stream is not None
    found: list[dict[str, Any]] = json.loads(b"".join([piece async for piece in reply.stream]))
    return found


async def test_readings_of_every_kind(storage_url: str, tmp_path: Path) -> None:
    async with await opened(storage_url, tmp_path) as house:
        now = house.clock.now_ms() - 3_600_000
        for n in range(7):
            await house.store("meter", "power", 100.5 + n, now + n * MINUTE)
        await house.store("meter", "mode", "=boost", now)
        await house.store("meter", "energy", 1.25, now + MINUTE, now)
        await house.store("meter", "energy", 0.25, now + MINUTE, now + MINUTE // 2)
        found = await export(house, what="readings")
        assert [(row["quantity"], row["value"], row["text"]) for row in found] == [
            ("energy", 1.25, None), ("energy", 0.25, None), ("mode", None, "=boost"), *(("power", 100.5 + n, None) for n in range(7)),
        ]  # fmt: skip
        assert found[1]["start"] is not None
        assert [row["value"] for row in await export(house, what="readings", quantity="power", device="meter")] == [100.5 + n for n in range(7)]
        with pytest.raises(NotFound, match='there is no device \'metre\'. Did you mean "meter"'):
            await export(house, what="readings", device="metre")


async def test_intervals_and_bills(sqlite_url: str, tmp_path: Path) -> None:
    async with await opened(sqlite_url, tmp_path) as house:
        house.tariff("flat", {"type": "flat", "name": "energy", "price": "0.25"}, vat=20)
        await house.contract()
        house.fill("grid_import", "2026-03-01T00:00", "2026-04-01T00:00", 100_000)
        found = await export(house, what="intervals", meter_point="grid_import", start="2026-03-01", end="2026-03-02")
        assert len(found) == 96
        assert {(row["kwh"], row["quality"], row["covered_s"], row["source"]) for row in found} == {("0.1", "measured", 900.0, "live")}
        bill = await export(house, what="bill", contract="home")
        assert [(row["kind"], row["printed"]) for row in bill] == [("line", "74.30"), ("vat", "14.86"), ("total", "89.16")]
        with pytest.raises(NotFound):
            await export(house, what="intervals", meter_point="nobody")
        with pytest.raises(Invalid, match="say which bill"):
            await export(house, what="bill")


async def test_volumes_stand_in_a_column_of_their_own_and_have_no_power(storage_url: str, tmp_path: Path) -> None:
    async with MeteredHouse(storage_url, tmp_path) as house:
        start = house.clock.now_ms() // 86_400_000 * 86_400_000 - 86_400_000
        for slug, role, series in (("gas", "gas", "m.gas"), ("grid", "grid_import", "m.energy_import")):
            await house.ask("POST", "/meter-points", {"id": slug, "role": role, "series": series})
            await take_in(house, *series.split("."), [(start + n * 15 * MINUTE, n * 0.25) for n in range(97)])
        await house.ledger.caught_up(20)
        points = [house.points.get(slug) for slug in ("gas", "grid")]
        table = intervals.rollups(house.ledger, points, "hour", start, start + 86_400_000)
        names = [column.name for column in table.columns]
        rows = [dict(zip(names, row, strict=True)) for batch in [batch async for batch in table.batches] for row in batch]
        shown = {(row["meter_point"], row["kwh"], row["m3"], row["peak_15_kw"], row["peak_60_kw"], row["peak_60_at"] is None) for row in rows}
        assert (len(rows), shown) == (48, {("gas", None, 1_000_000, None, None, True), ("grid", 1_000_000, None, 1_000_000, 1_000_000, False)})


async def test_batches_follow_on_each_other(sqlite_url: str, tmp_path: Path) -> None:
    async with ReconciledHouse(sqlite_url, tmp_path) as house:
        now = house.clock.now_ms() - 86_400_000
        batch = house.ingest.batch("test", "test")
        feed = batch.feed("meter")
        for n in range(readings.BATCH + 3):
            batch.add(feed, "power", float(n), now + n)
        await house.ingest.store(batch)
        history = house.storage.history
        sizes = [len(rows) async for rows in readings.table(history, await history.find(), now, now + 10**6).batches]
        assert sizes == [readings.BATCH, 3]


def test_a_missing_extra_is_said_with_the_line_that_mends_it() -> None:
    with pytest.raises(Invalid, match='pip install "ohmstead\\[export\\]"'):
        _installed(Format("xlsx", "", FORMATS["csv"].stream, "no_such_module"))
