"""The bytes of a file, plain, gzip or zip, and never more of them than a bound: a small file can unpack to terabytes."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from ohmstead.core.errors import Invalid

CHUNK = 1 << 18
MOST = 4 << 30  # bytes after unpacking


def chunks(path: Path, most: int = MOST) -> Iterator[bytes]:
    """The content of a file, piece by piece. Invalid when it is broken, or larger than `most` bytes unpacked."""
    total = 0
    try:
        with path.open("rb") as raw, _unpacked(path, raw) as content:
            while chunk := content.read(CHUNK):
                total += len(chunk)
                if total > most:
                    raise Invalid(f"{path.name} is larger than {most >> 20:,} MiB when unpacked; split it by time")
                yield chunk
    except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise Invalid(f"{path.name} is packed, and broken or cut short: {error}") from error


def _unpacked(path: Path, raw: IO[bytes]) -> IO[bytes]:
    magic = raw.read(4)
    raw.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if magic != b"PK\x03\x04":
        return raw
    archive = zipfile.ZipFile(raw)
    names = [name for name in archive.namelist() if name.lower().endswith(".xml")]
    if len(names) != 1:
        raise Invalid(f"{path.name} holds {len(names)} XML files, expected one: {', '.join(names[:5])}; unpack it and give one of them")
    return archive.open(names[0])
