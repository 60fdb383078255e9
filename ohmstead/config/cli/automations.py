"""`ohmstead automations`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.output import as_json

dry_run_ = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
COLUMNS = ("id", "enabled", "mode", "priority", "origin", "running", "count", "last_triggered", "last_result")


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def automations(context: click.Context, json_: bool) -> None:
    """List automations: whether they are enabled, and how their last run went."""
    if context.invoked_subcommand is None:
        _list(context.obj, json_)


@automations.command("list")
@as_json
@click.pass_obj
def list_(config: Path, json_: bool) -> None:
    """The same."""
    _list(config, json_)


def _list(config: Path, json_: bool) -> None:
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        output.data(list(api.listing("/automations")), json_, lambda found: output.table(found, COLUMNS, "no automations yet"))


@automations.command()
@as_json
@click.pass_obj
def blueprints(config: Path, json_: bool) -> None:
    """List blueprints: automations with inputs."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        found = api.call("GET", "/blueprints")
    rows = [{**each, "inputs": list(each["inputs"])} for each in found]
    output.data(found, json_, lambda _: output.table(rows, ("id", "name", "inputs"), "no blueprints"))


@automations.command()
@click.argument("automation")
@click.pass_obj
def show(config: Path, automation: str) -> None:
    """Print AUTOMATION with all it is made of, as JSON."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        output.data(api.call("GET", f"/automations/{automation}"), True, click.echo)


@automations.command()
@click.argument("automation")
@dry_run_
@as_json
@click.pass_obj
def run(config: Path, automation: str, dry_run: bool, json_: bool) -> None:
    """Have the running hub run AUTOMATION now, whatever its conditions."""
    from ohmstead.config.cli.api import running

    api = running(config)
    if dry_run:
        found = api.call("GET", f"/automations/{automation}")
        output.data(found, json_, lambda _: click.echo(f"would run {automation}: {len(found['options']['action'])} actions"))
        return
    output.data(api.call("POST", f"/automations/{automation}/run"), json_, _show_run)


@automations.command()
@click.argument("automation")
@dry_run_
@as_json
@click.pass_obj
def enable(config: Path, automation: str, dry_run: bool, json_: bool) -> None:
    """Enable AUTOMATION."""
    _switch(config, automation, "enable", dry_run, json_)


@automations.command()
@click.argument("automation")
@dry_run_
@as_json
@click.pass_obj
def disable(config: Path, automation: str, dry_run: bool, json_: bool) -> None:
    """Disable AUTOMATION and end its runs."""
    _switch(config, automation, "disable", dry_run, json_)


def _switch(config: Path, automation: str, word: str, dry_run: bool, json_: bool) -> None:
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        found = api.call("GET", f"/automations/{automation}")
        if not dry_run:
            found = api.call("POST", f"/automations/{automation}/{word}")
    words = f"would {word} {automation}" if dry_run else f"{automation} is {word}d"
    output.data(found, json_, lambda _: click.echo(words))


@automations.command()
@click.argument("automation")
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1, 100), help="How many runs, newest first.")
@as_json
@click.pass_obj
def trace(config: Path, automation: str, limit: int, json_: bool) -> None:
    """Print the latest runs of AUTOMATION, step by step."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        found = api.call("GET", f"/automations/{automation}/traces", {"limit": limit})
    output.data(found, json_, _show_runs)


def _show_runs(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("it has not run yet")
    for each in found:
        _show_run(each)


def _show_run(run_: dict[str, Any]) -> None:
    click.echo(f"{run_['began']}  {run_['result']}{': ' + run_['reason'] if run_['reason'] else ''}")
    by = run_["trigger"].get("by") or _pairs(run_["trigger"])
    click.echo(f"    set off by {by}" + (f", through {' → '.join(run_['caused_by'])}" if run_["caused_by"] else ""))
    for step in run_["steps"]:
        click.echo(f"    {step['at']}  {step['step']}: {step['result']}  {_pairs(step['saw'])}".rstrip())
    if run_["waits_at"]:
        click.echo(f"    waits at {run_['waits_at']}" + (f", until {run_['until']}" if run_["until"] else ""))


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())
