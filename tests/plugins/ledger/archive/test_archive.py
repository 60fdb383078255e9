"""Raw readings leave into the archive, and everything that was made of them can be made again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from ohmstead.core.clock import iso
from ohmstead.core.errors import Unavailable, Unsupported
from ohmstead.plugins.ledger.archive.archive import Hold
from ohmstead.plugins.storage.retention import Leaving
from tests.fakes.archived_house import DAY, DUE, HOUR, MINUTE, T0, ArchivedHouse
from tests.fakes.derived import derived, rebuilt, take_in


async def verified(house: ArchivedHouse) -> dict[str, Any]:
    return (await house.ask("POST", "/ledger/verify", {})).data


async def test_raw_leaves_and_all_comes_out_again(house: ArchivedHouse) -> None:
    await house.measure()
    before, raw = await derived(house), await house.raw()
    assert await house.retain() == len(raw) == 144 + 144 + 24 + 1
    assert await house.raw() == []
    assert len(await house.raw(DUE + DAY)) == 24 + 24 + 4
    assert len(house.files()) == 6
    assert await house.retain() == 0
    assert await derived(house) == before
    found = await verified(house)
    assert found["same"], found
    assert await rebuilt(house) == before
    assert (await house.ask("POST", "/ledger/rebuild", dry_run="true")).data == {"meter_points": 3, "dry_run": True}
    await house.ask("POST", "/ledger/rebuild", dry_run="false")
    assert await derived(house) == before


async def test_what_is_read_back_is_what_was_there(sqlite_house: ArchivedHouse) -> None:
    house = sqlite_house
    await house.measure(1)
    vault = house.ledger.deriver.vault
    keys = await house.storage.reader.rows("SELECT id FROM series ORDER BY id")
    async with house.storage.read() as conn:
        there = {key: await vault.book.there(conn, key, T0 // DAY) for (key,) in keys}
    await house.retain(raw_days=1)
    async with house.storage.read() as conn:
        for key, rows in there.items():
            [entry] = await vault.book.entries(conn, key, T0, T0 + DAY)
            assert await vault.read(entry) == rows
    assert [raw.text for rows in there.values() for raw in rows if raw.text is not None] == ['eco "1"\n']


async def test_late_readings_use_what_was_archived(house: ArchivedHouse, sqlite_url: str, tmp_path: Path) -> None:
    late = [(T0 + n * DAY + 10 * MINUTE, round(100 + (n * 24 + 1 / 6) * 0.1, 2)) for n in (1, 4)]
    other = tmp_path / "other"
    other.mkdir()
    async with ArchivedHouse(f"sqlite:///{other}/db", other) as twin:
        await twin.measure()
        await take_in(twin, "g", "energy_import", late)
        expected = await derived(twin)
    await house.measure()
    await house.retain()
    await take_in(house, "g", "energy_import", late)
    assert await derived(house) == expected
    assert (await verified(house))["same"]
    assert await house.retain() == 2
    assert len(house.files()) == 8
    assert await house.raw() == []
    assert await rebuilt(house) == expected


async def test_of_two_values_the_archived_one_stays(sqlite_house: ArchivedHouse) -> None:
    house = sqlite_house
    await house.measure()
    before = await derived(house)
    await house.retain()
    await take_in(house, "g", "energy_import", [(T0 + DAY, 102.5), (T0 + DAY + HOUR, 102.5)])  # one other, one the same again
    assert await derived(house) == before
    assert await house.retain() == 2
    assert len(house.files()) == 6
    assert await rebuilt(house) == before


async def test_a_correction_reaches_into_the_archive(house: ArchivedHouse) -> None:
    await house.measure()
    before = await derived(house)
    await house.retain()
    body = {"kind": "void", "series": "g.energy_import", "reason": "a test", "start": iso(T0 + 2 * DAY), "end": iso(T0 + 3 * DAY)}
    await house.ask("POST", "/corrections", body)
    [day] = (await house.ledger.rollups(["grid"], "day", T0 + 2 * DAY, T0 + 3 * DAY))["grid"]
    assert (day.measured_ms, day.estimated_ms) == (0, DAY)
    assert (await verified(house))["same"]
    await house.retain()
    await house.ask("POST", "/corrections/1/undo", {"reason": "it was right"})
    assert await derived(house) == before


async def test_what_is_not_settled_keeps_its_readings(sqlite_house: ArchivedHouse) -> None:
    house = sqlite_house
    await house.measure()
    asked: list[int] = []

    async def holds(since_ms: int) -> list[Hold]:
        asked.append(since_ms)
        return [Hold("grid", T0 + 4 * DAY + 1, T0 + 5 * DAY)]

    house.ledger.archive.holders.append(holds)
    await house.retain()
    [(key,)] = await house.storage.reader.rows("SELECT id FROM series WHERE device_id = 'g'")
    assert asked == [T0 - DAY]
    assert {(series, at_ms // DAY - T0 // DAY) for series, at_ms, _ in await house.raw()} == {(key, 3), (key, 4), (key, 5)}
    house.ledger.archive.holders.clear()
    assert await house.retain() == 3 * 24


async def test_an_open_finding_keeps_its_readings(sqlite_house: ArchivedHouse) -> None:
    house = sqlite_house
    await house.measure()
    await take_in(house, "g", "energy_import", [(T0 + 3 * DAY + MINUTE, 90_000.0)])  # a spike
    await house.ledger.caught_up(20)
    await house.ledger.findings.catch_up()
    assert [each["cause"] for each in await house.get("/findings")] == ["spike"]
    await house.retain()
    assert {at_ms // DAY - T0 // DAY for _, at_ms, _ in await house.raw()} == {2, 3, 4}
    number = (await house.get("/findings"))[0]["id"]
    await house.ask("POST", f"/findings/{number}/dismiss", {"reason": "it was set aside anyway"})
    await house.retain()
    assert await house.raw() == []


async def test_a_lost_archive_leaves_the_energy_and_is_found(house: ArchivedHouse) -> None:
    await house.measure()
    before = await derived(house)
    await house.retain()
    kept = house.files()[2].read_bytes()
    house.files()[2].write_bytes(b"PAR1" + bytes(100))
    house.files()[3].rename(hidden := house.files()[3].with_suffix(".hidden"))
    found = await verified(house)
    assert found["same"], found
    assert found["sealed_days"] == {"grid": 5, "pump": 5}
    late = [(T0 + 2 * DAY + 10 * MINUTE, 104.82), (T0 + 5 * DAY + 10 * MINUTE, 112.02)]
    await take_in(house, "g", "energy_import", late[:1])
    now = await derived(house)
    assert {**now, "verdicts": []} == {**before, "verdicts": []}
    assert [row for row in now["verdicts"] if row[4] == "sealed"] == [(1, 0, T0 + 4 * DAY - 1, T0 + 2 * DAY, "sealed", 0, 0, 0)]
    await take_in(house, "g", "energy_import", late[1:])  # behind what is lost
    assert await derived(house) != now
    assert (await verified(house))["same"]
    assert await house.retain() == 1  # the one of the lost day stays

    async def look(tx: Any) -> None:
        await tx.execute(text("UPDATE track_days SET state = NULL WHERE binding_id = 1 AND day = (SELECT min(day) + 1 FROM track_days)"))

    await house.storage.write(look)
    broken = await verified(house)
    assert not broken["same"]
    assert broken["differences"][0]["stored"] == "not what was sealed"
    house.files()[2].write_bytes(kept)
    hidden.rename(hidden.with_suffix(".parquet"))
    await house.ledger.rebuild()
    again = await derived(house)
    assert not [row for row in again["verdicts"] if row[4] == "sealed"]
    assert (await verified(house))["same"]


async def test_a_lost_reading_becomes_a_finding(sqlite_house: ArchivedHouse) -> None:
    house = sqlite_house
    await house.measure()
    await house.retain()
    for file in house.files():
        file.unlink()
    await take_in(house, "g", "energy_import", [(T0 + 3 * DAY + 10 * MINUTE, 107.22)])
    await house.ledger.caught_up(20)
    await house.ledger.findings.catch_up()
    assert [(each["cause"], each["start"]) for each in await house.get("/findings")] == [("sealed", iso(T0 + 3 * DAY))]


async def test_it_may_be_stopped_anywhere(house: ArchivedHouse) -> None:
    await house.measure()
    before, raw = await derived(house), await house.raw()
    release = house.ledger.archive.release({key: DUE for (key,) in await house.storage.reader.rows("SELECT id FROM series")})
    leaving = await anext(release)
    assert leaving == Leaving(1, T0, T0 + DAY, 24)
    await release.aclose()  # archived, nothing deleted
    assert await house.raw() == raw
    assert await rebuilt(house) == before
    archived = house.files()
    await take_in(house, "g", "energy_import", [(T0 + 5 * MINUTE, 100.0)])  # joins what was released
    await house.ledger.caught_up(20)
    assert await house.storage.retention._release(leaving) == 0
    assert len(await house.raw()) == len(raw) + 1
    assert await house.retain() == len(raw) + 1
    assert set(archived) < set(house.files())
    assert await house.raw() == []


async def test_without_duckdb_nothing_is_deleted(sqlite_house: ArchivedHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house = sqlite_house
    await house.measure()
    raw = await house.raw()
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(Unsupported, match=r"ohmstead\[export\]"):
        await house.retain()
    assert await house.raw() == raw
    assert await house.retain(raw_days=200) == 0  # nothing is due


async def rolled(house: ArchivedHouse) -> list[list[Any]]:
    """All rollups of gauges, once nothing of what is over is marked."""
    await house.history.roll_up()
    return [await house.storage.reader.rows(f"SELECT * FROM rollup_{size} ORDER BY 1, 2") for size in ("5m", "1h", "1d")]


async def test_late_readings_join_the_rollups_of_what_left(house: ArchivedHouse, tmp_path: Path) -> None:
    late = [(T0 + n * HOUR + 90_000, -1000.0 * n) for n in (1, 30, 31, 100)]
    other = tmp_path / "other"
    other.mkdir()
    async with ArchivedHouse(f"sqlite:///{other}/db", other) as twin:
        await twin.measure()
        await take_in(twin, "h", "power", late)
        expected = await rolled(twin)
    await house.measure()
    before = await rolled(house)
    await house.retain()
    assert await rolled(house) == before
    await take_in(house, "h", "power", late)
    await take_in(house, "h", "power", [(T0 + HOUR + 1, 0.1 + 1 / 3)])  # known, and archived: the same again is nothing
    assert await rolled(house) == expected != before
    await house.settle()
    assert await house.retain() == 5
    assert await rolled(house) == expected


async def test_late_readings_leave_rollups_as_they_are_where_the_archive_is_lost(
    sqlite_house: ArchivedHouse, caplog: pytest.LogCaptureFixture
) -> None:
    house = sqlite_house
    await house.measure()
    before = await rolled(house)
    await house.retain()
    house.files()[0].unlink()
    await take_in(house, "h", "power", [(T0 + n * HOUR + 90_000, 5.0) for n in (1, 2, 3)])
    assert await rolled(house) == before
    assert "late readings leave the rollups as they are: data/archive/readings/" in caplog.text


async def test_detectors_and_people_see_what_is_archived(house: ArchivedHouse) -> None:
    await house.measure()
    [pump] = await house.storage.history.find("h", "power")
    fifth = T0 + 5 * DAY, T0 + 6 * DAY
    before = await house.ledger.sent(pump.key, *fifth, 1000)
    await house.retain()
    assert await house.storage.history.raw(pump.key, *fifth, 1000) == []
    assert await house.ledger.sent(pump.key, *fifth, 1000) == before
    assert await house.ledger.sent(pump.key, *fifth, 5) == before[:5]
    turned = {"kind": "reading-scale", "series": "h.power", "factor": "-1", "start": iso(fifth[0]), "end": iso(fifth[1]), "reason": "a test"}
    await house.ask("POST", "/corrections", turned)
    await house.ledger.findings.catch_up()
    [found] = await house.get("/findings", cause="sign_flip")
    assert (found["start"], found["kwh"]) == (iso(fifth[0]), "0.308958")
    for file in house.files():
        file.unlink()
    await house.ledger.findings.nightly()
    assert [each["status"] for each in await house.get("/findings", cause="sign_flip")] == ["open"], "nobody can tell whether it is mended"
    with pytest.raises(Unavailable, match="the file is gone; put it back from a backup"):
        await house.ledger.sent(pump.key, *fifth, 1000)
