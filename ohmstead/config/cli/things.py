"""`ohmstead plugins | devices | discover | dead-letters | jobs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.output import as_json


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def plugins(context: click.Context, json_: bool) -> None:
    """List plugins: where from, what they declare, what is quarantined and why."""
    if context.invoked_subcommand is None:
        from ohmstead.config.cli.api import opened

        with opened(context.obj) as api:
            output.data(api.call("GET", "/plugins"), json_, _show_plugins)


@plugins.command("new")
@click.argument("name")
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Where to put it.")
def new_plugin(name: str, folder: Path) -> None:
    """Write the beginning of a plugin, with its test."""
    from ohmstead.config.scaffold import scaffold

    root = scaffold(name, folder)
    click.echo(f"wrote {root}; {root / 'README.md'} says how to go on")


def _show_plugins(found: list[dict[str, Any]]) -> None:
    for plugin in found:
        click.echo(f"{plugin['name']}  ({plugin['origin']})")
        for hook, things in plugin["declares"].items():
            click.echo(f"    {hook}: {', '.join(things)}")
        if plugin["quarantined"]:
            click.echo(click.style(f"    quarantined: {plugin['quarantined']}", fg="red"))


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def devices(context: click.Context, json_: bool) -> None:
    """List devices and where they stand."""
    if context.invoked_subcommand is None:
        from ohmstead.config.cli.api import opened

        columns = ("id", "name", "kind", "location", "status", "last_seen")
        with opened(context.obj) as api:
            output.data(list(api.listing("/devices")), json_, lambda found: output.table(found, columns, "no devices yet"))


@devices.command()
@click.argument("device")
@as_json
@click.pass_obj
def health(config: Path, device: str, json_: bool) -> None:
    """Show how well a device did in the last 24 hours, and why."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        output.data(api.call("GET", f"/devices/{device}/health"), json_, _show_health)


def _show_health(found: dict[str, Any]) -> None:
    click.echo(f"{found['device']}: " + ("nothing is known" if found["score"] is None else f"{found['score']} of 100"))
    for part in found["parts"]:
        click.echo(f"  {part['name']}: {part['points']} of {part['weight']}: {part['why']}")
    for part in found["left_out"]:
        click.echo(f"  {part['name']}: left out: {part['why']}")


@click.command()
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(0.5, 60), help="How long to listen.")
@as_json
@click.pass_obj
def discover(config: Path, seconds: float, json_: bool) -> None:
    """Find devices on the network that announce themselves, with the lines that configure them."""
    from ohmstead.config.cli.discovery import scan

    output.data(scan(config, seconds), json_, _show_found)


def _show_found(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("nothing found; devices that do not announce themselves are configured by their address")
        return
    click.echo("integrations:")
    for each in found:
        click.echo(f"  {each['id']}:  # {each['name']} at {each['host']}\n    type: {each['integration']}")
        for option, value in each["options"].items():
            click.echo(f"    {option}: {value}")


@click.group("dead-letters", invoke_without_command=True)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many, newest first.")
@as_json
@click.pass_context
def dead_letters(context: click.Context, limit: int, json_: bool) -> None:
    """List what was refused and why."""
    if context.invoked_subcommand is None:
        from ohmstead.config.cli.api import opened

        columns = ("id", "at", "source", "device", "reason")
        with opened(context.obj) as api:
            found = api.call("GET", "/dead-letters", {"limit": limit})
        output.data(found, json_, lambda rows: output.table(rows, columns, "nothing was refused"))


@dead_letters.command()
@click.argument("ids", nargs=-1, type=int)
@click.option("--all", "all_", is_flag=True, help="All there are.")
@as_json
@click.pass_obj
def replay(config: Path, ids: tuple[int, ...], all_: bool, json_: bool) -> None:
    """Try refused messages again, once the cause is mended."""
    from ohmstead.config.cli.api import opened

    if bool(ids) == all_:
        raise click.UsageError("name the ids of the letters, or give --all")
    with opened(config) as api:
        done = api.call("POST", "/dead-letters/replay", body={"all": True} if all_ else {"ids": list(ids)})
    words = "{replayed} stored ({readings} readings), {refused} refused again"
    output.data(done, json_, lambda result: click.echo(words.format(**result)))


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def jobs(context: click.Context, json_: bool) -> None:
    """List jobs: schedule, last run, next run."""
    if context.invoked_subcommand is None:
        from ohmstead.config.cli.api import opened

        with opened(context.obj) as api:
            output.data(api.call("GET", "/jobs"), json_, _show_jobs)


def _show_jobs(found: list[dict[str, Any]]) -> None:
    rows = [{**job, **_last_run(job["last"])} for job in found]
    output.table(rows, ("name", "schedule", "last", "took", "next", "description"), "no jobs")


def _last_run(last: dict[str, Any] | None) -> dict[str, str | None]:
    if last is None:
        return {"last": None, "took": None}
    took = None if last["took_s"] is None else f"{last['took_s']:.1f} s"
    return {"last": f"{last['result']} {last['started']}", "took": took}


@jobs.command("run")
@click.argument("name")
@as_json
@click.pass_obj
def run_job(config: Path, name: str, json_: bool) -> None:
    """Have the running hub run a job now."""
    from ohmstead.config.cli.api import running

    output.data(running(config).call("POST", f"/jobs/{name}/run"), json_, lambda job: _show_jobs([job]))
