"""Files of line protocol, as `influx_inspect export` and `influxd inspect export-lp` write them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import Invalid
from ohmstead.core.plugin import Importer, ImportRow
from ohmstead.integrations.line_protocol.parser import PRECISIONS, Field, Mistake, Parser

LINES = 1000
_MAGIC = b"\x1f\x8b"


def importer() -> Importer:
    """The importer of `*.lp` and `*.line` files."""
    schema = {
        vol.Optional("precision", default="ns", description="unit of the timestamps"): validate.one_of(*PRECISIONS),
        vol.Optional("device", description="the device that all lines are of, instead of what they say"): validate.slug,
    }
    return Importer("line_protocol", (".lp", ".line", ".lp.gz", ".line.gz"), schema, read, "InfluxDB line protocol")


def read(path: Path, options: Mapping[str, Any]) -> Iterator[ImportRow | str]:
    """The readings of a file; a line without a time is a mistake, since a file does not say when it was sent."""
    parser = Parser(options["precision"])
    number = 1
    with _opened(path) as file:
        while lines := [line.decode("utf-8", "replace").rstrip("\n") for line in file.readlines(64 * LINES)]:
            fields, mistakes = parser.parse(lines, number)
            yield from _readings(fields, mistakes, options.get("device"))
            number += len(lines)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked where it is gzip. Invalid when that is broken."""
    with path.open("rb") as raw:
        packed = raw.read(2) == _MAGIC
        raw.seek(0)
        try:
            yield cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise Invalid(f"the gzip data is broken or cut short: {error}") from error


def _readings(fields: list[Field], mistakes: list[Mistake], device: str | None) -> Iterator[ImportRow | str]:
    for mistake in mistakes:
        yield f"line {mistake.line}, column {mistake.column}: {mistake.reason}"
    for head, name, value, at_ms, line in fields:
        if at_ms is None:
            yield f"line {line}: no time"
        elif isinstance(value, bool):
            yield f"line {line}: {name} is true or false, not a number"
        else:
            yield ImportRow(device or head.device, name, value, at_ms, None, f"line {line}")
