"""The real hub as its own process: started as a user would, killed as a power cut would."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aiohttp


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningHub:
    """`ohmstead run` over a folder of its own."""

    def __init__(self, folder: Path, yaml: str, environment: dict[str, str] | None = None, arguments: Iterable[str] = ()) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._arguments = tuple(arguments)
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "hub.log"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "configuration.yaml").write_text(yaml)

    @property
    def token(self) -> str:
        """The owner's token."""
        return (self.folder / "data" / "owner_token").read_text().strip()

    @property
    def pid(self) -> int:
        """The process id of the running hub."""
        assert self._process is not None
        return self._process.pid

    async def start(self, within_s: float = 60.0) -> None:
        """Start it and wait until it is ready."""
        command = [sys.executable, "-m", "ohmstead", "-c", str(self.folder), "run", "--port", str(self.port), *self._arguments]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)
        deadline = time.monotonic() + within_s
        async with aiohttp.ClientSession() as session:
            while not await self._ready(session):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"the hub is not ready:\n{self.log.read_text()}")
                await asyncio.sleep(0.05)

    async def _ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.url}/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    def kill(self) -> None:
        """SIGKILL: no chance to clean up."""
        self._end(signal.SIGKILL)

    def stop(self, within_s: float = 30.0) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM, within_s)

    def _end(self, how: signal.Signals, within_s: float = 30.0) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(how)
        try:
            return process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the hub did not stop in {within_s} s:\n{self.log.read_text()}") from None

    def client(self) -> aiohttp.ClientSession:
        """A session signed in as the owner; `async with` it."""
        return aiohttp.ClientSession(self.url, headers={"Authorization": f"Bearer {self.token}"})

    async def get(self, path: str, **query: Any) -> Any:
        """The data of a GET below /api/v1."""
        async with self.client() as session, session.get(f"/api/v1{path}", params=query) as answer:
            body = await answer.json()
            assert answer.status == 200, body
            return body["data"]
