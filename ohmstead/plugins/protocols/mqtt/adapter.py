"""One connection to a broker. The only file that knows aiomqtt and the private parts of paho below it.

What we replace of them, and why: the reader, which takes a task and three system calls per message there and here
takes what the socket has at once; acknowledgement, which at QoS 2 paho gives before anything is stored; and dialling,
which leaves sockets open when TLS fails.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ohmstead.core.errors import Refused, Unavailable
from ohmstead.plugins.protocols.mqtt.frames import PUBACK, PUBLISH, PUBREL, Frames, Malformed, Publish, complete, publish
from ohmstead.plugins.protocols.mqtt.message import Acks
from ohmstead.plugins.protocols.mqtt.options import Options

AT_ONCE = 32_768  # bytes taken in one turn of the loop: some 200 messages, a few milliseconds of work
WINDOW = 1000  # messages the broker may have out unacknowledged; a group for the writer forms within it
LARGEST = 8_000_000  # bytes of a packet (MQTT 5 brokers leave larger ones out)
KEEP_ALIVE_S = 30
DIAL_S = 4.0
FOR_EVER = 0xFFFFFFFF  # a session that never expires, MQTT 5 section 3.1.2.11.2
REFUSALS = {  # MQTT 5 section 3.2.2.2; paho turns the codes of 3.1.1 into these
    133: "it does not take our client id", 134: "wrong user name or password", 135: "this user may not connect",
    138: "this client is banned", 140: "it wants another way to sign in",
}  # fmt: skip

log = logging.getLogger(__name__)

T = TypeVar("T")
Receive = Callable[["Connection", Publish], None]


class Connection:
    """From dialling to its end; never used again after that. `on_message` runs in the reader, so it must be quick."""

    def __init__(self, options: Options, client_id: str, will: tuple[str, bytes], on_message: Receive) -> None:
        self.acks = Acks(self._acknowledge, time.monotonic)
        self._options, self._on_message = options, on_message
        self._v5 = options.protocol == 5
        self._loop = asyncio.get_running_loop()
        self._client = _client(options, client_id, will, self._v5)
        self._paho = self._client._client
        self._paho._packet_read = self._read  # type: ignore[method-assign]
        self._paho._create_socket = self._dial  # type: ignore[method-assign]
        self._frames = Frames()
        self._pending_acks: list[bytes] = []
        self._paused = self._given_up = False
        self._lost: str | None = None

    async def open(self) -> None:
        """Connect. Refused when the broker does not take our credentials, Unavailable for all that may pass."""
        opening = asyncio.create_task(self._client.__aenter__())
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            self._given_up = True  # the thread that dials looks at this
            if self._paho._sock is None:
                await asyncio.wait({opening}, timeout=DIAL_S)
            self._drop(opening)
            raise
        except MqttConnectError as error:
            self._drop()
            raise self._refusal(error) from error
        except (aiomqtt.MqttError, ssl.SSLError) as error:
            self._drop()
            raise Unavailable(f"broker {self._options.place}: {_words(error)}") from error

    def _refusal(self, error: MqttConnectError) -> Exception:
        reason = REFUSALS.get(getattr(error.rc, "value", 0))
        if reason is None:
            return Unavailable(f"broker {self._options.place} does not take us: {error.rc}")
        user = f" (user {self._options.username!r})" if self._options.username else " (no user name was given)"
        return Refused(f"broker {self._options.place}: {reason}{user}")

    def _dial(self) -> socket.socket:
        """A connected socket, in paho's thread."""
        options = self._options
        context = None if options.tls is None else options.tls.context()
        raw = socket.create_connection((options.host, options.port), DIAL_S)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made = raw if context is None else context.wrap_socket(raw, server_hostname=options.host, do_handshake_on_connect=False)
        except BaseException:
            raw.close()
            raise
        try:
            if isinstance(made, ssl.SSLSocket):
                made.do_handshake()
            if self._given_up:
                raise ConnectionAbortedError("nobody wants it any more")
        except BaseException:
            made.close()
            raise
        return made

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done when the connection is gone."""
        return self._client._disconnected

    @property
    def reason(self) -> str:
        """Why it is gone."""
        error = self.ended.exception() if self.ended.done() else None
        return f"broker {self._options.place}: {self._lost or (_words(error) if error else 'the connection is closed')}"

    async def subscribe(self, filters: Iterable[tuple[str, int]]) -> list[int]:
        """Subscribe; the broker's answer to each: the QoS it grants, or 128 and above for a refusal. Unavailable."""
        answer = await self._tell(self._client.subscribe(list(filters)))
        return [code if isinstance(code, int) else code.value for code in answer]

    async def unsubscribe(self, filters: Iterable[str]) -> None:
        """Unsubscribe. Unavailable."""
        await self._tell(self._client.unsubscribe(list(filters)))

    async def publish(self, topic: str, payload: bytes, qos: int, retain: bool, within_s: float) -> None:
        """Publish, and at QoS 1 and 2 wait for the broker's word. Unavailable."""
        await self._tell(self._client.publish(topic, payload, qos, retain, timeout=within_s))

    async def _tell(self, work: Coroutine[Any, Any, T]) -> T:
        """The broker's answer, or Unavailable as soon as the connection is gone."""
        asking = asyncio.create_task(work)
        both: set[asyncio.Future[Any]] = {asking, self.ended}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise Unavailable(self.reason)
            return asking.result()
        except (aiomqtt.MqttError, ValueError) as error:  # paho raises ValueError for what no broker would take
            raise Unavailable(f"broker {self._options.place}: {_words(error)}") from error
        finally:
            asking.cancel()

    async def close(self, in_peace: bool = False) -> None:
        """End it. In peace, the broker is told what is acknowledged and that we go, so that no last will goes out."""
        if in_peace and not self.ended.done():
            self._flush()
            try:
                await self._client.__aexit__(None, None, None)
            except aiomqtt.MqttError as error:
                log.debug("leaving the broker: %s", error)
        self.acks.close()
        self._drop()

    def _drop(self, opening: asyncio.Task[aiomqtt.Client] | None = None) -> None:
        if opening is not None and not opening.done():
            opening.cancel()
        self._paho._sock_close()
        if self._client._misc_task is not None:
            self._client._misc_task.cancel()

    def _read(self) -> MQTTErrorCode:
        """Take what the socket has; stands in for paho's reader of one packet, and reports as that does."""
        try:
            data = self._paho._sock_recv(AT_ONCE)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_AGAIN
        except OSError as error:
            return self._lose(f"the connection was lost: {_words(error)}")
        if not data:
            return self._lose("it closed the connection")
        self._paho._last_bytes_received = time.monotonic()
        try:
            for first, body in self._frames.feed(data):
                wrong = self._packet(first, body)
                if wrong:
                    return wrong
        except (Malformed, MalformedPacket) as error:
            return self._lose(f"it sends what is no MQTT: {error}")
        self._mind_the_window()
        return MQTTErrorCode.MQTT_ERR_AGAIN

    def _lose(self, reason: str) -> MQTTErrorCode:
        """Remember why, and tell whoever still waits for the broker's welcome, which aiomqtt leaves waiting."""
        self._lost = reason
        if not self._client._connected.done():
            self._client._connected.set_exception(aiomqtt.MqttError(reason))
        return MQTTErrorCode.MQTT_ERR_CONN_LOST

    def _packet(self, first: int, body: bytes) -> MQTTErrorCode:
        kind = first & 0xF0
        if kind == PUBLISH:
            self._on_message(self, publish(first, body, self._v5))
        elif kind == PUBREL:
            self._acknowledge(complete(body))
        else:
            paho = self._paho
            paho._in_packet = {
                "command": first, "have_remaining": 1, "remaining_count": [], "remaining_mult": 1, "remaining_length": len(body),
                "packet": bytearray(body), "to_process": 0, "pos": 0,
            }  # fmt: skip
            return paho._packet_handle()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _mind_the_window(self) -> None:
        """A broker told to send without bound is slowed by TCP: nothing is read until half the window is free."""
        if len(self.acks) >= 2 * WINDOW and not self._paused and self._paho._sock is not None:
            self._paused = True
            self._loop.remove_reader(self._paho._sock.fileno())

    def _resume(self) -> None:
        self._paused = False
        if self._paho._sock is not None:
            self._loop.add_reader(self._paho._sock.fileno(), self._readable)

    def _readable(self) -> None:
        """As aiomqtt's own callback, which cannot be had back once it was removed."""
        sock = self._paho._sock
        while self._paho.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS and isinstance(sock, ssl.SSLSocket) and sock.pending():
            pass

    def _acknowledge(self, packets: bytes) -> None:
        """Send acknowledgements, those of one turn of the loop in one piece."""
        if not self._pending_acks:
            self._loop.call_soon(self._flush)
        self._pending_acks.append(packets)
        if self._paused and len(self.acks) < WINDOW:
            self._resume()

    def _flush(self) -> None:
        if self._pending_acks and self._paho._sock is not None:
            self._paho._packet_queue(PUBACK, b"".join(self._pending_acks), 0, 1)
        self._pending_acks.clear()


