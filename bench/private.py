"""Servers of our own for the time of a measurement: the hub, Mosquitto, PostgreSQL."""

from __future__ import annotations

import glob
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.machine import end, free_port, wait_for_port

# pip and the image compile what they install, and so does Python what it finds uncompiled, unless it is told not to
INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin", *sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True))


class Missing(Exception):
    """A program that a row needs is not installed."""


def program(name: str) -> str:
    """The path of a program, also where Debian hides servers."""
    found = shutil.which(name) or next((path for place in PLACES if (path := shutil.which(name, path=place))), None)
    if found is None:
        raise Missing(f"{name} is not installed")
    return found


class Hub:
    """`ohmstead run` over a folder, as an owner would run it. Use it in a `with` block."""

    def __init__(self, folder: Path, yaml: str = "", module: str = "ohmstead") -> None:
        self.folder = folder
        self._module = module
        self.port = free_port()
        self.pid = 0
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "configuration.yaml").write_text(f"home: {{name: Bench, time_zone: Europe/Berlin}}\nweb: {{host: 127.0.0.1}}\n{yaml}")

    def __enter__(self) -> Hub:
        command = [sys.executable, "-m", self._module, "-c", str(self.folder), "run", "--port", str(self.port)]
        self._log = (self.folder / "hub.log").open("wb")
        start = time.perf_counter()
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=INSTALLED)
        self.pid = self._process.pid
        while not self._ready():
            if self._process.poll() is not None or time.perf_counter() - start > 30:
                self.__exit__()
                raise RuntimeError(f"the hub is not ready:\n{self.log}")
            time.sleep(0.005)
        self.start_s = time.perf_counter() - start
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process)
        self._log.close()

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "hub.log").read_text()

    @property
    def token(self) -> str:
        """The owner's token."""
        return (self.folder / "data" / "owner_token").read_text().strip()

    @property
    def database(self) -> Path:
        """Its SQLite file."""
        return self.folder / "data" / "ohmstead.db"

    def introduce(self, devices: Iterable[str]) -> None:
        """Let devices report once, so that the house knows them before anything is timed."""
        at = datetime.now(UTC) - timedelta(days=1)
        items = ",".join(f'{{"device_id":"{device}","timestamp":"{at.isoformat()}","power":1}}' for device in devices)
        answer = json.loads(self.ask("/api/v1/telemetry/batch", f'{{"readings":[{items}]}}'.encode()))
        if answer["data"]["rejected"]:
            raise RuntimeError(f"the hub does not take these devices in: {answer['data']['items'][-1]}")
        time.sleep(2.0)

    def ask(self, path: str, body: bytes | None = None) -> bytes:
        """One request as the owner."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error.code} {error.read()[:500]!r}") from error


@contextmanager
def folder() -> Iterator[Path]:
    """A place on the disk that is measured: OHMSTEAD_BENCH_DIR, else the temporary folder."""
    path = Path(tempfile.mkdtemp(prefix="ohmstead-bench-", dir=os.environ.get("OHMSTEAD_BENCH_DIR")))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def mosquitto() -> Iterator[tuple[int, int]]:
    """An MQTT broker as Debian sets it up, but that it never drops what waits for the hub; its port and process id."""
    executable = program("mosquitto")
    port = free_port()
    with folder() as place:
        settings = place / "mosquitto.conf"
        settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nlog_type none\n")
        process = subprocess.Popen([executable, "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for_port(port)
            yield port, process.pid
        finally:
            end(process)


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL server of our own with Debian's settings but more memory; its URL."""
    initdb, control = program("initdb"), program("pg_ctl")
    with folder() as place:
        port = free_port()
        run = _as_its_user(place)
        run([initdb, "-D", str(place / "data"), "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-sync"])
        with (place / "data" / "postgresql.conf").open("a") as settings:
            settings.write(
                f"\nlisten_addresses='127.0.0.1'\nport={port}\nunix_socket_directories='{place}'\n"
                "shared_buffers=512MB\nmax_wal_size=4GB\nmin_wal_size=1GB\n"
            )
        run([control, "-D", str(place / "data"), "-w", "-l", str(place / "log"), "start"])
        try:
            yield f"postgresql://bench@127.0.0.1:{port}/postgres"
        finally:
            run([control, "-D", str(place / "data"), "-m", "fast", "-w", "stop"])


class _as_its_user:  # noqa: N801  # called like the function it stands for
    """PostgreSQL refuses to run as root: there it runs as the user `postgres`, who then owns the folder."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._before: list[str] = []
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(place, owner.pw_uid, owner.pw_gid)
            self._before = [program("setpriv"), f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]

    def __call__(self, command: list[str]) -> None:
        subprocess.run([*self._before, *command], check=True, cwd=self._place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
