"""The load generator, a process of its own: everything is encoded before the first byte is sent.

    python -m bench.load http PORT TOKEN PATH CONNECTIONS BODIES    one POST after the other on each connection
    python -m bench.load mqtt PORT MESSAGES                         QoS 1 as fast as the broker acknowledges
    python -m bench.load paced PORT RATE SECONDS                    so many messages a second of 1,000 devices, made as they go

BODIES and MESSAGES are files of records, each a length of four bytes and its content (for MQTT: topic, a zero byte,
payload). It waits for a line on its standard input, and prints JSON when it is done.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

WINDOW = 2000  # unacknowledged messages on their way to the broker
LOT = 200  # messages in one write
DEVICES = 999  # with the probe as many as may register themselves
TICK_S = 0.01
PROBE_TICKS = 5  # every so many ticks the device `probe` sends


def keep(path: Path, records: Iterable[bytes]) -> None:
    """Write a file of records."""
    with path.open("wb") as file:
        for record in records:
            file.write(struct.pack("!I", len(record)) + record)


def kept(path: Path) -> Iterator[bytes]:
    """Read it."""
    data, place = path.read_bytes(), 0
    while place < len(data):
        (size,) = struct.unpack_from("!I", data, place)
        yield data[place + 4 : place + 4 + size]
        place += 4 + size


# ---- HTTP -----------------------------------------------------------------------------------------------------------


def request(path: str, token: str, body: bytes) -> bytes:
    """A whole POST."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def answer(connection: socket.socket, held: bytes) -> tuple[int, bytes, bytes]:
    """Status and body of the next answer, and what was read beyond it."""
    while (cut := held.find(b"\r\n\r\n")) < 0:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("the hub closed the connection")
        held += more
    head, held = held[:cut].lower(), held[cut + 4 :]
    size = int(head.split(b"content-length:")[1].split(b"\r\n")[0]) if b"content-length:" in head else 0
    while len(held) < size:
        held += connection.recv(65536)
    return int(head.split(b" ", 2)[1]), held[:size], held[size:]


def post_all(port: int, requests: list[bytes], failures: list[str], waits: list[float]) -> None:
    """Send one after the other, each once the one before is answered."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held = b""
        for each in requests:
            start = time.perf_counter()
            connection.sendall(each)
            status, body, held = answer(connection, held)
            waits.append(time.perf_counter() - start)
            if status >= 300:
                failures.append(f"{status} {body[:300]!r}")
                return


def http(port: int, token: str, path: str, connections: int, bodies: Path) -> dict[str, object]:
    """Post all bodies from several connections; how long it took."""
    requests = [request(path, token, body) for body in kept(bodies)]
    failures: list[str] = []
    waits: list[float] = []
    threads = [
        threading.Thread(target=post_all, args=(port, requests[number::connections], failures, waits)) for number in range(connections)
    ]
    go()
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"s": time.perf_counter() - start, "failures": failures[:3], "longest_s": max(waits, default=0.0)}


# ---- MQTT 3.1.1 -----------------------------------------------------------------------------------------------------


def length(number: int) -> bytes:
    """The remaining length of a packet."""
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (128 if number else 0))
        if not number:
            return bytes(out)


def text(value: bytes) -> bytes:
    """A string of a packet."""
    return struct.pack("!H", len(value)) + value


def connect(client: bytes) -> bytes:
    """CONNECT with a clean session and no keep-alive."""
    body = text(b"MQTT") + bytes([4, 2, 0, 0]) + text(client)
    return b"\x10" + length(len(body)) + body


def publish(topic: bytes, payload: bytes, number: int) -> bytes:
    """PUBLISH with QoS 1."""
    body = text(topic) + struct.pack("!H", number) + payload
    return b"\x32" + length(len(body)) + body


class Acknowledged:
    """Counts the broker's PUBACKs, four bytes each, in a thread."""

    def __init__(self, connection: socket.socket, wanted: int) -> None:
        self.count = 0
        self.changed = threading.Condition()
        self._connection, self._wanted = connection, wanted
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        total = 0
        while total < 4 * self._wanted and (data := self._connection.recv(65536)):
            total += len(data)
            with self.changed:
                self.count = total // 4
                self.changed.notify()

    def wait_for(self, count: int) -> None:
        with self.changed:
            if not self.changed.wait_for(lambda: self.count >= count, 60):
                raise TimeoutError("the broker does not acknowledge")


@contextmanager
def publisher(port: int, client: bytes = b"load") -> Iterator[socket.socket]:
    """A connection to the broker that is accepted."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(connect(client))
        assert connection.recv(4)[:1] == b"\x20"
        yield connection


def mqtt(port: int, messages: Path) -> dict[str, object]:
    """Publish all messages as fast as WINDOW allows; how long it took."""
    packets = []
    for number, record in enumerate(kept(messages)):
        topic, _, payload = record.partition(b"\0")
        packets.append(publish(topic, payload, number % 65000 + 1))
    lots = [b"".join(packets[place : place + LOT]) for place in range(0, len(packets), LOT)]
    with publisher(port) as connection:
        go()
        acknowledged = Acknowledged(connection, len(packets))
        start = time.perf_counter()
        for number, lot in enumerate(lots):
            acknowledged.wait_for(min(len(packets), number * LOT) - WINDOW)
            connection.sendall(lot)
        acknowledged.wait_for(len(packets))
        return {"s": time.perf_counter() - start, "failures": []}


def paced(port: int, rate: float, seconds: float) -> dict[str, object]:
    """Publish at a steady rate, every message with the instant it is sent at; how many of all and of the device `probe`."""
    ticks, sent, probes = int(seconds / TICK_S), 0, 0
    with publisher(port) as connection:
        go()
        acknowledged = Acknowledged(connection, sys.maxsize)
        start = time.perf_counter()
        for tick in range(ticks):
            time.sleep(max(0.0, start + tick * TICK_S - time.perf_counter()))
            due = int((tick + 1) * TICK_S * rate) - sent + probes
            lot = [message(b"meter-%04d" % ((sent + more) % DEVICES), sent + more) for more in range(due)]
            if tick % PROBE_TICKS == 0:
                lot.append(message(b"probe", sent + due))
                probes += 1
            connection.sendall(b"".join(lot))
            sent += len(lot)
        late_s = time.perf_counter() - start - seconds
        acknowledged.wait_for(sent)
    return {"sent": sent, "probes": probes, "late_s": late_s, "failures": []}


def message(device: bytes, number: int) -> bytes:
    """Four values of a device at this instant."""
    now = time.time_ns() // 1_000_000
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1000)).encode()
    payload = b'{"device_id":"%b","timestamp":"%b.%03dZ","voltage":%.1f,"current":%.1f,"power":%.1f,"temperature":%.1f}' % (
        device, at, now % 1000, 230 + number % 50 / 10, number * 7 % 160 / 10, number * 13 % 36800 / 10, 20 + number % 99 / 10,
    )  # fmt: skip
    return publish(b"devices/%b/telemetry" % device, payload, number % 65000 + 1)


def go() -> None:
    """Say that all is encoded, and wait for the word."""
    print("ready", flush=True)
    sys.stdin.readline()


def main() -> None:
    kind, port, *rest = sys.argv[1:]
    if kind == "http":
        token, path, connections, bodies = rest
        result = http(int(port), token, path, int(connections), Path(bodies))
    elif kind == "mqtt":
        result = mqtt(int(port), Path(rest[0]))
    else:
        result = paced(int(port), *map(float, rest))
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
