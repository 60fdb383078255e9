"""The house as one file: made by the hub that runs or by a command, put back while none runs."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import ConfigError
from ohmstead.core.route import Call, Reply, Route

if TYPE_CHECKING:
    from ohmstead.config.parts import Parts
    from ohmstead.plugins.storage.backup import House, Kept

CHUNK = 1 << 18
BODY = {vol.Optional("passphrase", description="seal the file with it"): validate.text}


def subject(parts: Parts) -> House:
    """What a backup of this house is made of."""
    from ohmstead.plugins.storage.backup import House

    return House(parts.storage.address, parts.hub.config_dir, parts.hub.data_dir, parts.contributions.tables())


class Backups:
    """Backups over the API."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def route(self) -> Route:
        """The operation."""
        return Route("POST", "/backup", self.make, "admin", "A backup of the whole house, as a file", body=BODY, tags=("house",))

    async def make(self, call: Call) -> Reply:
        """Make it beside the data, verified, then send it."""
        from ohmstead.plugins.storage.backup import backup

        folder = tempfile.TemporaryDirectory(dir=self._parts.hub.data_dir, prefix=".backup-")
        try:
            target = Path(folder.name) / "backup"
            await backup(subject(self._parts), target, self._parts.hub.clock, call.body.get("passphrase"))
        except BaseException:
            folder.cleanup()
            raise
        return Reply(stream=_sent(target, folder), content_type="application/octet-stream")


async def _sent(path: Path, folder: tempfile.TemporaryDirectory[str]) -> AsyncIterator[bytes]:
    with folder, path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk


def make(parts: Parts, target: Path, passphrase: str | None) -> None:
    """Back up a house that no hub runs. ConfigError."""
    from ohmstead.plugins.storage.backup import backup

    asyncio.run(backup(subject(parts), target, parts.hub.clock, passphrase))


def put_back(parts: Parts, source: Path, passphrase: str | None) -> Kept:
    """Put a backup in the place of a house that no hub runs. ConfigError, and then nothing changed."""
    from ohmstead.plugins.storage.backup import restore

    return asyncio.run(restore(subject(parts), source, parts.hub.clock, passphrase))


def is_sealed(source: Path) -> bool:
    """Whether it takes a passphrase to open it; ConfigError when it cannot be read."""
    from ohmstead.plugins.storage.package import MAGIC

    try:
        with source.open("rb") as file:
            return file.read(len(MAGIC) + 1) == MAGIC + b"\1"
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror}") from error


def write(target: Path, chunks: Any) -> None:
    """Write what the hub sends; the file has its name only once it is whole. ConfigError when there is one already."""
    if target.exists():
        raise ConfigError(f"{target} exists already; a backup overwrites nothing")
    draft = target.with_name(f".{target.name}.part")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(target)
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
