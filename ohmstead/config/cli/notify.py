"""`ohmstead notify`: try out notifications, and see what became of them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.output import as_json

COLUMNS = ("at", "recipient", "channel", "address", "status", "attempts", "title", "answer")


@click.group()
def notify() -> None:
    """Notifications: send a test, see the log of deliveries."""


@notify.command()
@click.option("--to", default="owner", show_default=True, metavar="PERSON", help="A person, a role, or a plain address.")
@click.option("--dry-run", is_flag=True, help="Only show where it would go.")
@as_json
@click.pass_obj
def test(config: Path, to: str, dry_run: bool, json_: bool) -> None:
    """Have the running hub send a test message, and show what became of it. Exits with 1 unless all of it arrived."""
    from ohmstead.config.cli.api import running

    found = running(config).call("POST", "/notifications/test", body={"to": to, "dry_run": dry_run})
    output.data(found, json_, lambda rows: output.table(rows, COLUMNS[1:6] + COLUMNS[7:], "nobody is told"))
    if not dry_run and any(each["status"] != "sent" for each in found):
        raise click.exceptions.Exit(1)


@notify.command()
@click.option("--status", type=click.Choice(("pending", "sent", "failed", "bounced")), help="Only these.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many, newest first.")
@as_json
@click.pass_obj
def deliveries(config: Path, status: str | None, limit: int, json_: bool) -> None:
    """List messages, and how their delivery went."""
    from ohmstead.config.cli.api import opened

    query = {"limit": min(limit, 1000), **({"status": status} if status else {})}
    with opened(config) as api:
        found: list[dict[str, Any]] = list(islice(api.listing("/notifications/deliveries", query), limit))
    output.data(found, json_, lambda rows: output.table(rows, COLUMNS, "no messages yet"))
