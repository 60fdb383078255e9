"""The live socket: who has subscribed hears of every change of state and status as it happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from aiohttp import WSMsgType
from aiohttp.web_request import BaseRequest
from aiohttp.web_ws import WebSocketResponse

from ohmstead.core.bus import Bus, Unsubscribe
from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Invalid, Rejected, Unavailable
from ohmstead.core.events import Announced, DeviceChanged, DeviceStatusChanged, StateChanged, StateReported
from ohmstead.core.model import State
from ohmstead.web import frame
from ohmstead.web.fanout import Client, Fanout, Wanted

MAX_CLIENTS = 20_000
MAX_MESSAGE = 64 * 1024  # bytes a client may send at once
MAX_NAMES = 5_000  # devices and locations one client may name
HEARTBEAT_S = 30.0
MISSED = 2  # heartbeats without an answer before the client counts as gone
CLOSE_S = 1.0  # how long clients have to say goodbye
SLICE = 500  # sockets that are pinged before others may run
GOING_AWAY, POLICY = 1001, 1008

Locate = Callable[[str], Iterable[str]]  # location -> the devices in it; Rejected for an unknown one


class Names(msgspec.Struct):
    """What a client (un)subscribes; nothing named means everything."""

    devices: list[str] | None = None
    locations: list[str] | None = None


class Message(msgspec.Struct):
    """What a client sends."""

    type: str
    payload: Names | None = None


_decode = msgspec.json.Decoder(Message).decode
_encode = msgspec.json.encode


def said(kind: str, payload: Any = None) -> bytes:
    """One message as JSON."""
    return _encode({"type": kind, "payload": payload})


def _news(change: object) -> bytes:
    if isinstance(change, State):
        series = change.series
        return said(
            "ENERGY_UPDATE",
            {"device": series.device, "quantity": series.quantity, "value": change.value, "at": iso(change.updated_ms)},
        )
    if isinstance(change, Announced):
        return said(change.kind, change.payload)
    assert isinstance(change, DeviceStatusChanged)
    return said("DEVICE_STATUS", {"device": change.device, "status": change.new, "reason": change.reason, "at": iso(change.at_ms)})


class Live:
    """All open live sockets. Listens to the bus only while somebody has subscribed."""

    def __init__(self, bus: Bus, clock: Clock, generation: Callable[[], int], locate: Locate | None = None) -> None:
        self.room = MAX_CLIENTS
        self._bus = bus
        self._clock = clock
        self._generation = generation
        self._locate = locate or _nowhere
        self._clients: set[Client] = set()
        self._fanout = Fanout(_news)
        self._listening: list[Unsubscribe] = []
        self._heart: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._stopping = False

    def __len__(self) -> int:
        return len(self._clients)

    def start(self) -> None:
        """Begin to ping those who are connected."""
        self._stopping = False
        self._heart = asyncio.get_running_loop().create_task(self._beat(), name="live heartbeat")

    async def stop(self) -> None:
        """Close every socket with 1001 and wait a moment for the others to do the same."""
        self._stopping = True
        self._listen(False)
        self._fanout.stop()
        if self._heart is not None:
            self._heart.cancel()
            await asyncio.gather(self._heart, return_exceptions=True)
        self._close(self._clients, GOING_AWAY, "the hub stops")
        if self._clients:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), CLOSE_S)
        for client in self._clients:
            client.transport.close()

    async def serve(self, request: BaseRequest) -> WebSocketResponse:
        """Upgrade a request and stay with the socket until it closes. Invalid for no WebSocket, Unavailable when full."""
        if self._stopping or len(self._clients) >= self.room:
            raise Unavailable("there is no room for one more live socket")
        socket = WebSocketResponse(compress=False, autoping=False, max_msg_size=MAX_MESSAGE, timeout=CLOSE_S)
        if not socket.can_prepare(request).ok:
            raise Invalid("this is a WebSocket; connect to it with one")
        await socket.prepare(request)
        transport = request.transport
        assert transport is not None
        client = Client(transport, self._generation())
        self._clients.add(client)
        self._empty.clear()
        try:
            await socket.send_frame(said("CONNECTION_ACK"), WSMsgType.TEXT)
            await self._listen_to(socket, client)
        except ConnectionError:
            pass  # it went away while we answered
        finally:
            self._leave(client)
        return socket

    async def _listen_to(self, socket: WebSocketResponse, client: Client) -> None:
        async for message in socket:
            client.quiet = 0
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                answer = self._answer(client, message.data)
                if answer is not None:
                    await socket.send_frame(answer, WSMsgType.TEXT)

    def _leave(self, client: Client) -> None:
        self._clients.discard(client)
        self._fanout.drop(client)
        self._listen(len(self._fanout) > 0)
        if not self._clients:
            self._empty.set()

    def _answer(self, client: Client, raw: str | bytes) -> bytes | None:
        """Do what a message asks; what to answer, if anything."""
        try:
            message = _decode(raw)
            if message.type == "PING":
                return said("PONG")
            if message.type == "SUBSCRIBE":
                self._subscribe(client, message.payload or Names())
            elif message.type == "UNSUBSCRIBE":
                _unsubscribe(client, message.payload or Names())
            else:
                raise Invalid(f"unknown message {message.type[:40]!r}; expected SUBSCRIBE, UNSUBSCRIBE or PING")
            self._place(client)
        except Rejected as error:
            return said("ERROR", {"code": error.code, "message": str(error)})
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return said("ERROR", {"code": "VALIDATION_ERROR", "message": f"not understood: {error}".replace("`", "")})
        return None

    def _subscribe(self, client: Client, names: Names) -> None:
        if names.devices is None and names.locations is None:
            client.everything = True
            return
        devices, locations = client.devices | set(names.devices or ()), client.locations | set(names.locations or ())
        if len(devices) + len(locations) > MAX_NAMES:
            raise Invalid(f"more than {MAX_NAMES} names; subscribe without names to hear everything")
        for location in names.locations or ():
            self._locate(location)  # Rejected before anything is changed
        client.devices, client.locations = devices, locations

    def _place(self, client: Client) -> None:
        self._fanout.move(client, self._wanted(client))
        self._listen(len(self._fanout) > 0)

    def _wanted(self, client: Client) -> Wanted:
        if client.everything:
            return None
        found = set(client.devices)
        for location in client.locations:
            with contextlib.suppress(Rejected):  # it was removed since
                found.update(self._locate(location))
        return frozenset(found)

    def _listen(self, on: bool) -> None:
        if on == bool(self._listening):
            return
        for unsubscribe in self._listening:
            unsubscribe()
        self._listening = []
        if on:
            self._listening = [
                self._bus.subscribe(StateChanged, self._moved),
                self._bus.subscribe(StateReported, self._moved),
                self._bus.subscribe(DeviceStatusChanged, self._status),
                self._bus.subscribe(DeviceChanged, self._relocate),
                self._bus.subscribe(Announced, self._announced),
            ]

    def _moved(self, event: StateChanged | StateReported) -> None:
        state = event.new
        self._fanout.put(state.series, state.series.device, state)

    def _status(self, event: DeviceStatusChanged) -> None:
        self._fanout.put(event.device, event.device, event)

    def _announced(self, event: Announced) -> None:
        self._fanout.put((event.kind, event.key), event.device, event)

    def _relocate(self, event: DeviceChanged) -> None:
        """A device came, went or moved: whoever named a location may have others now."""
        for client in [client for client in self._clients if client.locations]:
            self._fanout.move(client, self._wanted(client))

    async def _beat(self) -> None:
        """Ping all, end those that do not answer, and those that came in with a token that is no longer good."""
        while True:
            await self._clock.sleep(HEARTBEAT_S)
            clients = list(self._clients)
            for start in range(0, len(clients), SLICE):
                self._ping(clients[start : start + SLICE])
                await asyncio.sleep(0)

    def _ping(self, clients: list[Client]) -> None:
        generation = self._generation()
        self._close([client for client in clients if client.generation != generation], POLICY, "sign in again")
        for client in clients:
            if client.quiet >= MISSED:
                client.transport.abort()
            elif not client.transport.is_closing():
                client.quiet += 1
                if not client.is_full():
                    client.transport.write(frame.PING)

    def _close(self, clients: Iterable[Client], code: int, reason: str) -> None:
        goodbye = frame.close(code, reason)
        for client in clients:
            if not client.transport.is_closing():
                client.transport.write(goodbye)


def _unsubscribe(client: Client, names: Names) -> None:
    if names.devices is None and names.locations is None:
        client.everything = False
        client.devices.clear()
        client.locations.clear()
    client.devices.difference_update(names.devices or ())
    client.locations.difference_update(names.locations or ())


def _nowhere(location: str) -> Iterable[str]:
    raise Invalid(f"there is no location {location[:64]!r}")
