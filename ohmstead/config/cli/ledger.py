"""`ohmstead meter-points | intervals | ledger`: what is measured, what came of it, and whether it can be proved."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.output import as_json

F = TypeVar("F", bound=Callable[..., Any])
PAGE, MOST = 10_000, 100_000  # intervals that are asked for at once, and shown in all
RESOLUTIONS = ("slot", "hour", "day", "month", "year")
DAY = "DAY|INSTANT"

dry_run = click.option("--dry-run", is_flag=True, help="Only show what it would come to.")


def _series(command: F) -> F:
    """The options that say how series are read."""
    for option in reversed((
        click.option("--series", multiple=True, metavar="DEVICE.QUANTITY", help="What measures it; several are added."),
        click.option("--factor", help="What values are multiplied with; 1 unless given."),
        click.option("--modulus", help="The count at which the register returns to 0."),
        click.option("--resets", type=click.Choice(("none", "daily", "on_boot")), help="Whether the register begins again by itself."),
        click.option("--part", type=click.Choice(("all", "positive", "negative")), help="Which part of signed values counts."),
        click.option("--longest-gap", metavar="1h", help="How long a value holds without another."),
        click.option("--plausible-max", metavar="KW", help="The greatest mean power believed; m³/h for gas and water."),
    )):  # fmt: skip
        command = option(command)
    return command


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items() if value not in (None, ())}


@click.group("meter-points", invoke_without_command=True)
@as_json
@click.pass_context
def meter_points(context: click.Context, json_: bool) -> None:
    """List meter points, name them, say what measures them, swap a meter, state what a display showed."""
    if context.invoked_subcommand is None:
        context.invoke(list_, location=None, role=None, json_=json_)


@meter_points.command("list")
@click.option("--location", help="Only those in this location or one that lies within.")
@click.option("--role", help="Only those of this role.")
@as_json
@click.pass_obj
def list_(config: Path, location: str | None, role: str | None, json_: bool) -> None:
    """List meter points and what measures them now."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        output.data(list(api.listing("/meter-points", _given({"location": location, "role": role}))), json_, _show_points)


@meter_points.command()
@click.argument("meter_point")
@click.option("--name", help="Name for people; the id unless given.")
@click.option("--role", help="What its energy does: grid_import, pv, load …; custom unless given.")
@click.option("--location", help="The location it belongs to; home unless given.")
@click.option("--parent", help="The meter point it hangs under.")
@click.option("--category", help="What kind of use it is.")
@_series
@dry_run
@as_json
@click.pass_obj
def add(config: Path, /, meter_point: str, dry_run: bool, json_: bool, **given: Any) -> None:
    """Make a meter point."""
    _change(config, "POST", "/meter-points", {"id": meter_point, **_given(given)}, dry_run, json_, lambda made: _show_points([made]))


@meter_points.command()
@click.argument("meter_point")
@click.argument("name")
@dry_run
@as_json
@click.pass_obj
def rename(config: Path, meter_point: str, name: str, dry_run: bool, json_: bool) -> None:
    """Give a meter point another name."""
    _change(config, "PUT", f"/meter-points/{meter_point}", {"name": name}, dry_run, json_, lambda made: _show_points([made]))


@meter_points.command()
@click.argument("meter_point")
@click.option("--from", "from_", metavar=DAY, help="When it begins; since ever unless given.")
@click.option("--to", metavar=DAY, help="When it ends, not included; never unless given.")
@_series
@click.option("--opening", help="What the register showed when this began.")
@click.option("--closing", help="What the register showed when this ended.")
@dry_run
@as_json
@click.pass_obj
def bind(config: Path, /, meter_point: str, from_: str | None, dry_run: bool, json_: bool, **given: Any) -> None:
    """Say which series measure a meter point, and from when to when. Days are those where it is."""
    body = _given({"from": from_, **given})
    _change(config, "POST", f"/meter-points/{meter_point}/bindings", body, dry_run, json_, _show_bindings)


@meter_points.command()
@click.argument("meter_point")
@click.option("--at", required=True, metavar=DAY, help="When the new meter took over.")
@_series
@click.option("--closing", help="What the old register showed at its end.")
@click.option("--opening", help="What the new register showed at its beginning.")
@dry_run
@as_json
@click.pass_obj
def swap(config: Path, /, meter_point: str, dry_run: bool, json_: bool, **given: Any) -> None:
    """Put another meter in the place of one, without a seam."""
    _change(config, "POST", f"/meter-points/{meter_point}/swap", _given(given), dry_run, json_, _show_bindings)


@meter_points.command()
@click.argument("meter_point")
@click.argument("value")
@click.option("--at", required=True, metavar=DAY, help="When it showed that.")
@click.option("--note", help="Who read it, or why.")
@dry_run
@as_json
@click.pass_obj
def read(config: Path, meter_point: str, value: str, at: str, note: str | None, dry_run: bool, json_: bool) -> None:
    """State what the display of a meter showed, in kWh (m³ for gas and water)."""
    body = _given({"reads": [{"at": at, "value": value}], "note": note})
    _change(config, "POST", f"/meter-points/{meter_point}/reads", body, dry_run, json_, _show_read)


