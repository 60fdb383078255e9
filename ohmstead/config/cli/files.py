"""`ohmstead import | backup | restore`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.output import as_json

if TYPE_CHECKING:
    from ohmstead.config.cli.readings import Progress

EXAMPLES = """\b
Options of the format follow the file, as in
  ohmstead import readings meter.csv --columns energy=kwh --device grid --period 15m --zone Europe/Paris
  ohmstead import readings export.lp --precision ns
"""


@click.group("import")
def import_() -> None:
    """Bring data in from files."""


@import_.command(context_settings={"ignore_unknown_options": True}, epilog=EXAMPLES)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "format_", help="csv, line_protocol, or what plugins add; by the file's name unless given.")
@click.option("--options", "list_", is_flag=True, help="List the options of the format and stop.")
@as_json
@click.argument("more", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF THE FORMAT]...")
@click.pass_obj
def readings(config: Path, file: Path, format_: str | None, list_: bool, json_: bool, more: tuple[str, ...]) -> None:
    """Bring readings in. The same file again changes nothing; interrupted, it goes on where it was."""
    from ohmstead.config.cli import readings as work
    from ohmstead.config.cli.api import opened

    importer = work.choose(work.importers(config), file, format_)
    if list_:
        for marker in importer.schema:
            click.echo(f"  --{str(marker).replace('_', '-'):16} {getattr(marker, 'description', None) or ''}")
        return
    given = pairs(more)
    options = work.checked(importer, given)
    notebook = work.Notebook.open(config / "data", file, importer.name, given)
    if notebook.progress.taken:
        click.echo(f"going on after {notebook.progress.taken} readings of before", err=True)
    with opened(config) as api:
        done = _watched(work.bring(api, file, work.read(importer, file, options), notebook), notebook.progress)
    output.data(done.shown(), json_, _show)
    if done.rejected and not done.accepted:
        raise click.exceptions.Exit(2)


def _watched(steps: Iterator[Progress], progress: Progress) -> Progress:
    """Follow with a bar, which is off when this is no terminal."""
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # its thread would outlive the bar
    with tqdm(desc="readings", unit="", unit_scale=True, initial=progress.taken, disable=None) as bar:
        for progress in steps:
            bar.update(progress.taken - bar.n)
    return progress


def _show(done: dict[str, object]) -> None:
    click.echo(f"{done['accepted']} readings are stored, {done['rejected']} were refused")
    for mistake in done["mistakes"]:  # type: ignore[attr-defined]
        click.echo(f"  {mistake}")


def pairs(words: tuple[str, ...]) -> dict[str, str]:
    """`--name value` and `--name=value` as options; UsageError for anything else."""
    found: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            raise click.UsageError(f"unexpected {word!r}; options are written as --name value")
        if not equals:
            if not rest:
                raise click.UsageError(f"{word} needs a value")
            value = rest.pop(0)
        found[name.replace("-", "_")] = value
    return found


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--encrypt", is_flag=True, help="Seal it with a passphrase: that of OHMSTEAD_PASSPHRASE, else you are asked.")
@as_json
@click.pass_obj
def backup(config: Path, file: Path, encrypt: bool, json_: bool) -> None:
    """Write the whole house into FILE: database, configuration, secrets, keys, plugins. The hub may run."""
    from ohmstead.config.cli.whole import back_up

    back_up(config, file, _passphrase(new=True) if encrypt else None)
    output.data({"file": str(file), "bytes": file.stat().st_size, "encrypted": encrypt}, json_, _show_backed_up)


def _show_backed_up(found: dict[str, Any]) -> None:
    warning = "" if found["encrypted"] else "; it holds secrets, keep it safe"
    click.echo(f"wrote {found['file']}, {found['bytes']:,} bytes, and read it back{warning}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
@click.pass_obj
def restore(config: Path, file: Path, json_: bool) -> None:
    """Put FILE in the place of the house. The hub must be stopped; what was there is kept beside it."""
    from ohmstead.config.backups import is_sealed
    from ohmstead.config.cli.whole import put_back

    kept = put_back(config, file, _passphrase(new=False) if is_sealed(file) else None)
    rows = {table: count for table, count in kept.manifest.rows.items() if count}
    found = {"created": kept.manifest.created, "rows": rows, "kept": [kept.database, *kept.folders]}
    output.data(found, json_, _show_restored)


def _show_restored(found: dict[str, Any]) -> None:
    click.echo(f"restored the house of {found['created']}: {sum(found['rows'].values()):,} rows")
    for kept in found["kept"]:
        if kept:
            click.echo(f"  what was there before: {kept}")


def _passphrase(new: bool) -> str:
    return os.environ.get("OHMSTEAD_PASSPHRASE") or click.prompt("Passphrase", hide_input=True, confirmation_prompt=new)
