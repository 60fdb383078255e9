"""`ohmstead corrections` and `ohmstead findings`: what people change of the past, and what the data contradicts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.output import as_json

F = TypeVar("F", bound=Callable[..., Any])
KINDS = ("void", "shift", "reading-scale", "set-total", "spread", "interval-scale", "replace", "confirm")
STATUSES = ("active", "undone")
STANDS = ("open", "dismissed", "closed", "all")

adjust = click.option("--adjust", is_flag=True, help="Also over issued bills, which then get an adjustment.")
dry_run = click.option("--dry-run", is_flag=True, help="Only say what it would do.")


def _change(command: F) -> F:
    """The options that describe a correction."""
    for option in reversed((
        click.argument("kind", type=click.Choice(KINDS)),
        click.option("--meter-point", help="Whose intervals change."),
        click.option("--series", metavar="DEVICE.QUANTITY", help="Whose readings change (void, shift, reading-scale)."),
        click.option("--start", metavar="DAY|INSTANT", help="Where the span begins."),
        click.option("--end", metavar="DAY|INSTANT", help="Where the span ends: the first day or instant behind it."),
        click.option("--instant", "instants", multiple=True, metavar="INSTANT", help="A single reading, not a span; may be repeated."),
        click.option("--kwh", help="The energy of the span (set-total, spread); m³ for volumes."),
        click.option("--factor", help="Exact factor such as 1.02 or 1/1000 (reading-scale, interval-scale, replace)."),
        click.option("--by", metavar="METER_POINT", help="Whose intervals are taken (replace)."),
        click.option("--by-s", metavar="SECONDS", help="How much later the readings belong; negative: earlier (shift)."),
        click.option("--at", metavar="INSTANT", help="The suspect reading (confirm)."),
    )):  # fmt: skip
        command = option(command)
    return command


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items() if value not in (None, ())}


def _tried(dry_run: bool) -> dict[str, Any]:
    return {"dry_run": "true"} if dry_run else {}


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def corrections(context: click.Context, json_: bool) -> None:
    """Correct readings and intervals: list, preview, apply, undo."""
    if context.invoked_subcommand is None:
        context.invoke(list_, meter_point=None, series=None, status=None, json_=json_)


@corrections.command("list")
@click.option("--meter-point", help="Only of this meter point.")
@click.option("--series", metavar="DEVICE.QUANTITY", help="Only of this series.")
@click.option("--status", type=click.Choice(STATUSES), help="Only those in force, or undone.")
@as_json
@click.pass_obj
def list_(config: Path, meter_point: str | None, series: str | None, status: str | None, json_: bool) -> None:
    """List corrections, the newest first."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        found = list(api.listing("/corrections", _given({"meter_point": meter_point, "series": series, "status": status})))
    output.data(found, json_, _show)


@corrections.command()
@_change
@as_json
@click.pass_obj
def preview(config: Path, /, json_: bool, **change: Any) -> None:
    """Say what a correction would do, in kWh and money."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        found = api.call("POST", "/corrections/preview", body=_given(change))
    output.data(found, json_, _show_effect)


@corrections.command()
@_change
@click.option("--reason", required=True, help="Why; shown beside the correction for ever.")
@adjust
@dry_run
@as_json
@click.pass_obj
def apply(config: Path, /, reason: str, adjust: bool, dry_run: bool, json_: bool, **change: Any) -> None:
    """Apply a correction, with all that follows from it."""
    from ohmstead.config.cli.api import opened

    body = {**_given(change), "reason": reason, "adjust": adjust}
    with opened(config) as api:
        found = api.call("POST", "/corrections", _tried(dry_run), body)
    output.data(found, json_, _show_effect if dry_run else _show_one)


@corrections.command()
@click.argument("number", type=click.IntRange(1))
@click.option("--reason", required=True, help="Why.")
@adjust
@dry_run
@as_json
@click.pass_obj
def undo(config: Path, number: int, reason: str, adjust: bool, dry_run: bool, json_: bool) -> None:
    """Take a correction back and replay the rest."""
    from ohmstead.config.cli.api import opened

    body = {"reason": reason, "adjust": adjust}
    with opened(config) as api:
        found = api.call("POST", f"/corrections/{number}/undo", _tried(dry_run), body)
    output.data(found, json_, _show_effect if dry_run else _show_one)


def _show_one(made: dict[str, Any]) -> None:
    _show([made])


def _show(found: list[dict[str, Any]]) -> None:
    rows = [{**each, "of": each.get("meter_point") or each.get("series"), "what": _what(each)} for each in found]
    columns = ("number", "kind", "of", "start", "end", "what", "status", "author", "reason")
    output.table(rows, columns, "nothing was corrected")


def _what(made: dict[str, Any]) -> str:
    words = {"kwh": "{} kWh", "factor": "× {}", "by": "from {}", "by_s": "{} s", "instants": "{}"}
    return ", ".join(form.format(made[name]) for name, form in words.items() if name in made)


def _show_effect(found: dict[str, Any]) -> None:
    rows = [
        {"meter_point": point["meter_point"], **day} for point in found["meter_points"]
        for day in (*point["days"], {"day": "in all", "before_kwh": point["before_kwh"], "after_kwh": point["after_kwh"]})
    ]  # fmt: skip
    output.table(rows, ("meter_point", "day", "before_kwh", "after_kwh"), "it would change nothing")
    for worth in found["money"]:
        click.echo(f"{worth['contract']}: {worth['before']} → {worth['after']} {worth['currency']} ({worth['difference']})")
    for number in found["findings"]["close"]:
        click.echo(f"closes finding {number}")
    for text in found["findings"]["open"]:
        click.echo(f"would be found: {text}")


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def findings(context: click.Context, json_: bool) -> None:
    """What the data contradicts: list, show, accept, dismiss, reopen."""
    if context.invoked_subcommand is None:
        context.invoke(list_findings, meter_point=None, cause=None, status="open", json_=json_)


@findings.command("list")
@click.option("--meter-point", help="Only of this meter point.")
@click.option("--cause", help="Only of this cause: gap, suspect, reset …")
@click.option("--status", default="open", show_default=True, type=click.Choice(STANDS), help="Where they stand.")
@as_json
@click.pass_obj
def list_findings(config: Path, meter_point: str | None, cause: str | None, status: str, json_: bool) -> None:
    """List findings, the newest first."""
    from ohmstead.config.cli.api import opened

    query = _given({"meter_point": meter_point, "cause": cause, "status": None if status == "all" else status})
    with opened(config) as api:
        found = list(api.listing("/findings", query))
    columns = ("id", "cause", "meter_point", "start", "kwh", "status", "text")
    output.data(found, json_, lambda rows: output.table(rows, columns, "nothing is wrong, as far as the data shows"))


@findings.command()
@click.argument("number", type=click.IntRange(1))
@as_json
@click.pass_obj
def show(config: Path, number: int, json_: bool) -> None:
    """Show a finding and what it proposes."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        output.data(api.call("GET", f"/findings/{number}"), json_, _show_finding)