def _change(config: Path, method: str, path: str, body: Any, dry_run: bool, json_: bool, show: Callable[[Any], None]) -> None:
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        output.data(api.call(method, path, {"dry_run": "true"} if dry_run else None, body), json_, show)


def _show_points(found: list[dict[str, Any]]) -> None:
    rows = [{**point, "measured_by": _measured_by(point)} for point in found]
    output.table(rows, ("id", "name", "role", "location", "parent", "unit", "origin", "measured_by"), "no meter points yet")


def _measured_by(point: dict[str, Any]) -> str | None:
    if "computed_of" in point:
        return " ".join(f"{'+' if part['sign'] > 0 else '-'} {part['meter_point']}" for part in point["computed_of"])
    now = point["bindings"][-1] if point["bindings"] else None
    return None if now is None or now["to"] is not None else " + ".join(term["series"] for term in now["series"])


def _show_bindings(found: list[dict[str, Any]]) -> None:
    columns = ("number", "from", "to", "series", "factor", "part", "opening", "closing", "automatic")
    rows = [{**binding, **term} for binding in found for term in binding["series"]]
    output.table(rows, columns, "nothing measures it")


def _show_read(done: dict[str, Any]) -> None:
    if "conflicts" in done:
        click.echo(f"{done['registers']} registers would be taken in, of {done['start']}")
    else:
        click.echo(f"import {done['number']}: {done['rows']} registers of {done['meter_point']} count")


@click.command()
@click.argument("meter_point")
@click.option("--start", metavar=DAY, help="Where it begins; a day before the end unless given.")
@click.option("--end", metavar=DAY, help="Where it ends, not included; now unless given.")
@click.option("--resolution", default="slot", show_default=True, type=click.Choice(RESOLUTIONS), help="How long each is.")
@click.option("--layers", is_flag=True, help="Of each slot also what every layer says, winners and losers.")
@as_json
@click.pass_obj
def intervals(config: Path, /, meter_point: str, resolution: str, layers: bool, json_: bool, **span: str | None) -> None:
    """Show what a meter point measured. Days are those where it is."""
    from ohmstead.config.cli.api import opened

    query = {**_given(span), "resolution": resolution} | ({"layers": "true"} if layers else {})
    with opened(config) as api:
        found = list(islice(api.listing(f"/meter-points/{meter_point}/intervals", {**query, "limit": PAGE}), MOST + 1))
    if len(found) > MOST:
        from ohmstead.core.errors import Invalid

        raise Invalid(f"these are more than {MOST:,}: ask for a shorter span, for a longer --resolution, or for a file by ohmstead export")
    output.data(found, json_, _show_intervals)


def _show_intervals(found: list[dict[str, Any]]) -> None:
    said = [name for name in ("live", "manual", "settled", "correction") if any(name in each.get("layers", ()) for each in found)]
    rows = [{**each, **{name: each["layers"][name]["kwh"] for name in said if name in each["layers"]}} for each in found]
    output.table(rows, ("start", "end", "kwh", "quality", "covered_s", "source", *said), "nothing is known of that time")


@click.group()
def ledger() -> None:
    """The derived intervals: how far they are, and whether they can be derived again the same."""


@ledger.command()
@as_json
@click.pass_obj
def status(config: Path, json_: bool) -> None:
    """How far derivation is, and what waits."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        output.data(api.call("GET", "/ledger"), json_, lambda found: output.table([found], tuple(found), ""))


@ledger.command()
@click.option("--meter-point", "meter_points", multiple=True, help="Only this meter point; may be repeated.")
@as_json
@click.pass_obj
def verify(config: Path, meter_points: tuple[str, ...], json_: bool) -> None:
    """Derive everything again from the readings, and compare byte for byte with what is stored."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        found = api.call("POST", "/ledger/verify", body=_given({"meter_points": meter_points}))
    output.data(found, json_, _show_verified)
    if not found["same"]:
        raise click.exceptions.Exit(1)


@ledger.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@dry_run
@as_json
@click.pass_obj
def rebuild(config: Path, yes: bool, dry_run: bool, json_: bool) -> None:
    """Throw away what is derived, and derive it anew: also after lost files of the archive were put back."""
    from ohmstead.config.cli.api import opened

    if not (yes or dry_run):
        click.confirm("Derive all intervals anew, from the first reading on? The same comes out", abort=True, err=True)
    with opened(config) as api:
        found = api.call("POST", "/ledger/rebuild", {"dry_run": "true"} if dry_run else None)
    verb = "would be" if dry_run else "are"
    output.data(found, json_, lambda found: click.echo(f"{found['meter_points']} meter points {verb} derived anew"))


def _show_verified(found: dict[str, Any]) -> None:
    counts = ", ".join(f"{found[name]:,} {name.replace('_', ' ')}" for name in ("meter_points", "days", "rollups"))
    if found["same"]:
        click.echo(f"the same again: {counts}")
        return
    click.echo(f"{found['different']} differences among {counts}")
    output.table(found["differences"], ("meter_point", "what", "start", "stored", "rebuilt"), "")
