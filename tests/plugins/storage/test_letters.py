"""The ring of dead letters: newest first, bounded, oldest out."""

from __future__ import annotations

import pytest

from ohmstead.core.errors import NotFound
from ohmstead.core.model import DeadLetter
from ohmstead.plugins.storage.letters import Letters, Ring
from tests.fakes.stored_house import StoredHouse


def a_letter(number: int, raw: bytes = b"x") -> DeadLetter:
    return DeadLetter(format="test", address="a", source="mqtt", reason=f"no {number} \0\ud800", raw=raw, at_ms=number)


async def add(house: StoredHouse, letters: Letters, *new: DeadLetter) -> None:
    await house.storage.write(lambda tx: letters.add(tx, house.storage._path, new))


async def test_pages_go_from_new_to_old(house: StoredHouse) -> None:
    letters = house.storage.letters
    await add(house, letters, *map(a_letter, range(5)))
    first = await letters.list(limit=3)
    rest = await letters.list(limit=3, before=first[-1].id)
    assert [kept.letter.at_ms for kept in first + rest] == [4, 3, 2, 1, 0]
    assert [kept.letter.at_ms for kept in await letters.oldest(limit=2)] == [0, 1]
    assert await letters.list(source="http") == []
    assert (await letters.get(first[0].id)).letter.raw == b"x"


async def test_what_was_replayed_is_deleted(house: StoredHouse) -> None:
    letters = house.storage.letters
    await add(house, letters, *map(a_letter, range(3)))
    ids = [kept.id for kept in await letters.list()]
    assert await letters.delete([ids[0], ids[1], 999]) == 2
    ring = await letters.ring()
    assert (ring.held, ring.gone) == (1, 0)
    with pytest.raises(NotFound):
        await letters.get(ids[0])


async def test_the_oldest_go_and_are_counted(house: StoredHouse) -> None:
    letters = Letters(house.storage.read, house.storage.write, max_letters=100)
    for part in range(3):
        await add(house, letters, *(a_letter(part * 60 + i) for i in range(60)))
        assert (await letters.ring()).held <= 100
    ring = await letters.ring()
    held = await letters.list(limit=200)
    assert len(held) == ring.held
    assert ring.held + ring.gone == 180
    assert held[0].letter.at_ms == 179


async def test_bytes_bound_it_too(house: StoredHouse) -> None:
    letters = Letters(house.storage.read, house.storage.write, max_bytes=10_000)
    for number in range(10):
        await add(house, letters, a_letter(number, bytes(3000)))
    ring = await letters.ring()
    assert ring.bytes <= 10_000
    assert (ring.held, ring.gone) == (3, 7)


async def test_a_refused_message_is_kept_with_the_batch(house: StoredHouse) -> None:
    batch = house.ingest.batch("mqtt", "native")
    batch.refuse("not JSON", b"\xff{", "devices/a/telemetry", "a")
    await house.ingest.store(batch)
    [kept] = await house.storage.letters.list()
    assert (kept.letter.raw, kept.letter.address, kept.letter.device) == (b"\xff{", "devices/a/telemetry", "a")
    assert await house.storage.letters.ring() == Ring(1, 100 + 2 + len("mqttnot JSONnativedevices/a/telemetry"), 0)
