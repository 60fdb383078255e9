"""Backup and restore of a whole house: database, configuration, secrets, keys and plugins, in one file.

A full backup holds everything: `database.sqlite`, `config/…`, `data/…`. An increment holds what changed since a full
one (`changes.sqlite` and the other files), and is put back together with it. What a file of either looks like, see package.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from ohmstead.core.clock import Clock, from_ms
from ohmstead.core.errors import ConfigError
from ohmstead.core.plugin import Tables
from ohmstead.plugins.storage import increment, package, snapshot
from ohmstead.plugins.storage.engine import Address
from ohmstead.plugins.storage.package import CHANGES, DATABASE, Content, Full, Manifest

SKIPPED_FOLDERS = {"__pycache__", ".git", "backups"}
ASIDE = "before-restore"
ARCHIVE = "archive"  # in the data folder


class Kept(msgspec.Struct, frozen=True):
    """Where a restore left what was there before."""

    manifest: Manifest
    database: str
    folders: list[str]


class House(msgspec.Struct, frozen=True):
    """What is backed up: where the database is, the two folders, and the tables of all features."""

    address: Address
    config_dir: Path
    data_dir: Path
    tables: Sequence[Tables] = ()


async def backup(house: House, target: Path, clock: Clock, passphrase: str | None = None, full: Path | None = None) -> Manifest:
    """Write a backup to `target`, verified by reading it again; with `full` only what changed since that one. The hub may run.

    ConfigError when the file exists, or when there can be no increment on `full`: then a full backup can be made.
    """
    whole_path = await asyncio.to_thread(target.absolute)
    if await asyncio.to_thread(target.exists):
        raise ConfigError(f"{target} exists already; a backup overwrites nothing")
    with tempfile.TemporaryDirectory(dir=whole_path.parent, prefix=".backup-") as name:
        folder = Path(name)
        await snapshot.take(house.address, house.tables, folder / DATABASE)
        created = from_ms(clock.now_ms()).isoformat(timespec="seconds")
        manifest, contents = await asyncio.to_thread(_gather, house, folder, created)
        if full is not None:
            manifest = await asyncio.to_thread(_since, full, passphrase, manifest, contents, folder)
        await asyncio.to_thread(package.pack, folder / "part", manifest, contents, passphrase)
        await asyncio.to_thread((folder / "part").rename, target)
    return manifest


async def restore(house: House, source: Path, clock: Clock, passphrase: str | None = None) -> Kept:
    """Put a backup in place of the house; what was there is kept beside it. The hub must be stopped.

    The full backup that an increment was made after must lie beside it. ConfigError, and nothing changed, without that
    one, for a wrong passphrase, a damaged or forged file, or one of a newer release.
    """
    await asyncio.to_thread(house.data_dir.mkdir, parents=True, exist_ok=True)
    aside = f"{ASIDE}-{from_ms(clock.now_ms()):%Y%m%dT%H%M%S}"
    with tempfile.TemporaryDirectory(dir=house.data_dir, prefix=".restore-") as folder:
        manifest = await asyncio.to_thread(_unpack, source, Path(folder), passphrase)
        kept = await snapshot.put_back(Path(folder) / DATABASE, house.address, house.tables, aside)
        folders = await asyncio.to_thread(_place, Path(folder), house, aside)
    return Kept(manifest, kept, folders)


def _gather(house: House, folder: Path, created: str) -> tuple[Manifest, dict[str, Content]]:
    """All that makes the house, around the snapshot in `folder`."""
    rows = snapshot.verify(folder / DATABASE)
    contents: dict[str, Content] = {DATABASE: folder / DATABASE, **dict(_files(house)), **dict(_archived(house))}
    entries = [package.entry_of(name, content) for name, content in contents.items()]
    return Manifest(created, house.address.name, rows, entries), contents


def _since(full: Path, passphrase: str | None, whole: Manifest, contents: dict[str, Content], folder: Path) -> Manifest:
    """Make an increment of what was gathered: without the files that `full` has as they are, and of the database the changes."""
    base, changes = folder / "full", folder / CHANGES
    with package.opened(full, passphrase) as found:
        if found.manifest.full is not None:
            raise ConfigError(f"{full} is an increment itself")
        found.unpack(base, frozenset({DATABASE}))
        known, sha256 = found.manifest.files, found.sha256
    increment.compare(base / DATABASE, folder / DATABASE, changes)
    increment.apply(base / DATABASE, changes)
    if increment.compare(base / DATABASE, folder / DATABASE, folder / "proof"):
        raise ConfigError(f"{full} and the changes since do not make the database there is")
    contents[CHANGES] = changes
    kept = [entry.name for entry in whole.files if entry in known]
    files = [entry for entry in whole.files if entry not in known and entry.name != DATABASE]
    files.insert(0, package.entry_of(CHANGES, changes))
    return msgspec.structs.replace(whole, files=files, full=Full(full.name, sha256, kept))


def _unpack(source: Path, folder: Path, passphrase: str | None) -> Manifest:
    """All files of a house, from a backup and, when that is an increment, the full one it was made after. ConfigError."""
    with package.opened(source, passphrase) as found:
        manifest = found.manifest
        found.unpack(folder)
    if manifest.full is not None:
        _complete(manifest.full, source, folder, passphrase)
    if snapshot.verify(folder / DATABASE) != manifest.rows:
        raise ConfigError(f"{source} is damaged: its database has not the rows that were backed up")
    return manifest


def _complete(full: Full, source: Path, folder: Path, passphrase: str | None) -> None:
    path = source.with_name(full.file)
    if not path.is_file():
        raise ConfigError(f"{source} holds only what changed since {full.file}; put that beside it, there is nothing of that name")
    with package.opened(path, passphrase) as found:
        if found.sha256 != full.sha256:
            raise ConfigError(f"{path} is not the full backup that {source.name} was made after, although it has its name")
        found.unpack(folder, frozenset({DATABASE, *full.kept}))
    increment.apply(folder / DATABASE, folder / CHANGES)


def _files(house: House) -> Iterator[tuple[str, bytes]]:
    """Everything in the two folders that is no database, archive, lock or leftover; small enough to be held in memory."""
    data_dir, own = house.data_dir.resolve(), house.address.file
    for top, folder in (("config", house.config_dir), ("data", house.data_dir)):
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            skipped = SKIPPED_FOLDERS.intersection(inside.parts) or any(ASIDE in part or part.startswith(".") for part in inside.parts)
            if skipped or not path.is_file() or (top == "config" and path.resolve().is_relative_to(data_dir)):
                continue
            if top == "data" and inside.parts[0] == ARCHIVE:
                continue
            if path.name == "lock" or (own is not None and path.name.startswith(own.name)):
                continue
            yield f"{top}/{inside.as_posix()}", path.read_bytes()


def _archived(house: House) -> Iterator[tuple[str, Path]]:
    """What left the database, file by file: written once and never changed, and too much to be held in memory."""
    for path in sorted((house.data_dir / ARCHIVE).rglob("*")):
        inside = path.relative_to(house.data_dir)
        if path.is_file() and not any(part.startswith(".") for part in inside.parts):
            yield f"data/{inside.as_posix()}", path


def _place(folder: Path, house: House, aside: str) -> list[str]:
    """Move the files of the backup into the house, and those in their place aside; the folders where those are."""
    used: list[str] = []
    tops: Mapping[str, Path] = {"config": house.config_dir, "data": house.data_dir}
    for top, home in tops.items():
        for path in sorted((folder / top).rglob("*")):
            if path.is_dir():
                continue
            inside = path.relative_to(folder / top)
            if _put_aside(home / inside, home / aside / inside) and str(home / aside) not in used:
                used.append(str(home / aside))
            (home / inside).parent.mkdir(parents=True, exist_ok=True)
            path.chmod(0o600 if top == "data" or inside.name == "secrets.yaml" else 0o644)
            shutil.move(path, home / inside)  # the configuration may lie on another disk
    return used


def _put_aside(path: Path, aside: Path) -> bool:
    if not path.exists():
        return False
    aside.parent.mkdir(parents=True, exist_ok=True)
    path.rename(aside)
    return True
