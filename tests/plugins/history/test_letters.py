"""Dead letters: listed, tried again, and kept with the new reason where that fails too."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from ohmstead.core.errors import Invalid, NotFound, Rejected
from ohmstead.core.ingest import Batch
from tests.fakes.registered_house import RegisteredHouse

FORMAT = "test-json"


def decode(batch: Batch, address: str, raw: bytes) -> None:
    """{"power": 5, …} of the device that is the address."""
    values = json.loads(raw)
    try:
        feed = batch.feed(address)
    except Rejected as refusal:
        batch.refuse(str(refusal), raw, address, address)
        return
    for quantity, value in values.items():
        reason = batch.add(feed, quantity, value, 1_700_000_000_000)
        if reason is not None:
            batch.refuse(reason, json.dumps({quantity: value}).encode(), address, address)


async def receive(house: RegisteredHouse, device: str, raw: bytes) -> None:
    house.ingest.decoder(FORMAT, decode)
    batch = house.ingest.batch("mqtt:test", FORMAT)
    decode(batch, device, raw)
    await house.ingest.store(batch)


async def replay(house: RegisteredHouse, **which: Any) -> dict[str, int]:
    return (await house.ask("POST", "/dead-letters/replay", which)).data


async def test_listed_newest_first_in_pages(house: RegisteredHouse) -> None:
    for number in range(7):
        await receive(house, "plug", json.dumps({"powr": number}).encode())
    found = await house.walk("/dead-letters", limit=3)
    assert [letter["raw"] for letter in found] == [f'{{"powr": {number}}}' for number in reversed(range(7))]
    assert found[0] == {
        "id": found[0]["id"], "at": "2026-11-21T00:00:00Z", "source": "mqtt:test", "reason": "unknown quantity 'powr'", "format": FORMAT,
        "address": "plug", "device": "plug", "raw": '{"powr": 6}', "encoding": "text",
    }  # fmt: skip
    assert await house.get("/dead-letters", source="http") == []
    batch = house.ingest.batch("tcp", "dsmr")
    batch.refuse("CRC is wrong", b"\xff\xfe")
    await house.ingest.store(batch)
    assert (await house.get("/dead-letters"))[0]["raw"] == "//4="


async def test_replayed_once_the_cause_is_mended(house: RegisteredHouse) -> None:
    house.devices.admission.enabled = False
    await receive(house, "plug", b'{"power": 5, "voltage": 230}')
    await receive(house, "lamp", b'{"power": 1}')
    assert await replay(house, all=True) == {"replayed": 0, "refused": 2, "readings": 0}
    await house.ask("POST", "/devices", {"id": "plug"})
    assert await replay(house, all=True) == {"replayed": 1, "refused": 1, "readings": 2}
    [left] = await house.get("/dead-letters")
    assert (left["address"], left["at"]) == ("lamp", "2026-11-21T00:00:00Z")
    found = await house.get("/telemetry", device_id="plug", start="2023-11-01T00:00:00Z")
    assert len(found) == 2
    assert await house.get("/states") == []  # like an import: live states do not move
    assert house.devices.entry("plug").status == "unknown"


async def test_those_still_refused_stay_with_the_new_reason(house: RegisteredHouse) -> None:
    await receive(house, "plug", b'{"power": "much", "voltage": 230}')
    [letter] = await house.get("/dead-letters")
    assert letter["reason"] == "power must be a number, not 'much'"
    house.clock.set(house.clock.now_ms() + 60_000)
    house.devices.admission.enabled = False
    house.devices.remove("plug")
    house.ingest.drop("plug")
    assert await replay(house, ids=[letter["id"]]) == {"replayed": 0, "refused": 1, "readings": 0}
    [again] = await house.get("/dead-letters")
    assert again["reason"].startswith("unknown device 'plug'")
    assert (again["at"], again["raw"]) == (letter["at"], letter["raw"])


async def test_letters_that_nobody_reads_any_more_stay(house: RegisteredHouse) -> None:
    batch = house.ingest.batch("gone", "gone-plugin")
    batch.refuse("because", b"x")
    await house.ingest.store(batch)
    house.ingest.decoder("broken", decode)
    batch = house.ingest.batch("broken", "broken")
    batch.refuse("because", b"not json", "plug")
    await house.ingest.store(batch)
    assert await replay(house, all=True) == {"replayed": 0, "refused": 2, "readings": 0}
    reasons = sorted(letter["reason"] for letter in await house.get("/dead-letters"))
    assert reasons[1] == "nothing here reads 'gone-plugin' any more"
    assert reasons[0].startswith("Expecting value")


async def test_a_conflict_stays_a_conflict(house: RegisteredHouse) -> None:
    at_ms = house.clock.now_ms()
    for value in (5.0, 6.0):
        await house.store("plug", "power", value, at_ms)
    [before] = await house.get("/dead-letters")
    assert await replay(house, all=True) == {"replayed": 0, "refused": 1, "readings": 0}
    [after] = await house.get("/dead-letters")
    assert {**after, "id": 0} == {**before, "id": 0}
    await house.storage.letters.delete([after["id"]])
    await house.store("plug", "energy", 1.0, at_ms, at_ms - 900_000)
    await house.store("plug", "energy", 2.0, at_ms, at_ms - 900_000)
    assert (await replay(house, all=True))["refused"] == 1
    assert [letter["reason"] for letter in await house.get("/dead-letters")] == ["conflict: another value is stored for this instant"]
    assert await house.get("/telemetry/devices") == [
        {"device_id": "plug", "name": "plug", "status": "online", "last_seen": "2026-11-21T00:00:00Z", "quantities": ["energy", "power"]}
    ]


async def test_many_at_once_and_each_once(house: RegisteredHouse) -> None:
    house.devices.admission.enabled = False
    batch = house.ingest.batch("mqtt:test", FORMAT)
    house.ingest.decoder(FORMAT, decode)
    for number in range(350):
        decode(batch, f"d{number}", b'{"power": 5}')
    await house.ingest.store(batch)
    assert (await replay(house, all=True))["refused"] == 350
    house.devices.admission.enabled = True
    results = await asyncio.gather(replay(house, all=True), replay(house, all=True))
    assert max(result["replayed"] for result in results) == 350
    assert await house.get("/dead-letters") == []


@pytest.mark.parametrize("which", [{}, {"all": False}, {"ids": []}, {"ids": ["x"]}, {"ids": [1], "all": True}, {"ids": [0]}, {"ids": list(range(1, 1002))}])
async def test_bad_questions(house: RegisteredHouse, which: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await replay(house, **which)


async def test_a_letter_that_is_gone(house: RegisteredHouse) -> None:
    with pytest.raises(NotFound, match="no dead letter 99"):
        await replay(house, ids=[99])
