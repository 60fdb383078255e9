"""The tokens that open the house until accounts exist: files in the data folder that only their owner can read."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

OWNER = "owner_token"
INGEST = "ingest_token"


def owner_token(data_dir: Path) -> str:
    """The token that may do everything; made when there is none."""
    return _token(data_dir / OWNER)


def new_owner_token(data_dir: Path) -> str:
    """Replace the owner's token: the old one, and every sign-in made with it, ends."""
    return _replace(data_dir / OWNER)


def ingest_token(data_dir: Path) -> str:
    """The token that may only send readings, of any device; made when there is none."""
    return _token(data_dir / INGEST)


def new_ingest_token(data_dir: Path) -> str:
    """Replace the token for readings: the old one ends."""
    return _replace(data_dir / INGEST)


def _token(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        if token := path.read_text("ascii").strip():
            return token
    return _replace(path)


def _replace(path: Path) -> str:
    """Write a new token of 256 bits; whoever reads meanwhile sees the old one or the new one, never half of one."""
    token = secrets.token_urlsafe(32)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(token + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return token


class TokenFile:
    """A token that is read again when its file was replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self.value = b""

    def refresh(self) -> bool:
        """Look at the file; whether the token is another one now. A file that vanished leaves the token as it was."""
        try:
            stat = self._path.stat()
        except OSError:
            return False
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        self.value = _token(self._path).encode()
        return True
