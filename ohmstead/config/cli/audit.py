"""`ohmstead audit`: what happened and who did it, and whether the log is as it was written."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.output import as_json

COLUMNS = ("number", "at", "type", "subject", "who", "what")
FILTERS = (
    click.option("--type", "type_", help="Only such as device.offline; device.* is all that begin so."),
    click.option("--subject", help="Only what happened to this id."),
    click.option("--device", help="Only what is about this device."),
    click.option("--person", help="Only what this person, device or token did."),
    click.option("--from", "start", help="From this instant on, such as 2026-02-07T11:26:00Z."),
    click.option("--to", "end", help="Up to this instant, not included."),
    click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1_000_000), help="How many, newest first."),
)


def _filtered(command: Any) -> Any:
    for option in reversed(FILTERS):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@_filtered
@as_json
@click.pass_context
def audit(context: click.Context, /, json_: bool, **wanted: Any) -> None:
    """Show the log of what happened and who did it, the newest first; `verify` checks it."""
    if context.invoked_subcommand is None:
        _list(context.obj, json_, **wanted)


@audit.command("list")
@_filtered
@as_json
@click.pass_obj
def listing(config: Path, /, json_: bool, **wanted: Any) -> None:
    """List entries, the newest first."""
    _list(config, json_, **wanted)


def _list(config: Path, json_: bool, type_: str | None, limit: int, **wanted: str | None) -> None:
    from ohmstead.config.cli.api import opened

    query = {name: value for name, value in {"type": type_, **wanted, "limit": min(limit, 1000)}.items() if value is not None}
    with opened(config) as api:
        found = list(islice(api.listing("/audit", query), limit))
    output.data(found, json_, _show)


def _show(found: list[dict[str, Any]]) -> None:
    rows = [{**entry, "what": " ".join(f"{key}={value}" for key, value in entry["data"].items())} for entry in found]
    output.table(rows, COLUMNS, "nothing is in the log")


@audit.command()
@as_json
@click.pass_context
def verify(context: click.Context, json_: bool) -> None:
    """Check every entry; exits with 1 and names the first that is not as it was written."""
    from ohmstead.config.cli.api import opened

    with opened(context.obj) as api:
        verdict = api.call("GET", "/audit/verify")
    output.data(verdict, json_, _tell)
    if not verdict["ok"]:
        context.exit(1)


def _tell(verdict: dict[str, Any]) -> None:
    if not verdict["ok"]:
        click.echo(click.style(f"entry {verdict['broken']}: {verdict['why']}", fg="red"))
        return
    archived = f", {verdict['archived']} before them are archived" if verdict["archived"] else ""
    click.echo(f"the log holds: {verdict['checked']} entries checked{archived}; entry {verdict['newest']} ends it with {verdict['head']}")
    for name in verdict["files_missing"]:
        click.echo(f"data/archive/audit/{name} is not here; its checkpoint holds")
