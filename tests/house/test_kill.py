"""Nothing acknowledged is lost: the hub is killed in mid-load, and every acknowledged reading is accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import aiohttp

from tests.fakes.running import RunningHub

START = datetime(2026, 2, 7, tzinfo=UTC)


def batch(sender: int, number: int, size: int = 100) -> dict[str, object]:
    return {
        "readings": [
            {"device_id": f"S{sender}", "timestamp": (START + timedelta(seconds=number * size + i)).isoformat(), "power": number * size + i}
            for i in range(size)
        ]
    }


async def send_until_dead(hub: RunningHub, sender: int, acknowledged: list[tuple[int, int]]) -> None:
    """Send batches one after the other, noting each that was answered with a 2xx."""
    async with hub.client() as session:
        for number in range(10_000):
            try:
                async with session.post("/api/v1/telemetry/batch", json=batch(sender, number)) as answer:
                    body = await answer.json()
            except aiohttp.ClientError:
                return
            assert answer.status == 202, body
            assert body["data"]["accepted"] == 100
            acknowledged.append((sender, number))


async def stored(hub: RunningHub, sender: int) -> dict[str, float]:
    """Every stored power reading of a sender, by walking the pages."""
    found: dict[str, float] = {}
    async with hub.client() as session:
        cursor = ""
        while True:
            query = {"quantity": "power", "start": "2026-02-06T00:00:00Z", "end": "2026-03-01T00:00:00Z", "limit": "5000"}
            async with session.get(f"/api/v1/devices/S{sender}/energy/readings", params=query | ({"cursor": cursor} if cursor else {})) as answer:
                body = await answer.json()
            assert answer.status == 200, body
            found.update({reading["at"]: reading["value"] for reading in body["data"]})
            cursor = body["meta"]["nextCursor"]
            if not cursor:
                return found


async def test_kill_9_in_mid_load_loses_nothing_acknowledged_over_http(hub: Callable[..., RunningHub]) -> None:
    house = hub()
    await house.start()
    acknowledged: list[tuple[int, int]] = []
    senders = [asyncio.create_task(send_until_dead(house, sender, acknowledged)) for sender in range(3)]
    await asyncio.sleep(1.0)
    house.kill()
    await asyncio.gather(*senders)
    assert len(acknowledged) > 10
    await house.start()
    for sender in range(3):
        values = set((await stored(house, sender)).values())
        mine = [number for s, number in acknowledged if s == sender]
        missing = [i for number in mine for i in range(number * 100, number * 100 + 100) if float(i) not in values]
        assert not missing, f"sender {sender}: {len(missing)} of {len(mine) * 100} acknowledged readings are lost"
    assert house.stop() == 0


async def test_sigterm_drains_and_stops_clean(hub: Callable[..., RunningHub]) -> None:
    house = hub()
    await house.start()
    acknowledged: list[tuple[int, int]] = []
    sending = asyncio.create_task(send_until_dead(house, 0, acknowledged))
    await asyncio.sleep(0.5)
    code = await asyncio.to_thread(house.stop, 10.0)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert code == 0
    assert "Traceback" not in house.log.read_text()


async def test_kill_9_in_mid_derivation_leaves_what_a_rebuild_gives(hub: Callable[..., RunningHub]) -> None:
    house = hub()
    await house.start()
    for _ in range(3):  # what is stored is derived a second later at most: the kill lands before, within and behind it
        acknowledged: list[tuple[int, int]] = []
        senders = [asyncio.create_task(send_until_dead(house, sender, acknowledged)) for sender in range(3)]
        await asyncio.sleep(1.5)
        house.kill()
        await asyncio.gather(*senders)
        await house.start()
    async with house.client() as session, session.post("/api/v1/ledger/verify", json={}) as answer:
        body = await answer.json()
    assert answer.status == 200, body
    assert body["data"]["same"], body
    assert body["data"]["meter_points"] >= 3, body
    assert body["data"]["days"], body
