"""The live socket: what goes in, what comes out, and that one slow or silent client costs the others nothing."""

from __future__ import annotations

import asyncio
import gc
import json
import socket as network
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ohmstead.core.clock import ManualClock, iso
from ohmstead.core.events import DeviceChanged, DeviceStatusChanged, StateChanged
from ohmstead.core.model import DeviceStatus
from ohmstead.web import fanout, frame, live
from ohmstead.web.access import new_owner_token
from tests.web.house import ROOMS, House, problem


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House(tmp_path) as house:
        yield house


class Socket:
    """A client of the live socket."""

    def __init__(self, house: House, **options: Any) -> None:
        self._connecting = house.client.ws_connect("/api/v1/live", **options)

    async def __aenter__(self) -> Socket:
        self.socket = await self._connecting
        assert await self.next() == {"type": "CONNECTION_ACK", "payload": None}
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.socket.close()

    async def send(self, kind: str, **payload: Any) -> None:
        """Send a message, and be sure that it was dealt with."""
        await self.socket.send_json({"type": kind, "payload": payload} if payload else {"type": kind})
        await self.socket.send_json({"type": "PING"})
        assert (await self.next())["type"] == "PONG"

    async def next(self) -> dict[str, Any]:
        return await self.socket.receive_json(timeout=30)

    async def quiet(self) -> bool:
        """Nothing but the answer to a ping comes."""
        await asyncio.sleep(fanout.PAUSE_S * 3)
        await self.socket.send_json({"type": "PING"})
        return (await self.next())["type"] == "PONG"


async def test_hears_what_it_subscribed(house: House) -> None:
    async with Socket(house) as socket:
        await house.reading("D1", "power", 1.0)
        assert await socket.quiet()  # it has not subscribed yet
        await socket.send("SUBSCRIBE", devices=["D1"])
        at_ms = house.hub.clock.now_ms()
        await house.reading("D1", "power", 195.5, at_ms)
        assert await socket.next() == {
            "type": "ENERGY_UPDATE",
            "payload": {"device": "D1", "quantity": "power", "value": 195.5, "at": iso(at_ms)},
        }
        await house.reading("D1", "power", 195.5, at_ms + 10)  # the same value later
        assert (await socket.next())["payload"]["at"] == iso(at_ms + 10)
        await house.reading("D2", "power", 7.0)
        assert await socket.quiet()
        await socket.send("SUBSCRIBE", devices=["D2"])
        await house.reading("D2", "voltage", 230.0)
        assert (await socket.next())["payload"]["device"] == "D2"
        await socket.send("UNSUBSCRIBE", devices=["D2"])
        await house.reading("D2", "voltage", 231.0)
        assert await socket.quiet()
        await socket.send("UNSUBSCRIBE")
        await house.reading("D1", "power", 1.0)
        assert await socket.quiet()
    assert not house.hub.bus.wants(StateChanged)  # nobody subscribed: nothing is listened to


async def test_everything(house: House) -> None:
    async with Socket(house) as socket, Socket(house) as one:
        await socket.send("SUBSCRIBE")
        await one.send("SUBSCRIBE", devices=["D2"])
        await house.reading("D1", "power", 1.0)
        await house.reading("D2", "power", 2.0)
        assert [(await socket.next())["payload"]["device"] for _ in range(2)] == ["D1", "D2"]
        assert (await one.next())["payload"]["value"] == 2.0
        await socket.send("UNSUBSCRIBE")
        await house.reading("D2", "power", 3.0)
        assert (await one.next())["payload"]["value"] == 3.0
        assert await socket.quiet()


async def test_status(house: House) -> None:
    async with Socket(house) as socket:
        await socket.send("SUBSCRIBE", devices=["D1"])
        for device in ("D2", "D1"):
            house.hub.bus.publish(DeviceStatusChanged(device, DeviceStatus.ONLINE, DeviceStatus.OFFLINE, "silent for 120 s", 1_000))
        assert await socket.next() == {
            "type": "DEVICE_STATUS",
            "payload": {"device": "D1", "status": "offline", "reason": "silent for 120 s", "at": "1970-01-01T00:00:01Z"},
        }


async def test_locations(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Socket(house) as socket:
        await socket.send("SUBSCRIBE", locations=["attic"])
        await house.reading("D1", "power", 1.0)
        await house.reading("pv", "power", 2.0)
        assert (await socket.next())["payload"]["device"] == "pv"
        monkeypatch.setitem(ROOMS, "attic", ("D1",))  # somebody carried it upstairs
        house.hub.bus.publish(DeviceChanged("D1", "changed"))
        await house.reading("D1", "power", 3.0)
        assert (await socket.next())["payload"]["device"] == "D1"
        await socket.socket.send_json({"type": "SUBSCRIBE", "payload": {"locations": ["moon"]}})
        assert "moon" in (await socket.next())["payload"]["message"]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("not json", "not understood"), ("[]", "not understood"), ('{"type":"DANCE"}', "unknown message"), ("[" * 5000, "not understood"),
        ('{"type":"SUBSCRIBE","payload":{"devices":"D1"}}', "not understood"), ('{"type":7}', "not understood"),
        (json.dumps({"type": "SUBSCRIBE", "payload": {"devices": [str(n) for n in range(live.MAX_NAMES + 1)]}}), "more than"),
    ],
)  # fmt: skip
async def test_nonsense_is_answered_and_the_socket_stays(house: House, message: str, said: str) -> None:
    async with Socket(house) as socket:
        await socket.socket.send_str(message)
        answer = await socket.next()
        assert answer["type"] == "ERROR"
        assert said in answer["payload"]["message"]
        await socket.send("SUBSCRIBE", devices=["D1"])


