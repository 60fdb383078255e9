"""`ohmstead export readings | intervals | rollups | bill`: tables as files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, BinaryIO

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.output import as_json

FORMATS = ("csv", "xlsx", "json", "parquet")
_SPAN = (
    click.option("--start", help="From this day (2026-03-01) or instant (2026-03-01T12:00:00+01:00) on; else a day before the end."),
    click.option("--end", help="Up to this day or instant, not included; now unless given."),
)
_FILE = (
    click.option("--format", "format_", type=click.Choice(FORMATS), help="csv unless given, or what the name of the file says."),
    click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write here, not to the terminal."),
)
_point = click.option("--meter-point", help="Of these meter points, separated by commas; of all unless given.")


@click.group()
def export() -> None:
    """Write tables as CSV, XLSX, JSON or Parquet."""


def _table(*options: Callable[[Any], Any]) -> Callable[[Any], click.Command]:
    """A command of `export` with options of its own, and those that all have."""

    def made(command: Any) -> click.Command:
        for option in reversed((*options, *_FILE, as_json, click.pass_obj)):
            command = option(command)
        return export.command()(command)

    return made


@_table(
    click.option("--device", help="Of these devices, separated by commas; of all unless given."),
    click.option("--quantity", help="Of these quantities; of all unless given."),
    *_SPAN,
)
def readings(config: Path, /, **options: Any) -> None:
    """What the devices said, as it is stored."""
    _write(config, "readings", **options)


@_table(_point, *_SPAN)
def intervals(config: Path, /, **options: Any) -> None:
    """What the meter points measured, slot by slot."""
    _write(config, "intervals", **options)


@_table(_point, click.option("--resolution", type=click.Choice(("hour", "day", "month", "year")), default="day", show_default=True), *_SPAN)
def rollups(config: Path, /, **options: Any) -> None:
    """What they measured by the local hour, day, month or year, with peaks."""
    _write(config, "rollups", **options)


@_table(
    click.argument("contract"),
    click.option("--period", default="last", show_default=True, help="last, current, 2026-03 or 2026-03-20."),
)
def bill(config: Path, /, **options: Any) -> None:
    """The lines of a contract's bill."""
    _write(config, "bill", **options)


def _write(config: Path, what: str, format_: str | None, file: Path | None, json_: bool, **query: Any) -> None:
    """Stream the table into the file, or out. With --json and a file, say as JSON what was written."""
    from ohmstead.config.cli.api import opened

    form = format_ or _by_name(file) or ("json" if json_ and file is None else "csv")
    if file is None and form in ("xlsx", "parquet"):
        raise click.UsageError(f"{form} is no text: give -o FILE")
    given = {name: value for name, value in query.items() if value is not None}
    with opened(config) as api, closing(api.file("GET", "/exports", {"what": what, "format": form, **given})) as pieces:
        if file is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        written = _into(file, pieces)
    output.data({"file": str(file), "format": form, "bytes": written}, json_, lambda found: click.echo(f"wrote {file}, {written:,} bytes"))


def _by_name(file: Path | None) -> str | None:
    suffix = "" if file is None else file.suffix.removeprefix(".").lower()
    return suffix if suffix in FORMATS else None


def _into(file: Path, pieces: Any) -> int:
    """Write them beside the file and put that in its place once it is whole. ConfigError when it cannot be."""
    draft = file.with_name(f".{file.name}.new")
    try:
        with draft.open("wb") as out:
            written = _pour(out, pieces)
        draft.replace(file)
    except OSError as error:
        raise output.unwritable(file, error) from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return written


def _pour(out: BinaryIO, pieces: Any) -> int:
    return sum(out.write(piece) for piece in pieces)
