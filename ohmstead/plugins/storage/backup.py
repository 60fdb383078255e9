"""Backup and restore of a whole house: database, configuration, secrets, keys and plugins, in one file.

The file begins with MAGIC and one byte, 0 for plain and 1 for sealed with a passphrase (see cipher). Then comes a
gzipped tar: `manifest.json` (what it holds, with sizes and hashes), `database.sqlite`, `config/…`, `data/…`.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

import msgspec

from ohmstead.core.clock import Clock, from_ms
from ohmstead.core.errors import ConfigError
from ohmstead.core.plugin import Tables
from ohmstead.plugins.storage import snapshot
from ohmstead.plugins.storage.cipher import Opener, Sealer
from ohmstead.plugins.storage.engine import Address

MAGIC = b"OHMSTEAD BACKUP 1\n"
DATABASE, MANIFEST = "database.sqlite", "manifest.json"
SKIPPED_FOLDERS = {"__pycache__", ".git", "backups"}
ASIDE = "before-restore"
ARCHIVE = "archive"  # in the data folder
MOST_MANIFEST = 10_000_000  # bytes


class Entry(msgspec.Struct, frozen=True):
    """One file of a backup."""

    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds. `rows` counts those of each table."""

    created: str
    engine: str
    rows: dict[str, int]
    files: list[Entry]


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


async def backup(house: House, target: Path, clock: Clock, passphrase: str | None = None) -> Manifest:
    """Write a backup to `target`, verified by reading it again. The hub may run. ConfigError when the file exists."""
    whole_path = await asyncio.to_thread(target.absolute)
    if await asyncio.to_thread(target.exists):
        raise ConfigError(f"{target} exists already; a backup overwrites nothing")
    with tempfile.TemporaryDirectory(dir=whole_path.parent, prefix=".backup-") as folder:
        database, part = Path(folder) / DATABASE, Path(folder) / "part"
        await snapshot.take(house.address, house.tables, database)
        created = from_ms(clock.now_ms()).isoformat(timespec="seconds")
        manifest = await asyncio.to_thread(_pack, house, database, part, created, passphrase)
        await asyncio.to_thread(_check, part, passphrase)
        await asyncio.to_thread(part.rename, target)
    return manifest


async def restore(house: House, source: Path, clock: Clock, passphrase: str | None = None) -> Kept:
    """Put a backup in place of the house; what was there is kept beside it. The hub must be stopped.

    ConfigError, and nothing changed, for a wrong passphrase, a damaged or forged file, or one of a newer release.
    """
    await asyncio.to_thread(house.data_dir.mkdir, parents=True, exist_ok=True)
    aside = f"{ASIDE}-{from_ms(clock.now_ms()):%Y%m%dT%H%M%S}"
    with tempfile.TemporaryDirectory(dir=house.data_dir, prefix=".restore-") as folder:
        manifest = await asyncio.to_thread(_unpack, source, Path(folder), passphrase)
        database = Path(folder) / DATABASE
        await asyncio.to_thread(snapshot.verify, database)
        kept = await snapshot.put_back(database, house.address, house.tables, aside)
        folders = await asyncio.to_thread(_place, Path(folder), house, aside)
    return Kept(manifest, kept, folders)