async def test_ping_of_the_protocol(house: House) -> None:
    async with Socket(house, autoping=False) as socket:
        await socket.socket.ping(b"abc")
        message = await socket.socket.receive(timeout=30)
        assert (message.type, message.data) == (aiohttp.WSMsgType.PONG, b"abc")


async def test_too_large(house: House) -> None:
    async with Socket(house) as socket:
        await socket.socket.send_str("x" * (live.MAX_MESSAGE + 1))
        message = await socket.socket.receive(timeout=30)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)


async def test_sign_in_and_plain_requests(house: House) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as error:
        await house.stranger.ws_connect("/api/v1/live")
    assert error.value.status == 401
    async with house.client.get("/api/v1/live") as response:
        assert response.status == 400
        assert "WebSocket" in (await problem(response))["message"]


async def test_the_hub_stops(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        async with Socket(house) as socket:
            stopping = asyncio.ensure_future(house.web.stop())
            message = await socket.socket.receive(timeout=30)
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
            began = time.monotonic()
            await stopping
            assert time.monotonic() - began < 3


async def test_one_who_stays_away_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        _reader, writer = await deaf(house)
        began = time.monotonic()
        await house.web.stop()
        assert time.monotonic() - began < live.CLOSE_S + 2
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def deaf(house: House) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that subscribes to everything and reads nothing, nor answers."""
    connection = network.socket()
    connection.setsockopt(network.SOL_SOCKET, network.SO_RCVBUF, 4096)  # or the system takes in megabytes for it
    connection.connect(("127.0.0.1", house.web.port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=1024)
    writer.write(
        f"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {house.token}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    message = b'{"type":"SUBSCRIBE"}'
    writer.write(bytes((0x81, 0x80 | len(message))) + b"\0\0\0\0" + message)
    await writer.drain()
    return reader, writer


async def test_a_slow_client_gets_the_newest_of_each_series(house: House) -> None:
    reader, writer = await deaf(house)
    writer.transport.pause_reading()
    while not house.hub.bus.wants(StateChanged):
        await asyncio.sleep(0.01)
    (client,) = house.web.live._clients
    names = [f"device_with_a_rather_long_name_{n:03}" for n in range(200)]
    now = house.hub.clock.now_ms()
    rounds = 0
    while client.late is None or rounds < 20 or rounds < client.transport.get_write_buffer_size() / 1e6:
        rounds += 1
        assert rounds < 2000
        for name in names:
            await house.reading(name, "power", float(rounds), now - 100_000 + rounds)
        await asyncio.sleep(fanout.PAUSE_S * (1.1 if rounds % 5 == 0 else 0))
    assert len(client.late) <= len(names)
    assert client.transport.get_write_buffer_size() < 1_000_000
    writer.transport.resume_reading()
    got: dict[str, float] = {}
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not (len(got) == 200 and set(got.values()) == {float(rounds)}):
        head = await asyncio.wait_for(reader.readexactly(2), 30)
        size = head[1] if head[1] < 126 else int.from_bytes(await reader.readexactly(2), "big")
        message = json.loads(await reader.readexactly(size))
        if message["type"] == "ENERGY_UPDATE":
            got[message["payload"]["device"]] = message["payload"]["value"]
    assert set(got.values()) == {float(rounds)}
    writer.close()
    await writer.wait_closed()


async def test_a_silent_client_is_dropped_and_an_answering_one_is_not(tmp_path: Path) -> None:
    clock = ManualClock()
    async with House(tmp_path, clock=clock) as house:
        _reader, writer = await deaf(house)
        async with Socket(house) as socket:
            reading = asyncio.ensure_future(socket.socket.receive())
            for _ in range(live.MISSED + 2):
                await clock.advance(live.HEARTBEAT_S)
                await asyncio.sleep(0.05)
            assert len(house.web.live) == 1
            assert not reading.done()
            new_owner_token(house.hub.data_dir)  # what came in with the old one has to sign in again
            await clock.advance(2)
            house.web.access.refresh()
            await clock.advance(live.HEARTBEAT_S)
            message = await asyncio.wait_for(reading, 30)
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_full_house(house: House) -> None:
    house.web.live.room = 1
    async with Socket(house):
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await house.client.ws_connect("/api/v1/live")
        assert error.value.status == 503


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames(size: int) -> None:
    framed = frame.text(b"x" * size)
    head = 2 if size < 126 else 4 if size < 65_536 else 10
    assert framed[0] == 0x81
    assert len(framed) == head + size
    if size >= 126:
        assert int.from_bytes(framed[2:head], "big") == size


async def test_one_change_to_many_clients_is_encoded_once(house: House) -> None:
    crowd = aiohttp.ClientSession(house.url, headers=house.owner, connector=aiohttp.TCPConnector(limit=0))
    sockets = [await crowd.ws_connect("/api/v1/live") for _ in range(200)]
    for socket in sockets:
        await socket.send_json({"type": "SUBSCRIBE"})
        await socket.send_json({"type": "PING"})
    for socket in sockets:
        while (await socket.receive_json(timeout=30))["type"] != "PONG":
            pass
    gc.collect()
    await asyncio.sleep(0.2)
    began = time.process_time()
    await house.reading("D1", "power", 1.0)
    for socket in sockets:
        assert (await socket.receive_json(timeout=30))["payload"]["value"] == 1.0
    assert time.process_time() - began < 0.5
    await asyncio.gather(*(socket.close() for socket in sockets))
    await crowd.close()
