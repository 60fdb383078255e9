"""`data/lock`: held by the one process that may write to the house. It says who that is and where its API answers."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import msgspec

from ohmstead.core.errors import ConfigError


class Holder(msgspec.Struct, frozen=True):
    """The process that holds the lock; `url` is None before its API answers, or when it has none."""

    pid: int
    url: str | None = None


class Lock:
    """The lock of one data folder. The kernel frees it with the process, however that ends."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "lock"
        self._file: Any = None

    def take(self) -> None:
        """Take it, or say who holds it: ConfigError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise ConfigError(taken(self._path.parent, self.holder())) from None
        self._file = file
        self.tell(None)

    def tell(self, url: str | None) -> None:
        """Write down where the API answers."""
        assert self._file is not None
        self._file.truncate(0)
        self._file.write(msgspec.json.encode(Holder(os.getpid(), url)))
        self._file.flush()

    def release(self) -> None:
        """Let go of it. The file stays: removing it would let two processes lock two files of one name."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None

    def holder(self) -> Holder | None:
        """Who holds it, None when nobody does. Takes nothing and waits for nobody."""
        try:
            with self._path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return _read(file.read())
        except FileNotFoundError:
            pass
        return None


def _read(raw: bytes) -> Holder:
    try:
        return msgspec.json.decode(raw, type=Holder)
    except msgspec.MsgspecError:  # it is just being written
        return Holder(0)


def taken(data_dir: Path, holder: Holder | None) -> str:
    """The sentence for somebody who wants what another process has."""
    who = f"process {holder.pid}" if holder and holder.pid else "another process"
    where = f", at {holder.url}" if holder and holder.url else ""
    return f"{data_dir}: this house is run by {who}{where}; stop it first"