def _client(options: Options, client_id: str, will: tuple[str, bytes], v5: bool) -> aiomqtt.Client:
    session = {"clean_start": False, "properties": _properties()} if v5 else {"clean_session": False}
    return aiomqtt.Client(
        options.host, options.port, username=options.username, password=options.password, identifier=client_id,
        protocol=aiomqtt.ProtocolVersion.V5 if v5 else aiomqtt.ProtocolVersion.V311, keepalive=KEEP_ALIVE_S,
        will=aiomqtt.Will(will[0], will[1], 1, True), logger=logging.getLogger("ohmstead.mqtt.wire"), **session,
    )  # fmt: skip


def _properties() -> Properties:
    """Both are needed: without the first the session ends with the connection, without the second the window is the broker's."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = FOR_EVER
    properties.ReceiveMaximum = WINDOW
    properties.MaximumPacketSize = LARGEST
    return properties


def _words(error: BaseException) -> str:
    """What went wrong, for people."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is not trusted: " + text.partition("failed: ")[2].partition(" (_ssl")[0]
    if "ALERT" in text or "certificate required" in text:
        return "it ended the TLS handshake; it may want a certificate of ours (mqtt → tls → cert, key)"
    if isinstance(error, TimeoutError) or "timed out" in text:
        return "no answer"
    return text or type(error).__name__
