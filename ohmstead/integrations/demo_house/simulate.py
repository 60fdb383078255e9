"""Simulated devices against any broker: `ohmstead simulate`."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from ohmstead.core.clock import Clock
from ohmstead.core.errors import ConfigError, Refused, Unavailable
from ohmstead.core.supervise import Task
from ohmstead.integrations.demo_house.devices import DEVICES
from ohmstead.integrations.demo_house.faults import Faults
from ohmstead.integrations.demo_house.house import House
from ohmstead.integrations.demo_house.player import COMMANDS, Message, Player, rounds

if TYPE_CHECKING:
    import aiomqtt

log = logging.getLogger(__name__)

PORTS = {"mqtt": 1883, "mqtts": 8883}
AT_ONCE = 10  # messages that wait for the broker's word at the same time
NOT_WELCOME = (4, 5, 134, 135)  # codes of a broker that refuses the credentials


class Broker(msgspec.Struct, frozen=True):
    """Where the devices publish."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: bool = False


def broker(url: str) -> Broker:
    """The broker of `mqtt://user:password@host:port` or `mqtts://…`; ConfigError for anything else."""
    try:
        parts = urlsplit(url if "://" in url else f"mqtt://{url}")
        if parts.scheme in PORTS and parts.hostname:
            user, password = (None if x is None else unquote(x) for x in (parts.username, parts.password))
            return Broker(parts.hostname, parts.port or PORTS[parts.scheme], user, password, parts.scheme == "mqtts")
    except ValueError:
        pass
    raise ConfigError(f"broker {url!r}: expected an address such as mqtt://127.0.0.1:1883")


def players(devices: int, every_ms: int, share: float, seed: int, now_ms: int) -> list[Player]:
    """As many houses as that many devices need; the ids of the second end in -2, and so on."""
    houses = []
    for number in range((devices + len(DEVICES) - 1) // len(DEVICES)):
        house = House(seed + number, now_ms - every_ms)
        only = min(len(DEVICES), devices - number * len(DEVICES))
        houses.append(Player(house, every_ms, Faults(seed + number, share), f"-{number + 1}" if number else "", only))
    return houses


async def simulate(to: Broker, houses: Sequence[Player], every_ms: int, clock: Clock) -> None:
    """Play until cancelled, connecting anew whenever the broker goes. Refused when it does not take the credentials."""
    refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work(task: Task) -> None:
        await _play(to, houses, every_ms, clock, task)

    task = Task("simulator", work, clock, on_given_up=lambda reason: refused.set_exception(Refused(reason)))
    task.start()
    try:
        await refused
    finally:
        await task.stop()


async def _play(to: Broker, houses: Sequence[Player], every_ms: int, clock: Clock, task: Task) -> None:
    import aiomqtt  # 0.1 s that the hub saves
    from aiomqtt.exceptions import MqttConnectError

    try:
        async with _client(to) as client:
            log.info("%d simulated devices speak to %s:%d", sum(map(len, houses)), to.host, to.port)
            task.up()
            await client.subscribe(COMMANDS, 1)
            listening = asyncio.create_task(_listen(client, houses, clock))
            speaking = asyncio.create_task(_speak(client, houses, every_ms, clock))
            try:
                await asyncio.wait({listening, speaking}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await _end(listening, speaking)
                with suppress(aiomqtt.MqttError, TimeoutError):  # the broker may be what is gone
                    await asyncio.wait_for(_publish(client, [m for house in houses for m in house.hello("offline")]), 2)
            raise Unavailable("it ended by itself")
    except MqttConnectError as error:
        code = getattr(error.rc, "value", error.rc)
        raise (Refused if code in NOT_WELCOME else Unavailable)(f"broker {to.host}:{to.port}: {error}") from error
    except aiomqtt.MqttError as error:
        raise Unavailable(f"broker {to.host}:{to.port}: {error}") from error


async def _end(*tasks: asyncio.Task[None]) -> None:
    """Stop both; what ended one of them is raised."""
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _speak(client: aiomqtt.Client, houses: Sequence[Player], every_ms: int, clock: Clock) -> None:
    await _publish(client, [message for house in houses for message in house.hello("online")])
    async for house, at_ms in rounds(houses, every_ms, clock):
        await _publish(client, house.play(at_ms))


async def _listen(client: aiomqtt.Client, houses: Sequence[Player], clock: Clock) -> None:
    async for message in client.messages:
        if isinstance(message.payload, bytes):
            for house in houses:
                await _publish(client, house.obey(message.topic.value, message.payload, clock.now_ms()))


async def _publish(client: aiomqtt.Client, messages: Sequence[Message]) -> None:
    for start in range(0, len(messages), AT_ONCE):
        await asyncio.gather(*(client.publish(m.topic, m.payload, 1) for m in messages[start : start + AT_ONCE]))


def _client(to: Broker) -> aiomqtt.Client:
    import aiomqtt

    tls = ssl.create_default_context() if to.tls else None
    return aiomqtt.Client(
        to.host, to.port, username=to.username, password=to.password, tls_context=tls, timeout=10,
        protocol=aiomqtt.ProtocolVersion.V311, logger=logging.getLogger("ohmstead.simulator.wire"),
    )  # fmt: skip
