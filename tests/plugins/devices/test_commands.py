"""A command is done when the device says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ohmstead.core.clock import settle
from ohmstead.core.errors import Conflict, Invalid, NotFound, Unsupported
from ohmstead.core.events import StateChanged
from ohmstead.core.model import Command, Reading
from ohmstead.core.plugin import Integration
from ohmstead.core.runner import Entry
from tests.fakes.registered_house import RegisteredHouse


class Lamp:
    """A device that reports what it was told, if it listens at all."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[Reading] = asyncio.Queue()
        self.listens = True

    async def readings(self) -> AsyncIterator[Reading]:
        while True:
            yield await self.said.get()

    async def command(self, command: Command) -> None:
        if self.listens:
            self.said.put_nowait(Reading(command.quantity or "switch", command.value))


@pytest.fixture
async def house(sqlite_url: str, tmp_path: Path) -> AsyncIterator[RegisteredHouse]:
    async with RegisteredHouse(sqlite_url, tmp_path) as house:
        yield house


@pytest.fixture
async def lamp(house: RegisteredHouse) -> Lamp:
    lamp = Lamp()

    @asynccontextmanager
    async def connect(options: Mapping[str, Any], context: Any) -> AsyncIterator[Lamp]:
        yield lamp

    integration = Integration("lamp", {}, connect=connect, capabilities=frozenset({"switch", "set"}))
    plain = Integration("sensor", {}, readings=lambda options, context: Lamp().readings())
    await house.ask("POST", "/devices", {"id": "lamp"})
    await house.ask("POST", "/devices", {"id": "sensor"})
    await house.hub.runners.apply({"lamp": Entry("lamp", integration, {}), "sensor": Entry("sensor", plain, {})})
    await settle()
    return lamp


async def test_a_report_acknowledges_it(house: RegisteredHouse, lamp: Lamp) -> None:
    reply = await house.ask("POST", "/devices/lamp/commands", {"capability": "switch", "value": "on"})
    assert (reply.status, reply.data["result"], reply.data["state"]["value"]) == (200, "acknowledged", "on")
    reply = await house.ask("POST", "/devices/lamp/commands", {"capability": "set", "quantity": "power_limit", "value": 1000})
    assert (reply.data["result"], reply.data["state"]["value"]) == ("acknowledged", 1000.0)
    assert not house.bus.wants(StateChanged)


async def test_without_a_report_it_is_unconfirmed(house: RegisteredHouse, lamp: Lamp) -> None:
    lamp.listens = False
    asking = asyncio.ensure_future(house.ask("POST", "/devices/lamp/commands", {"capability": "switch", "value": "on"}))
    await house.clock.advance(11)
    reply = await asking
    assert (reply.status, reply.data["result"]) == (202, "unconfirmed")


async def test_what_cannot_be_done_is_said(house: RegisteredHouse, lamp: Lamp) -> None:
    switch = {"capability": "switch", "value": "on"}
    with pytest.raises(Unsupported, match="takes no 'switch' command"):
        await house.ask("POST", "/devices/sensor/commands", switch)
    with pytest.raises(NotFound):
        await house.ask("POST", "/devices/nobody/commands", switch)
    await house.ask("POST", "/devices", {"id": "idle"})
    with pytest.raises(NotFound, match="no integration runs"):
        await house.ask("POST", "/devices/idle/commands", switch)
    await house.ask("PUT", "/devices/lamp", {"status": "decommissioned"})
    with pytest.raises(Conflict, match="decommissioned"):
        await house.ask("POST", "/devices/lamp/commands", switch)


@pytest.mark.parametrize(
    "body",
    [
        {"capability": "switch", "value": "perhaps"},
        {"capability": "switch", "value": 1},
        {"capability": "switch", "value": "on", "quantity": "power"},
        {"capability": "set", "value": 5},
        {"capability": "set", "value": None, "quantity": "power_limit"},
        {"capability": "explode", "value": "on"},
        {"value": "on"},
    ],
)
async def test_bad_commands(house: RegisteredHouse, lamp: Lamp, body: Any) -> None:
    with pytest.raises(Invalid):
        await house.ask("POST", "/devices/lamp/commands", body)
