"""Alerts of the real hub: over kill -9, and on the live socket."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.fakes.running import RunningHub

YAML = """
devices:
  D1: {name: Bulb}
  D2: {name: Oven}
alerts:
  bulb_overheat: {device: D1, quantity: temperature, above: 50, clear_below: 47, severity: high, cooldown: 15m, notify: [owner]}
  oven_left_on: {device: D2, quantity: temperature, above: 50, for: 6s}
"""


async def say(hub: RunningHub, device: str, temperature: float) -> None:
    """A reading of now, over HTTP."""
    body = {"device_id": device, "timestamp": datetime.now(UTC).isoformat(), "temperature": temperature}
    async with hub.client() as session, session.post("/api/v1/telemetry", json=body) as answer:
        assert answer.status == 202, await answer.text()


async def alerts(hub: RunningHub, count: int, within_s: float = 45.0) -> dict[str, Any]:
    """The open alerts by rule, once there are so many."""
    async with asyncio.timeout(within_s):
        while len(found := await hub.get("/alerts", open="true")) != count:
            await asyncio.sleep(0.05)
    return {alert["rule"]: alert for alert in found}


async def notices(hub: RunningHub, count: int) -> list[str]:
    """The titles of what the owner was told, once there are so many."""
    async with asyncio.timeout(10):
        while len(found := await hub.get("/notifications")) < count:
            await asyncio.sleep(0.05)
    return sorted(each["title"] for each in found)


async def waits(hub: RunningHub) -> None:
    """Until a duration that is half run is written."""
    async with asyncio.timeout(30):
        while True:
            with closing(sqlite3.connect(f"file:{hub.folder / 'data' / 'ohmstead.db'}?mode=ro", uri=True)) as database:
                if database.execute("SELECT count(*) FROM rule_gates WHERE is_on = 0").fetchone()[0]:
                    return
            await asyncio.sleep(0.05)


async def test_alerts_and_half_run_durations_survive_kill_9(tmp_path: Path) -> None:
    hub = RunningHub(tmp_path / "house", YAML)
    await hub.start()
    try:
        async with hub.client() as session, session.ws_connect("/api/v1/live") as live:
            await live.receive_json(timeout=30)
            await live.send_json({"type": "SUBSCRIBE", "payload": {"devices": ["D1"]}})
            await say(hub, "D1", 55.0)
            while (message := await live.receive_json(timeout=10))["type"] != "ALERT":
                pass
        assert (message["payload"]["step"], message["payload"]["rule"]) == ("triggered", "bulb_overheat")
        before = (await alerts(hub, 1))["bulb_overheat"]
        await say(hub, "D2", 90.0)
        began = datetime.now(UTC)
        await waits(hub)
        hub.kill()
        await hub.start()
        assert (await alerts(hub, 1))["bulb_overheat"] == before
        await say(hub, "D1", 56.0)
        found = await alerts(hub, 2)
        assert found["bulb_overheat"] == before
        took_s = (datetime.fromisoformat(found["oven_left_on"]["triggered"]) - began).total_seconds()
        assert 5 < took_s < 7
        await say(hub, "D1", 40.0)
        await alerts(hub, 1)
        assert await notices(hub, 3) == ["Bulb: temperature above 50 °C", "Oven: temperature above 50 °C", "Resolved: Bulb: temperature above 50 °C"]
    finally:
        hub.stop()