def _pack(house: House, database: Path, target: Path, created: str, passphrase: str | None) -> Manifest:
    files, archived = dict(_files(house)), dict(_archived(house))
    rows = snapshot.verify(database)
    entries = [_entry(DATABASE, database)]
    entries += [Entry(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()]
    entries += [_entry(name, path) for name, path in archived.items()]
    manifest = Manifest(created, house.address.name, rows, entries)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        with _sink(out, passphrase) as sink, _packed(sink) as tar:
            _add(tar, MANIFEST, msgspec.json.encode(manifest))
            tar.add(database, DATABASE, filter=_anonymous)
            for name, data in files.items():
                _add(tar, name, data)
            for name, path in archived.items():
                tar.add(path, name, filter=_anonymous)
        out.flush()
        os.fsync(out.fileno())
    return manifest


@contextmanager
def _sink(file: IO[bytes], passphrase: str | None) -> Iterator[Any]:
    file.write(MAGIC + (b"\0" if passphrase is None else b"\1"))
    if passphrase is None:
        yield file
    else:
        with closing(Sealer(file, passphrase)) as sealer:
            yield sealer


@contextmanager
def _packed(sink: Any) -> Iterator[tarfile.TarFile]:
    with gzip.GzipFile(fileobj=sink, mode="wb", compresslevel=4) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        yield tar


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


def _entry(name: str, path: Path) -> Entry:
    with path.open("rb") as file:
        return Entry(name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


@contextmanager
def _members(source: Path, passphrase: str | None) -> Iterator[tuple[Manifest, Iterator[tuple[Entry, IO[bytes]]]]]:
    """The manifest, and the files behind it, each with the entry that it must be."""
    with source.open("rb") as file:
        sealed = _sealed(file, source)
        if sealed and passphrase is None:
            raise ConfigError(f"{source} is sealed; give its passphrase")
        plain: Any = Opener(file, passphrase or "") if sealed else file
        try:
            with gzip.GzipFile(fileobj=plain, mode="rb") as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
                manifest = _manifest(tar)
                yield manifest, _listed(tar, manifest)
        except (tarfile.TarError, EOFError, OSError, msgspec.MsgspecError) as error:
            raise ConfigError(f"{source} is damaged: {error}") from error


def _sealed(file: IO[bytes], source: Path) -> bool:
    if file.read(len(MAGIC)) != MAGIC:
        raise ConfigError(f"{source} is no backup of Ohmstead")
    return file.read(1) == b"\1"


def _manifest(tar: tarfile.TarFile) -> Manifest:
    first = tar.next()
    if first is None or first.name != MANIFEST or first.size > MOST_MANIFEST:
        raise tarfile.TarError("it does not begin with its manifest")
    file = tar.extractfile(first)
    assert file is not None
    return msgspec.json.decode(file.read(), type=Manifest)


def _listed(tar: tarfile.TarFile, manifest: Manifest) -> Iterator[tuple[Entry, IO[bytes]]]:
    left: dict[str, Entry] = {entry.name: entry for entry in manifest.files}
    while (info := tar.next()) is not None:
        entry = left.pop(info.name, None)
        if entry is None or not info.isreg() or not _safe(info.name) or info.size != entry.size:
            raise tarfile.TarError(f"{info.name!r} does not belong into a backup")
        file = tar.extractfile(info)
        assert file is not None
        yield entry, file
    if left:
        raise tarfile.TarError(f"{', '.join(sorted(left))} is missing")


def _safe(name: str) -> bool:
    """Whether a name stays where it belongs: nothing absolute, nothing upwards."""
    path = PurePosixPath(name)
    if "\\" in name or "\0" in name or path.is_absolute() or ".." in path.parts or str(path) != name:
        return False
    return name == DATABASE or (len(path.parts) > 1 and path.parts[0] in ("config", "data"))


def _check(source: Path, passphrase: str | None) -> None:
    with _members(source, passphrase) as (_, members):
        for entry, file in members:
            _copy(entry, file, None)


def _unpack(source: Path, folder: Path, passphrase: str | None) -> Manifest:
    with _members(source, passphrase) as (manifest, members):
        for entry, file in members:
            target = folder / entry.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as out:
                _copy(entry, file, out)
    return manifest


def _copy(entry: Entry, file: IO[bytes], out: IO[bytes] | None) -> None:
    digest = hashlib.sha256()
    while part := file.read(1 << 20):
        digest.update(part)
        if out is not None:
            out.write(part)
    if digest.hexdigest() != entry.sha256:
        raise tarfile.TarError(f"{entry.name} is not what was backed up")


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
