"""The audit log of a real hub that is killed in the middle of its work."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from tests.fakes.running import RunningHub


async def test_the_log_holds_after_kill_9_and_goes_on(tmp_path: Path) -> None:
    hub = RunningHub(tmp_path / "house", "home: {}\n")
    acknowledged: list[str] = []

    async def add(session: aiohttp.ClientSession, device: str) -> None:
        try:
            async with session.post("/api/v1/devices", json={"id": device}) as answer:
                if answer.status == 201:
                    acknowledged.append(device)
        except aiohttp.ClientError:  # the hub is gone
            return

    await hub.start()
    try:
        async with hub.client() as session:
            adding = [asyncio.create_task(add(session, f"D{number}")) for number in range(150)]
            async with asyncio.timeout(20):
                while len(acknowledged) < 20:
                    await asyncio.sleep(0.005)
            hub.kill()
            await asyncio.gather(*adding)
        await hub.start()
        verdict = await hub.get("/audit/verify")
        assert (verdict["ok"], verdict["broken"]) == (True, None)
        there = {device["id"] for device in await hub.get("/devices", limit=1000)}
        assert set(acknowledged) <= there
        assert {entry["subject"] for entry in await hub.get("/audit", type="device.added", limit=1000)} == there, "neither more nor less"
        types = [entry["type"] for entry in await hub.get("/audit", limit=1000)]
        assert (types[0], types[-1]) == ("hub.started", "audit.began")
    finally:
        hub.kill()
