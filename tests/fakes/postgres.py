"""A private PostgreSQL: the one OHMSTEAD_TEST_POSTGRES names, else the installed server on a free port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from itertools import count
from pathlib import Path

import asyncpg

from tests.fakes.services import require

SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = 4GB
max_connections = 60
"""
SETTLE_S = 30


class Postgres:
    """A server to make databases on. One that is not ours cannot be stopped."""

    def __init__(self, url: str | None = None) -> None:
        self._url = url
        self._folder: Path | None = None
        self._numbers = count(1)
        self._prefix = f"ohmstead_test_{os.getpid()}"
        if url is None:
            self._install()

    @property
    def ours(self) -> bool:
        """Whether we may stop it."""
        return self._folder is not None

    def _install(self) -> None:
        self._initdb, self._pg_ctl = require("initdb"), require("pg_ctl")
        self._folder = Path(tempfile.mkdtemp(prefix="ohmstead-postgres-"))
        self._as: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            self._as = [require("runuser"), "-u", "postgres", "--"]
            shutil.chown(self._folder, "postgres", "postgres")
        data = self._folder / "data"
        self._run(self._initdb, "-D", data, "-A", "trust", "-U", "ohmstead", "-E", "UTF8", "--no-locale", "-N")
        self.port = _free_port()
        with (data / "postgresql.conf").open("a") as conf:
            conf.write(SETTINGS.format(port=self.port))
        self._url = f"postgresql://ohmstead@127.0.0.1:{self.port}/postgres"
        self.start()

    def _run(self, *command: object) -> None:
        done = subprocess.run([*self._as, *map(str, command)], cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr}")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        assert self._folder is not None
        log = self._folder / "log"
        self._run(self._pg_ctl, "-D", self._folder / "data", "-w", "-t", str(SETTLE_S), "-l", log, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server: "immediate" cuts every connection, as a crash does."""
        assert self._folder is not None
        self._run(self._pg_ctl, "-D", self._folder / "data", "-w", "-t", str(SETTLE_S), "-m", mode, "stop")

    def close(self) -> None:
        """Stop the server for good and delete its files."""
        if self._folder is not None:
            self.stop()
            shutil.rmtree(self._folder, ignore_errors=True)

    def create(self, like: str | None = None) -> str:
        """The URL of a new database: empty, or a copy of the one at the URL `like`, to which nobody may be connected."""
        name = f"{self._prefix}_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {like.rpartition('/')[2]}" if like else ""))
        assert self._url is not None
        return self._url.rpartition("/")[0] + "/" + name

    def drop(self, url: str) -> None:
        """Drop a database, and cut whoever is connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def execute(self, sql: str) -> None:
        """Run one statement from outside of the hub; in a thread, for a loop may be running here."""
        thread = threading.Thread(target=lambda: asyncio.run(_execute(self._url, sql)))
        thread.start()
        thread.join()


async def _execute(url: str | None, sql: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        await conn.execute(sql)
    finally:
        await conn.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
