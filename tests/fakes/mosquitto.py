"""A real Mosquitto of one's own on a free port of 127.0.0.1: stopped, killed and started again at will."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from tests.fakes.services import require

# What docs/mqtt.md tells the owner of a broker to set; a test compares the two.
DURABLE = """\
persistence true
autosave_on_changes true
autosave_interval 1
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 1000
persistent_client_expiration 1y
"""
# For what is not about lasting: writing its database at every change makes it slow.
QUICK = "persistence false\nmax_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages 1000\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """One broker; its folder keeps what it persists between two runs."""

    def __init__(self, folder: Path, more: str = QUICK, access: str = "allow_anonymous true\n") -> None:
        self.folder, self.port = folder, free_port()
        self._program = require("mosquitto")
        self._process: subprocess.Popen[bytes] | None = None
        self._conf = folder / "mosquitto.conf"
        folder.mkdir(parents=True, exist_ok=True)
        place = f"persistence_location {folder}/\n" if "persistence true" in more else ""
        # Debian's mosquitto changes to its own user when started as root, who cannot read the test's folder.
        user = "user root\n" if os.geteuid() == 0 else ""
        self._conf.write_text(f"{user}per_listener_settings false\nlistener {self.port} 127.0.0.1\n{access}{place}{more}set_tcp_nodelay true\nlog_dest file {folder}/log\n")

    async def start(self) -> None:
        self._process = subprocess.Popen([self._program, "-c", str(self._conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            assert self._process.poll() is None, (self.folder / "log").read_text()
            await asyncio.sleep(0.02)
        raise AssertionError("mosquitto does not start")

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            await asyncio.to_thread(process.wait, 10)

    async def freeze(self) -> None:
        """It takes connections (the kernel does) and never answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    async def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def publish(self, topic: str, payload: str | bytes, qos: int = 1, retain: bool = False, access: Iterable[str] = ()) -> int:
        """Publish by mosquitto_pub and wait for the broker's word; its exit code."""
        raw = payload.encode() if isinstance(payload, str) else payload
        flags = ["-r"] if retain else []
        process = await asyncio.create_subprocess_exec(
            require("mosquitto_pub"), "-p", str(self.port), "-t", topic, "-q", str(qos), "-s", *flags, *access,
            stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await process.communicate(raw)
        return process.returncode or 0

    async def publish_lines(self, topic: str, lines: Iterable[str], qos: int = 1) -> None:
        """One message a line, in order."""
        process = await asyncio.create_subprocess_exec(
            require("mosquitto_pub"), "-p", str(self.port), "-t", topic, "-q", str(qos), "-l", stdin=asyncio.subprocess.PIPE
        )
        await process.communicate("".join(f"{line}\n" for line in lines).encode())
        assert process.returncode == 0


@contextlib.asynccontextmanager
async def mosquitto(folder: Path, more: str = QUICK, access: str = "allow_anonymous true\n") -> AsyncIterator[Mosquitto]:
    """A broker for the length of a `with` block."""
    broker = Mosquitto(folder, more, access)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop(signal.SIGKILL)
