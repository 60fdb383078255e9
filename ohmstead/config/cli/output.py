"""Prints data: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")


def data(found: Any, json_: bool, show: Callable[[Any], None]) -> None:
    """Print what was found, as `show` does it or as JSON."""
    if json_:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        show(found)


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], nothing: str) -> None:
    """A table with a head; `nothing` is said when there are no rows."""
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    if not cells:
        click.echo(nothing)
        return
    head = [column.replace("_", " ").upper() for column in columns]
    widths = [max(len(line[i]) for line in [head, *cells]) for i in range(len(columns))]
    for line in [head, *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return " ".join(str(value).split())


def unwritable(file: Path, error: OSError) -> Exception:
    """What to raise when `file` cannot be written."""
    from ohmstead.core.errors import ConfigError

    return ConfigError(f"{file}: cannot be written: {error.strerror}; choose another place with -o")
