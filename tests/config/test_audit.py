"""The log of a whole house: what people, devices and strangers do is in it, and the command line checks it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
from click.testing import Result

from ohmstead.config.house import House
from tests.config.conftest import Write
from tests.config.test_cli import command
from tests.config.test_house import READING, ask, running
from tests.fakes.running import free_port


async def entries(house: House, **wanted: Any) -> list[Any]:
    await house.parts.audit.flush()
    found: list[Any] = (await ask(house, "GET", "/audit", params=wanted))["data"]
    return found


async def test_what_happens_in_a_house(folder: Write) -> None:
    async with running(folder(f"mqtt: {{broker: embedded, port: {free_port()}}}\ndevices: {{D1: {{}}}}\n")) as house:
        await ask(house, "POST", "/telemetry", json=READING)
        await ask(house, "POST", "/telemetry", json={**READING, "timestamp": "2026-02-07T11:27:00Z", "powr": 1})
        made = await ask(house, "POST", "/devices", json={"id": "D2"})
        await ask(house, "PUT", "/devices/D2", json={"status": "maintenance"})
        device = {"X-Device-ID": "D2", "X-Device-Secret": made["data"]["secret"]}
        async with aiohttp.ClientSession(house.web.url) as strangers:
            for headers, path in (
                ({"X-Device-ID": "D1", "X-Device-Secret": "guess"}, "/api/v1/telemetry"), ({"Authorization": "Bearer x"}, "/api/v1/telemetry"),
                (device, "/api/v1/reload"), ({"Authorization": "Bearer x"}, "/api/v1/reload"), ({}, "/api/v1/reload"),
            ):  # fmt: skip
                await (await strangers.post(path, headers=headers, json={})).read()
            await (await strangers.post("/login", data="token=guess")).read()
        assert not house.parts._admit_to_broker("D1", "guess")
        await ask(house, "POST", "/reload")
        by_type = {entry["type"]: entry for entry in await entries(house)}
        assert set(by_type) >= {
            "hub.started", "device.added", "device.online", "device.maintenance_on", "ingest.rejected_schema", "config.changed", "auth.failed",
            "auth.failed_device", "ingest.rejected_auth", "permission.denied", "auth.missing", "config.reloaded", "api.called",
        }  # fmt: skip
        assert (by_type["auth.failed_device"]["device"], by_type["auth.failed_device"]["personal"]) == ("D1", {"address": "127.0.0.1"})
        assert (by_type["permission.denied"]["who"], by_type["permission.denied"]["subject"]) == ("D2", "D2")
        changed = await entries(house, type="config.changed")
        assert [(entry["who"], entry["subject"], entry["data"]["operation"]) for entry in reversed(changed)] == [
            ("owner", "D2", "POST /api/v1/devices"), ("owner", "D2", "PUT /api/v1/devices/{id}"),
        ]  # fmt: skip
        assert {entry["subject"] for entry in await entries(house, type="auth.failed")} == {"POST /login", "POST /api/v1/reload"}
        assert (await ask(house, "GET", "/audit/verify"))["data"]["ok"]


async def test_readings_are_not_chained_one_by_one(folder: Write) -> None:
    async with running(folder("devices: {D1: {}}\n")) as house:
        before = len(await entries(house))
        for minute in range(10, 40):
            await ask(house, "POST", "/telemetry", json={**READING, "timestamp": f"2026-02-07T11:{minute}:00Z"})
        assert [entry["type"] for entry in await entries(house)][: -before or None] == ["device.online"]


async def test_commands(folder: Write) -> None:
    there = folder("devices: {D1: {}}\n")
    async with running(there) as house:
        await ask(house, "POST", "/telemetry", json=READING)
        await house.parts.audit.flush()
        done = await command(there, "audit", "--device", "D1", "--limit", "1")
        assert "device.online" in done.output
        assert json.loads((await command(there, "audit", "list", "--type", "device.*", "--json")).output)[0]["type"] == "device.online"
        assert "the log holds" in (await command(there, "audit", "verify")).output
    done = await command(there, "audit", "verify")  # without a hub
    assert (done.exit_code, "the log holds" in done.output) == (0, True)
    _tamper(there)
    done = await command(there, "audit", "verify")
    assert (done.exit_code, "entry 2: it is not as it was written" in done.output) == (1, True)
    assert json.loads((await command(there, "audit", "verify", "--json")).output)["broken"] == 2
    shown: Result = await command(there, "devices", "health", "D1")
    assert "D1: " in shown.output
    assert "response: left out" in shown.output


async def test_what_commands_change_without_a_hub(folder: Write) -> None:
    there = folder("devices: {D1: {}}\n")
    (there / "plugins").mkdir()
    (there / "plugins" / "bad.py").write_text("1 / 0\n")
    async with running(there) as house:
        assert [entry["subject"] for entry in await entries(house, type="plugin.quarantined")] == ["bad"]
    await command(there, "meter-points", "add", "garage", "--role", "load")
    found = json.loads((await command(there, "audit", "--json", "--limit", "1")).stdout)
    assert [(entry["who"], entry["data"]["operation"].partition(" ")[2], entry["personal"]) for entry in found] == [
        ("owner", "/api/v1/meter-points", {"address": "command line"})
    ]


def _tamper(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "data" / "ohmstead.db")) as con, con:
        con.execute("UPDATE audit_entries SET subject = 'somebody else' WHERE number = 2")
