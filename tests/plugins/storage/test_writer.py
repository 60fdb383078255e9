"""What is handed to the writer is stored once, in order, and only then settled."""

from __future__ import annotations

import asyncio
import json
import statistics

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ohmstead.core.errors import Unavailable
from ohmstead.core.model import Row
from ohmstead.plugins.storage.group import Group, Marks
from ohmstead.plugins.storage.writer import AHEAD, Work
from tests.fakes.stored_house import StoredHouse

T0 = 1_794_000_000_000


async def test_a_reading_is_stored_and_read_back(house: StoredHouse) -> None:
    await house.store([("d", "power", 1.25, T0), ("d", "mode", "eco", T0), ("d", "energy_import", 7.5, T0)])
    assert await house.raw("d", "power") == [(T0, 1.25)]
    assert await house.raw("d", "mode") == [(T0, "eco")]
    assert {row.series.address for row in house.stored} == {"d.power", "d.mode", "d.energy_import"}


async def test_the_same_again_is_nothing(house: StoredHouse) -> None:
    await house.store([("d", "power", 1.0, T0)])
    batch = await house.store([("d", "power", 1.0, T0), ("d", "power", 2.0, T0 + 1), ("d", "power", 2.0, T0 + 1)])
    assert batch.conflicts == []
    assert [row.at_ms for row in house.stored] == [T0, T0 + 1]
    assert await house.storage.letters.list() == []


async def test_of_two_values_the_first_stays_and_the_other_is_a_dead_letter(house: StoredHouse) -> None:
    await house.store([("d", "power", 1.0, T0), ("d", "mode", "a", T0)])
    batch = await house.store([("d", "power", 5.0, T0), ("d", "mode", "b", T0), ("d", "power", 3.0, T0 + 9)])
    assert sorted(str(row.value) for row in batch.conflicts) == ["5.0", "b"]
    assert await house.raw("d", "power") == [(T0, 1.0), (T0 + 9, 3.0)]
    letters = await house.storage.letters.list()
    assert {(kept.letter.address, json.loads(kept.letter.raw)["quantity"]) for kept in letters} == {("d", "power"), ("d", "mode")}
    assert all("conflict" in kept.letter.reason for kept in letters)


async def test_two_values_in_one_batch_conflict_too(house: StoredHouse) -> None:
    batch = await house.store([("d", "power", 1.0, T0), ("d", "power", 2.0, T0)])
    assert [row.value for row in batch.conflicts] == [2.0]
    assert await house.raw("d", "power") == [(T0, 1.0)]


@pytest.mark.parametrize("count", [1, 7, 2049])
async def test_a_row_no_database_takes_is_found_and_put_aside(house: StoredHouse, count: int) -> None:
    batch = house.batch([("d", "power", float(i), T0 + i) for i in range(count)])
    batch.texts.append(Row(house.ingest.series(batch.feed("d"), "mode"), T0, "half a pair: \ud800"))
    await house.ingest.store(batch)
    assert len(await house.raw("d", "power")) == count
    [kept] = await house.storage.letters.list()
    assert (kept.letter.address, json.loads(kept.letter.raw)["quantity"]) == ("d", "mode")
    assert "storage cannot take" in kept.letter.reason


async def test_a_note_is_stored_with_its_reading_and_once(house: StoredHouse) -> None:
    for value in (1.0, 1.0, 5.0):  # new, the same again, a conflict
        batch = house.batch([("d", "power", value, T0), ("d", "power", 2.0, T0 + 1)])
        batch.note(batch.feed("d"), "power", T0, sampled_ms=int(value), flags="ok")
        await house.ingest.store(batch)
    async with house.storage.read() as conn:
        notes = (await conn.execute(text("SELECT at_ms, sampled_ms, flags FROM reading_notes"))).all()
    assert [tuple(note) for note in notes] == [(T0, 1, "ok")]


async def test_the_notes_of_many_readings(house: StoredHouse) -> None:
    batch = house.batch([("d", "power", 1.0, T0 + i) for i in range(3000)])
    for i in range(3000):
        batch.note(batch.feed("d"), "power", T0 + i, flags="ok" if i % 2 else None)
    await house.ingest.store(batch)
    async with house.storage.read() as conn:
        assert (await conn.execute(text("SELECT count(*), count(flags) FROM reading_notes"))).one() == (3000, 1500)


