"""`ohmstead import readings | import prices | backup | restore`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.output import as_json

if TYPE_CHECKING:
    from ohmstead.config.cli.amounts import Outcome
    from ohmstead.config.cli.readings import Progress
    from ohmstead.core.plugin import Importer

    Counted = TypeVar("Counted", Progress, Outcome)

EXAMPLES = """\b
Options of the format follow the file, as in
  ohmstead import readings meter.csv --columns energy=kwh --device grid --period 15m --zone Europe/Paris
  ohmstead import readings export.lp --precision ns
"""


class Formats(click.Group):
    """`readings`, and beside it every format that an importer of amounts is declared for, a plugin's too."""

    SHIPPED = ("csv", "green-button", "home-assistant")

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted({*super().list_commands(context), *self.SHIPPED})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        return super().get_command(context, name) or _amounts(name)


@click.group("import", cls=Formats)
def import_() -> None:
    """Bring data in from files: readings of devices, or (by the name of their format) amounts of a meter point."""


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
        _list_options(importer)
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


@import_.command("prices")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--series", required=True, help="The series of prices they belong to.")
@click.option("--currency", required=True, help="ISO 4217 code of their money, such as EUR.")
@click.option("--unit", type=click.Choice(["kWh", "MWh"]), default="kWh", show_default=True, help="What a price is of.")
@click.option("--zone", help="Zone of times without an offset, such as Europe/Berlin.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@as_json
@click.pass_obj
def import_prices(config: Path, file: Path, series: str, currency: str, unit: str, zone: str | None, dry_run: bool, json_: bool) -> None:
    """Bring in prices of your own: a CSV FILE with the columns start, price and perhaps end, or such a list in YAML below
    prices:.

    A price without an end holds until the next one. The same file again changes nothing.
    """
    from ohmstead.config.cli import prices as work
    from ohmstead.config.cli.api import opened

    found = work.rows(file, zone)
    with opened(config) as api:
        done = work.bring(api, file, found, series, currency, unit, dry_run)
    words = f"{done['count']} of {len(found)} prices {'would be' if dry_run else 'are'} new"
    output.data(done, json_, lambda _: click.echo(words))


def _watched(steps: Iterator[Counted], progress: Counted, what: str = "readings") -> Counted:
    """Follow with a bar, which is off when this is no terminal."""
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # its thread would outlive the bar
    with tqdm(desc=what, unit="", unit_scale=True, initial=progress.taken, disable=None) as bar:
        for progress in steps:
            bar.update(progress.taken - bar.n)
    return progress


def _amounts(name: str) -> click.Command:
    """`ohmstead import NAME`: a file into a meter point."""

    @click.command(name, context_settings={"ignore_unknown_options": True}, short_help="Amounts of a meter point, committed whole.")
    @click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--meter-point", required=True, metavar="ID", help="The meter point whose energy or volume this is.")
    @click.option("--layer", type=click.Choice(("live", "manual", "settled")), help="Where it goes; the format's own unless given.")
    @click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
    @click.option("--skip-mistakes", is_flag=True, help="Pass over what cannot be read, instead of refusing the file.")
    @click.option("--options", "list_", is_flag=True, is_eager=True, help="List the options of the format and stop.")
    @as_json
    @click.argument("more", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF THE FORMAT]...")
    @click.pass_obj
    def command(config: Path, /, **given: Any) -> None:
        """Bring amounts of a meter point in, whole or not at all. The same file again changes nothing."""
        from ohmstead.config.cli import readings as work
        from ohmstead.core.plugin import Into

        known = work.importers(config, Into.METER_POINT)
        importer = next((each for each in known if each.name == name.replace("-", "_")), None)
        if importer is None:
            raise click.UsageError(f"there is no {name!r}; there are readings, {', '.join(each.name.replace('_', '-') for each in known)}")
        if given.pop("list_"):
            _list_options(importer)
        else:
            _bring(config, importer, **given)

    return command


def _bring(
    config: Path, importer: Importer, file: Path, meter_point: str, layer: str | None, dry_run: bool, skip_mistakes: bool, json_: bool,
    more: tuple[str, ...],
) -> None:  # fmt: skip
    from ohmstead.config.cli import amounts
    from ohmstead.config.cli import readings as work
    from ohmstead.config.cli.api import opened

    given = pairs(more)
    options = work.checked(importer, given)
    wanted = amounts.Wanted(importer, file, meter_point, layer or importer.layer, given, dry_run, skip_mistakes)
    with opened(config) as api:
        found = work.read(importer, file, amounts.flow(api, importer, meter_point, options))
        outcome = amounts.Outcome()
        _watched(amounts.bring(api, wanted, found, outcome), outcome, "rows")
    output.data(outcome.shown(), json_, _show_outcome)


def _show_outcome(done: dict[str, Any]) -> None:
    if done["known"] is not None:
        click.echo(f"this file is import {done['known']} already; it changes nothing")
        return
    preview = done["preview"]
    (start, end), unit = ((preview or done)[name] for name in ("start", "end")), preview.get("unit")
    span = f"at {start}" if start == end else f"from {start} to {end}"  # a lone register has no length
    amount = f", {preview['kwh']} {unit}" if preview.get("periods") else ""
    click.echo(f"{done['rows']} {'row' if done['rows'] == 1 else 'rows'} {span}{amount}")
    if preview:
        before, after = ("nothing" if preview[name] is None else f"{preview[name]} {unit}" for name in ("before_kwh", "after_kwh"))
        click.echo(f"  before: {before}, after: {after}; slots that change: {preview['slots_changed']}")
    for each in preview.get("conflicts", ()):
        differ = "period differs" if each["periods"] == 1 else "periods differ"
        click.echo(f"  {each['periods']} {differ} from import {each['import']}, by {each['kwh']} {unit} in all; this one wins")
    for mistake in done["mistakes"]:
        click.echo(f"  passed over: {mistake}")
    click.echo(f"import {done['number']} counts" if done["committed"] else "nothing was changed")


def _list_options(importer: Importer) -> None:
    for marker in importer.schema:
        click.echo(f"  --{str(marker).replace('_', '-'):16} {getattr(marker, 'description', None) or ''}")


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
