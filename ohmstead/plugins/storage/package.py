"""The file of a backup: MAGIC, one byte (0 plain, 1 sealed with a passphrase, see cipher), then a gzipped tar.

The tar begins with `manifest.json`, which lists every file behind it with its size and hash.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

import msgspec

from ohmstead.core.errors import ConfigError
from ohmstead.plugins.storage.cipher import Opener, Sealer

MAGIC = b"OHMSTEAD BACKUP 1\n"
MANIFEST, DATABASE, CHANGES = "manifest.json", "database.sqlite", "changes.sqlite"
MOST_MANIFEST = 10_000_000  # bytes

Content = bytes | Path


class Entry(msgspec.Struct, frozen=True):
    """One file of a backup."""

    name: str
    size: int
    sha256: str


class Full(msgspec.Struct, frozen=True):
    """The full backup that an increment was made after: its file, the hash of its manifest, and the files taken over from it."""

    file: str
    sha256: str
    kept: list[str]


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds. `rows` counts those of each table; an increment names its full backup."""

    created: str
    engine: str
    rows: dict[str, int]
    files: list[Entry]
    full: Full | None = None


class Package:
    """A backup that is open for reading: its manifest, the hash of that, and once through it, the files."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        raw = _first(tar)
        self.manifest = msgspec.json.decode(raw, type=Manifest)
        self.sha256 = hashlib.sha256(raw).hexdigest()
        self._tar = tar

    def unpack(self, folder: Path | None, only: frozenset[str] | None = None) -> None:
        """Check every file, and write them, or those of `only`, into a folder when there is one."""
        left = {entry.name: entry for entry in self.manifest.files}
        while (info := self._tar.next()) is not None:
            entry = left.pop(info.name, None)
            if entry is None or not info.isreg() or not _safe(info.name) or info.size != entry.size:
                raise tarfile.TarError(f"{info.name!r} does not belong into a backup")
            file = self._tar.extractfile(info)
            assert file is not None
            if folder is None or (only is not None and entry.name not in only):
                _copy(entry, file, None)
                continue
            target = folder / entry.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as out:
                _copy(entry, file, out)
        if left:
            raise tarfile.TarError(f"{', '.join(sorted(left))} is missing")


@contextmanager
def opened(source: Path, passphrase: str | None) -> Iterator[Package]:
    """A backup; ConfigError, also within the block, for a wrong passphrase and whatever is damaged or forged."""
    with source.open("rb") as file:
        sealed = _sealed(file, source)
        if sealed and passphrase is None:
            raise ConfigError(f"{source} is sealed; give its passphrase")
        plain: Any = Opener(file, passphrase or "") if sealed else file
        try:
            with gzip.GzipFile(fileobj=plain, mode="rb") as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
                yield Package(tar)
        except (tarfile.TarError, EOFError, OSError, msgspec.MsgspecError) as error:
            raise ConfigError(f"{source} is damaged: {error}") from error


def entry_of(name: str, content: Content) -> Entry:
    """The entry of a file, or of what is to be one."""
    if isinstance(content, bytes):
        return Entry(name, len(content), hashlib.sha256(content).hexdigest())
    with content.open("rb") as file:
        return Entry(name, content.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def pack(target: Path, manifest: Manifest, contents: Mapping[str, Content], passphrase: str | None) -> None:
    """Write a backup with what its manifest lists, for its owner's eyes only, and read it again. ConfigError."""
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        with _sink(out, passphrase) as sink, _packed(sink) as tar:
            _add(tar, MANIFEST, msgspec.json.encode(manifest))
            for entry in manifest.files:
                content = contents[entry.name]
                if isinstance(content, bytes):
                    _add(tar, entry.name, content)
                else:
                    tar.add(content, entry.name, filter=_anonymous)
        out.flush()
        os.fsync(out.fileno())
    with opened(target, passphrase) as package:
        package.unpack(None)


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


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


def _sealed(file: IO[bytes], source: Path) -> bool:
    if file.read(len(MAGIC)) != MAGIC:
        raise ConfigError(f"{source} is no backup of Ohmstead")
    return file.read(1) == b"\1"


def _first(tar: tarfile.TarFile) -> bytes:
    first = tar.next()
    if first is None or first.name != MANIFEST or first.size > MOST_MANIFEST:
        raise tarfile.TarError("it does not begin with its manifest")
    file = tar.extractfile(first)
    assert file is not None
    return file.read()


def _safe(name: str) -> bool:
    """Whether a name stays where it belongs: nothing absolute, nothing upwards."""
    path = PurePosixPath(name)
    if "\\" in name or "\0" in name or path.is_absolute() or ".." in path.parts or str(path) != name:
        return False
    return name in (DATABASE, CHANGES) or (len(path.parts) > 1 and path.parts[0] in ("config", "data"))


def _copy(entry: Entry, file: IO[bytes], out: IO[bytes] | None) -> None:
    digest = hashlib.sha256()
    while part := file.read(1 << 20):
        digest.update(part)
        if out is not None:
            out.write(part)
    if digest.hexdigest() != entry.sha256:
        raise tarfile.TarError(f"{entry.name} is not what was backed up")