async def test_deltas_of_one_end_differ_by_their_start(house: StoredHouse) -> None:
    batch = house.ingest.batch("test", "test")
    feed = batch.feed("d")
    for start, value in ((T0 - 900_000, 1.0), (T0 - 3_600_000, 4.0), (T0 - 900_000, 1.0)):
        assert batch.add(feed, "energy", value, T0, start) is None
    await house.ingest.store(batch)
    assert await house.storage.history.deltas(await house.key("d", "energy"), 0, T0, 10) == [
        (T0 - 3_600_000, T0, 4.0),
        (T0 - 900_000, T0, 1.0),
    ]


async def test_work_runs_in_a_transaction_behind_what_was_queued(house: StoredHouse) -> None:
    batch = house.batch([("d", "power", 1.0, T0)])
    house.ingest.send(batch)
    count = await house.storage.write(lambda tx: tx.scalar(text("SELECT count(*) FROM readings")))
    assert count == 1


async def test_urgent_work_goes_before_all_that_waits_and_in_order_among_its_like(house: StoredHouse) -> None:
    order: list[str] = []

    def noting(name: str) -> Work:
        async def work(tx: AsyncConnection) -> None:
            order.append(name)

        return work

    batch = house.batch([("d", "power", 1.0, T0)])
    batch.on_settled(lambda error: order.append("reading"))

    async def queue_all(tx: AsyncConnection) -> None:
        house.storage.put(batch)
        works.extend(
            asyncio.ensure_future(house.storage.write(noting(name), urgent=name != "last")) for name in ("last", "urgent", "urgent too")
        )
        await asyncio.sleep(0)

    works: list[asyncio.Future[None]] = []
    await house.storage.write(queue_all)
    await asyncio.gather(*works)
    assert order == ["urgent", "urgent too", "reading", "last"]


async def test_readings_get_their_turn_among_any_number_of_urgent_writes(house: StoredHouse) -> None:
    done, stored = 0, list[Exception | None]()

    async def again() -> None:
        nonlocal done
        while not stored:
            await house.storage.write(nothing, urgent=True)
            done += 1

    async def nothing(tx: AsyncConnection) -> None:
        pass

    batch = house.batch([("d", "power", 1.0, T0)])
    batch.on_settled(stored.append)
    house.storage.put(batch)
    await asyncio.gather(*(again() for _ in range(5)))
    assert stored == [None]
    assert done <= 3 * AHEAD


async def test_those_who_await_their_answers_come_into_one_group(house: StoredHouse) -> None:
    groups: list[int] = []

    async def join(tx: AsyncConnection, group: Group) -> None:
        groups.append(group.size)

    async def send(device: str, count: int) -> None:
        for first in range(0, 100 * count, 100):
            await house.store([(device, "power", float(n), T0 + n) for n in range(first, first + 100)])

    leave = house.storage.join(join)
    ahead = asyncio.create_task(send("a", 30))
    while not groups:
        await asyncio.sleep(0)
    await asyncio.gather(ahead, send("b", 30), send("c", 30))  # they come while the first one is committed
    leave()
    assert groups[0] == 100
    assert statistics.median(groups) == 300


async def test_work_that_raises_is_undone_and_hurts_nobody(house: StoredHouse) -> None:
    async def work(tx: object) -> None:
        await tx.execute(text("INSERT INTO tenants (id, slug, name) VALUES (2, 'x', 'x')"))  # type: ignore[attr-defined]
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await house.storage.write(work)
    await house.store([("d", "power", 1.0, T0)])
    async with house.storage.read() as conn:
        assert await conn.scalar(text("SELECT count(*) FROM tenants")) == 1
    assert house.storage.healthy


async def test_a_join_shares_the_transaction_of_new_rows(house: StoredHouse) -> None:
    seen: list[tuple[int, int]] = []

    async def join(tx: object, group: object) -> None:
        stored = await tx.scalar(text("SELECT count(*) FROM readings"))  # type: ignore[attr-defined]
        seen.append((len(group.rows), stored))  # type: ignore[attr-defined]

    house.storage.join(join)
    await house.store([("d", "power", 1.0, T0)])
    await house.store([("d", "power", 1.0, T0), ("d", "power", 2.0, T0 + 1)])
    assert seen == [(1, 1), (1, 2)]


