"""`ohmstead rules | alerts`: what is watched, what is wrong, and doing something about it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.output import as_json

STATUSES = ("triggered", "acknowledged", "suppressed", "snoozed", "resolved")
SEVERITIES = ("low", "medium", "high", "critical")
COLUMNS = ("id", "triggered", "severity", "status", "title", "value", "assignee")
dry_run = click.option("--dry-run", is_flag=True, help="Only show what it is now.")
number = click.argument("id_", metavar="ID", type=click.IntRange(1, 10**15))
comment_option = click.option("--comment", help="What is to be remembered of it.")


@click.group(invoke_without_command=True)
@click.option("--status", type=click.Choice(("active", "paused", "archived")), help="Only these; archived ones are not listed else.")
@as_json
@click.pass_context
def rules(context: click.Context, status: str | None, json_: bool) -> None:
    """List alert rules; `evaluate` one by hand; pause, archive or activate one."""
    if context.invoked_subcommand is None:
        from ohmstead.config.cli.api import opened

        with opened(context.obj) as api:
            found = list(api.listing("/rules", {"status": status} if status else None))
        columns = ("id", "kind", "severity", "status", "origin", "last_triggered", "open_alerts", "name")
        output.data(found, json_, lambda rows: output.table(rows, columns, "no alert rules yet"))


@rules.command()
@click.argument("rule")
@as_json
@click.pass_obj
def evaluate(config: Path, rule: str, json_: bool) -> None:
    """Say what a rule makes of the values of now, and why. Nothing fires by it."""
    from ohmstead.config.cli.api import running

    found = running(config).call("POST", f"/rules/{rule}/evaluate")
    columns = ("subject", "value", "unit", "holds", "since", "alert", "why")
    nothing = f"{rule} is {found['status']} and about nothing that is there"
    output.data(found, json_, lambda said: output.table(said["subjects"], columns, nothing))


@rules.command()
@click.argument("rule")
@click.argument("status", type=click.Choice(("active", "paused", "archived")))
@dry_run
@as_json
@click.pass_obj
def status(config: Path, rule: str, status: str, dry_run: bool, json_: bool) -> None:
    """Pause, archive or activate a rule that was made over the API."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        found = api.call("GET", f"/rules/{rule}") if dry_run else api.call("PUT", f"/rules/{rule}/status", body={"status": status})
    output.data(found, json_, lambda one: click.echo(f"{one['id']} is {one['status']}"))


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def alerts(context: click.Context, json_: bool) -> None:
    """List alerts that are open, and do something about them."""
    if context.invoked_subcommand is None:
        context.invoke(listing, all_=False, status=None, severity=None, rule=None, device=None, limit=50, json_=json_)


@alerts.command("list")
@click.option("--all", "all_", is_flag=True, help="Resolved ones too.")
@click.option("--status", type=click.Choice(STATUSES), help="Only these.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only these.")
@click.option("--rule", help="Only those of this rule.")
@click.option("--device", help="Only those about this device.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="How many, newest first.")
@as_json
@click.pass_obj
def listing(config: Path, /, all_: bool, json_: bool, limit: int, **wanted: str | None) -> None:
    """List alerts, the newest first."""
    from ohmstead.config.cli.api import opened

    query: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    query |= {"limit": min(limit, 1000)} | ({} if all_ or wanted["status"] else {"open": "true"})
    with opened(config) as api:
        found = list(islice(api.listing("/alerts", query), limit))
    output.data(found, json_, lambda rows: output.table([_row(each) for each in rows], COLUMNS, "no alerts"))


@alerts.command()
@number
@as_json
@click.pass_obj
def show(config: Path, id_: int, json_: bool) -> None:
    """Show one alert and what happened to it."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        found = api.call("GET", f"/alerts/{id_}")
    output.data(found, json_, _show)


@alerts.command()
@number
@comment_option
@dry_run
@as_json
@click.pass_obj
def ack(config: Path, id_: int, comment: str | None, dry_run: bool, json_: bool) -> None:
    """Say that you take care of it: nobody else is told of it any more."""
    _do(config, id_, "acknowledge", _comment(comment), dry_run, json_)


@alerts.command()
@number
@comment_option
@dry_run
@as_json
@click.pass_obj
def resolve(config: Path, id_: int, comment: str | None, dry_run: bool, json_: bool) -> None:
    """Say that it is over; it comes again only once it was over by itself."""
    _do(config, id_, "resolve", _comment(comment), dry_run, json_)


@alerts.command()
@number
@click.option("--for", "for_", default="1h", show_default=True, metavar="SPAN", help="How long, such as 30m or 2d.")
@comment_option
@dry_run
@as_json
@click.pass_obj
def snooze(config: Path, id_: int, for_: str, comment: str | None, dry_run: bool, json_: bool) -> None:
    """Silence it for a while."""
    _do(config, id_, "snooze", {"for": for_, **_comment(comment)}, dry_run, json_)


@alerts.command()
@number
@click.argument("assignee", required=False)
@dry_run
@as_json
@click.pass_obj
def assign(config: Path, id_: int, assignee: str | None, dry_run: bool, json_: bool) -> None:
    """Say who is to take care of it; nobody when no one is named."""
    _do(config, id_, "assign", {"assignee": assignee}, dry_run, json_)


@alerts.command()
@number
@click.argument("text")
@dry_run
@as_json
@click.pass_obj
def comment(config: Path, id_: int, text: str, dry_run: bool, json_: bool) -> None:
    """Say something about it."""
    _do(config, id_, "comment", {"text": text}, dry_run, json_)


def _do(config: Path, id_: int, what: str, body: dict[str, Any], dry_run: bool, json_: bool) -> None:
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        found = api.call("GET", f"/alerts/{id_}") if dry_run else api.call("POST", f"/alerts/{id_}/{what}", body=body)
    output.data(found, json_, lambda one: click.echo(f"{one['id']} {one['title']}: {one['status']}"))


def _comment(comment: str | None) -> dict[str, Any]:
    return {} if comment is None else {"comment": comment}


def _row(alert: dict[str, Any]) -> dict[str, Any]:
    return {**alert, "value": _value(alert)}


def _value(alert: dict[str, Any]) -> str | None:
    return None if alert["value"] is None else f"{alert['value']} {alert['unit']}".rstrip()


def _show(alert: dict[str, Any]) -> None:
    click.echo(f"{alert['id']}  {alert['title']}  [{alert['severity']}, {alert['status']}]\n{alert['message']}")
    cost = f"{alert['cost_per_day']} {alert['currency']}" if alert["cost_per_day"] else None
    facts = {"rule": alert["rule"], "about": alert["subject"], "value": _value(alert), "threshold": alert["threshold"],
             "assignee": alert["assignee"], "expected cost per day": cost, "suppressed under": alert["group"]}  # fmt: skip
    for name, value in facts.items():
        if value is not None:
            click.echo(f"  {name}: {value}")
    output.table(alert["history"], ("at", "what", "who", "text"), "nothing happened to it")
