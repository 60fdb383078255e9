"""`ohmstead backup` and `restore`: the whole house as one file."""

from __future__ import annotations

import asyncio
import os
from contextlib import closing
from pathlib import Path

from ohmstead.config import backups
from ohmstead.config import log as logs
from ohmstead.config.cli.api import remote
from ohmstead.config.document import Document
from ohmstead.config.house import database, load
from ohmstead.config.lock import Lock
from ohmstead.config.parts import Parts
from ohmstead.config.yaml_file import CONFIGURATION
from ohmstead.core.errors import ConfigError
from ohmstead.plugins.storage.backup import Kept


def back_up(folder: Path, target: Path, passphrase: str | None) -> None:
    """Make a backup: by the hub where one runs, else here. ConfigError, Unavailable."""
    lock = Lock(folder / "data")
    holder = lock.holder()
    if holder is not None:
        with closing(remote(folder, holder).download("/backup", {"passphrase": passphrase} if passphrase else {})) as chunks:
            backups.write(target, chunks)
        return
    load(folder, os.environ)  # a folder that is no house is the user's mistake, not an empty backup
    parts = _parts(folder)
    lock.take()
    try:
        backups.make(parts, target, passphrase)
    finally:
        lock.release()


def put_back(folder: Path, source: Path, passphrase: str | None) -> Kept:
    """Put a backup in the place of the house; no hub may run. ConfigError, also when its configuration names another database."""
    parts = _parts(folder)
    lock = Lock(folder / "data")
    lock.take()
    try:
        kept = backups.put_back(parts, source, passphrase)
    finally:
        lock.release()
    named = _parts(folder).storage.address
    if named != parts.storage.address:
        place = named.url.render_as_string()
        raise ConfigError(f"the configuration in the backup names another database, {place}: restore once more to fill that one")
    return kept


def _parts(folder: Path) -> Parts:
    """The house of a folder; where there is no configuration yet, what the environment says of one."""
    logs.set_up({"level": "warning"})
    try:
        document = load(folder, os.environ)
    except ConfigError:
        document = Document(CONFIGURATION)
    given = database(document, folder)

    async def make() -> Parts:
        parts = Parts(folder, given["url"], given["durability"])
        parts.contributions.discover()
        return parts

    return asyncio.run(make())