async def test_marks_go_along_with_new_rows_only(house: StoredHouse) -> None:
    async with house.storage._writing.begin() as tx:  # type: ignore[union-attr]
        await tx.execute(text("CREATE TABLE touched (series_id INTEGER PRIMARY KEY, times INTEGER NOT NULL)"))
    columns = {"series_id": "int", "times": "int"}
    again = "(series_id) DO UPDATE SET times = touched.times + excluded.times"
    leave = house.storage.mark(Marks("touched", columns, lambda group: sorted({(row.series.key, 1) for row in group.rows}), again))  # type: ignore[type-var]
    await house.store([("d", "power", 1.0, T0), ("e", "power", 1.0, T0), ("e", "power", 1.0, T0 + 1)])  # the fast path
    await house.store([("d", "power", 1.0, T0), ("e", "power", 2.0, T0 + 2)])  # d is known
    leave()
    await house.store([("d", "power", 1.0, T0 + 5)])
    async with house.storage.read() as conn:
        found = (await conn.execute(text("SELECT s.device_id, t.times FROM touched t JOIN series s ON s.id = t.series_id"))).all()
    assert sorted(map(tuple, found)) == [("d", 1), ("e", 2)]


async def test_a_join_that_fails_loses_nothing(house: StoredHouse) -> None:
    fail = True

    async def join(tx: object, group: object) -> None:
        if fail:
            raise RuntimeError("a bug")

    house.storage.join(join)
    batch = house.batch([("d", "power", 1.0, T0)])
    settled: list[Exception | None] = []
    batch.on_settled(settled.append)
    house.ingest.send(batch)
    await house.clock.advance(1)  # type: ignore[attr-defined]
    fail = False
    while not settled:
        await house.clock.advance(1)  # type: ignore[attr-defined]
    assert settled == [None]
    assert await house.raw("d", "power") == [(T0, 1.0)]


async def test_groups_far_apart_in_time_and_many_series(house: StoredHouse) -> None:
    readings = [(f"d{i % 300}", "power", float(i), T0 - (i % 40) * 31 * 86_400_000 - i) for i in range(6000)]
    await house.store([("old", "power", 1.0, 86_400_000), ("new", "power", 1.0, T0)])
    await house.store(readings)
    async with house.storage.read() as conn:
        assert await conn.scalar(text("SELECT count(*) FROM readings")) == 6002


async def test_closing_commits_what_waits_and_refuses_what_comes_later(house: StoredHouse) -> None:
    settled: list[Exception | None] = []
    for i in range(50):
        batch = house.batch([("d", "power", float(i), T0 + i)])
        batch.on_settled(settled.append)
        house.ingest.send(batch)
    await house.storage.close()
    late = house.batch([("d", "power", 1.0, T0 + 99)])
    late.on_settled(settled.append)
    house.ingest.send(late)
    assert settled.count(None) == 50
    assert isinstance(settled[-1], Unavailable) or isinstance(settled[0], Unavailable)
    await house.storage.open()
    assert len(await house.raw("d", "power")) == 50


async def test_nothing_is_written_while_all_is_still(house: StoredHouse) -> None:
    async with house.storage.still():
        storing = asyncio.create_task(house.store([("d", "power", 1.0, T0)]))
        async with asyncio.timeout(5):
            while not house.storage.waiting:
                await asyncio.sleep(0)
        assert await house.storage.reader.rows("SELECT 1 FROM readings") == []
        assert not storing.done()
    await storing
    assert await house.raw("d", "power") == [(T0, 1.0)]


async def test_who_leaves_before_all_is_still_holds_nothing_up(house: StoredHouse) -> None:
    async def never() -> None:
        async with house.storage.still():
            raise AssertionError("it was still twice at once")

    async with house.storage.still():
        leaving = asyncio.create_task(never())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait({leaving}, timeout=5)
    assert leaving.cancelled()
    await house.store([("d", "power", 1.0, T0)])
    assert await house.raw("d", "power") == [(T0, 1.0)]