@findings.command()
@click.argument("number", type=click.IntRange(1))
@click.option("--reason", help="Why; the finding's own text unless given.")
@adjust
@dry_run
@as_json
@click.pass_obj
def accept(config: Path, number: int, reason: str | None, adjust: bool, dry_run: bool, json_: bool) -> None:
    """Do what a finding proposes."""
    from ohmstead.config.cli.api import opened

    body = {**_given({"reason": reason}), "adjust": adjust}
    with opened(config) as api:
        output.data(api.call("POST", f"/findings/{number}/accept", _tried(dry_run), body), json_, _show_accepted)


def _show_accepted(found: dict[str, Any]) -> None:
    if "effect" not in found:
        _show_finding(found["finding"])
    elif found["effect"] is not None:
        _show_effect(found["effect"])
    else:
        click.echo("it would swap the meter; see ohmstead meter-points")


@findings.command()
@click.argument("number", type=click.IntRange(1))
@click.option("--reason", required=True, help="Why it is no mistake.")
@dry_run
@as_json
@click.pass_obj
def dismiss(config: Path, number: int, reason: str, dry_run: bool, json_: bool) -> None:
    """Say that a finding is no mistake; it stays dismissed."""
    _stand(config, number, "dismiss", {"reason": reason}, dry_run, json_)


@findings.command()
@click.argument("number", type=click.IntRange(1))
@dry_run
@as_json
@click.pass_obj
def reopen(config: Path, number: int, dry_run: bool, json_: bool) -> None:
    """Take a dismissal back."""
    _stand(config, number, "reopen", None, dry_run, json_)


def _stand(config: Path, number: int, verb: str, body: dict[str, Any] | None, dry_run: bool, json_: bool) -> None:
    """Dismiss or reopen a finding, or with `dry_run` only show it."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        found = api.call("GET", f"/findings/{number}") if dry_run else api.call("POST", f"/findings/{number}/{verb}", body=body)
        output.data(found, json_, _show_finding)


def _show_finding(found: dict[str, Any]) -> None:
    click.echo(f"{found['id']}  {found['cause']} at {found['meter_point']}, {found['status']}")
    click.echo(f"    {found['start']} to {found['end']}: {found['text']}")
    for each in found["money"]:
        click.echo(f"    worth {each['amount']} {each['currency']} ({each['contract']})")
    proposal = found["proposal"]
    if proposal is not None:
        click.echo("    proposed: " + " ".join(str(value) for value in proposal.values() if not isinstance(value, dict)))
        for name, value in (proposal["correction"] if proposal["action"] == "correct" else {}).items():
            click.echo(f"        {name}: {value}")
    if found["closed_by"]:
        click.echo(f"    {found['status']} by {found['closed_by']}{': ' + found['reason'] if found['reason'] else ''}")
