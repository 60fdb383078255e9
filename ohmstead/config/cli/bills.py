"""`ohmstead contracts` and `ohmstead bill`: what is billed, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.output import as_json

EVER = "1970-01-01"  # since when a version is valid that does not say


@click.command()
@as_json
@click.pass_obj
def contracts(config: Path, json_: bool) -> None:
    """List contracts: what they bill, and at which tariff."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        found = list(api.listing("/contracts"))
    output.data(found, json_, _show_contracts)


def _show_contracts(found: list[dict[str, Any]]) -> None:
    columns = ("id", "supplier", "location", "import", "export", "tariff", "currency", "from", "until")
    rows = [{**each, "from": each.get("start"), "until": each.get("end"), "tariff": _tariffs(each["tariff"])} for each in found]
    output.table(rows, columns, "no contracts yet; the configuration's `contracts:` makes one")
    for each in found:
        for problem in each["problems"]:
            click.echo(f"{each['id']} → {problem['path']}: {problem['message']}", err=True)


def _tariffs(tariff: Any) -> Any:
    return [each["tariff"] for each in tariff] if isinstance(tariff, list) else tariff


@click.command()
@click.argument("contract")
@click.option("--period", default="current", show_default=True, help="current, last, a month such as 2026-03, or a day in the period.")
@click.option("--known-at", metavar="INSTANT", help="Leave out what was recorded later.")
@click.option("--issue", is_flag=True, help="Freeze the bill.")
@click.option("--adjust", is_flag=True, help="Issue what changed since the bill was issued.")
@click.option("--accept-missing", is_flag=True, help="Issue it although energy or prices are missing.")
@click.option("--dry-run", is_flag=True, help="Show the bill that would be issued, and issue nothing.")
@click.option("--line", type=click.IntRange(1), help="Open a line: its slots.")
@as_json
@click.pass_obj
def bill(config: Path, contract: str, period: str, known_at: str | None, issue: bool, adjust: bool, accept_missing: bool, dry_run: bool,
         line: int | None, json_: bool) -> None:  # fmt: skip
    """Show what a contract costs in a period, and issue the bill."""
    from ohmstead.config.cli.api import opened

    if issue and adjust:
        raise click.UsageError("give either --issue or --adjust")
    if known_at and (issue or adjust):
        raise click.UsageError("a bill is issued as things stand now; leave out --known-at")
    query = {"period": period, **({"known_at": known_at} if known_at else {})}
    with opened(config) as api:
        found = api.call("GET", f"/contracts/{contract}/bill", query)
        if (issue or adjust) and not dry_run:
            act = "issue" if issue else "adjust"
            found = api.call("POST", f"/bills/{found['id']}/{act}", body={"accept_missing": accept_missing})
        if line is not None:
            found = api.call("GET", f"/bills/{found['id']}/lines/{line}", {"limit": 10_000})
    output.data(found, json_, _show_bill if line is None else _show_line)


def _show_bill(found: dict[str, Any]) -> None:
    zone = ZoneInfo(found["time_zone"])
    state = "running" if found["running"] else found["status"]
    click.echo(" · ".join(filter(None, (f"Bill {found['id']} ({state})", found["name"], found["supplier"], found["tariff"]))))
    click.echo(f"{_span(found, zone)} {found['time_zone']}\n")
    rows = [{**line, "what": _what(line), "amount": line["printed"], "from": _since(line["version"])} for line in found["lines"]]
    output.table(rows, ("line", "what", "from", "quantity", "unit", "price", "amount"), "no lines")
    click.echo()
    for text in _sums(found):
        click.echo(text)
    for text in _notes(found, zone):
        click.echo(text)


def _what(line: dict[str, Any]) -> str:
    named = line["rule"] if line["label"] in ("", line["rule"]) else f"{line['rule']}: {line['label']}"
    return f"{named} (export)" if line["direction"] == "export" else named


def _since(version: str) -> str | None:
    return None if version == EVER else version


def _sums(found: dict[str, Any]) -> Iterator[str]:
    currency = found["currency"]
    yield f"net    {found['net']} {currency}"
    for row in found["vat"]:
        yield f"VAT    {row['amount']} {currency} ({row['percent']} % of {row['base']}{'' if row['added'] else ', in the lines'})"
    yield f"total  {found['total']} {currency}"


def _notes(found: dict[str, Any], zone: ZoneInfo) -> Iterator[str]:
    """What the reader of a bill must know of it."""
    for side in ("import", "export"):
        if found.get(side, {}).get("meter_points"):
            yield from _quality(side, found[side], zone)
    for gap in found.get("unpriced", []):
        yield f"unpriced: {gap['component'] or 'tariff'}, {gap['kwh']} kWh, {gap['reason']}, {_span(gap, zone)}"
    for gap in found.get("excluded", []):
        yield f"{gap['component']}: {gap['windows']} windows with missing parts do not count, {_span(gap, zone)}"
    for gas in found.get("conversions", []):
        yield f"{gas['m3']} m³ × {gas['kwh_per_m3']} kWh/m³ × {gas['state_number']} = {gas['kwh']} kWh, {_span(gas, zone)}"
    for net in found.get("netted", []):
        yield f"netted {net['offset']} kWh of {net['imported']} bought and {net['exported']} sold, {_kept(net)}, {_span(net, zone)}"
    if found["changed_since"]:
        yield f"since it was issued it changed by {found['changed_since']['total']} {found['currency']}; --adjust issues that"


def _kept(net: dict[str, Any]) -> str:
    parts = (("drawn", "drawn from what was kept"), ("expired", "expired"))
    used = "".join(f"{net[name]} {word}, " for name, word in parts if net[name] != "0")
    return f"{used}{net['balance']} kept"


def _quality(side: str, found: dict[str, Any], zone: ZoneInfo) -> Iterator[str]:
    shares = {name: Decimal(share) for name, share in found["shares"].items() if name != "measured"}
    parts = [f"{share:.2%} {name}" for name, share in shares.items() if share]
    if parts:
        yield f"{side}: {', '.join(parts)} (shares of time)"
    yield from (f"{side}: no energy {_span(gap, zone)}" for gap in found["missing"])


def _span(gap: dict[str, Any], zone: ZoneInfo) -> str:
    return f"{_local(gap['start'], zone)} – {_local(gap['end'], zone)}"


def _local(at: str, zone: ZoneInfo) -> str:
    return datetime.fromisoformat(at).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _show_line(found: dict[str, Any]) -> None:
    click.echo(f"Bill {found['bill']}, line {found['line']}: {_what(found)}, {found['quantity']} {found['unit']} for {found['exact']}\n")
    rows = [{**slot, "quality": [point["quality"] for point in slot["meter_points"]]} for slot in found["opened"]]
    output.table(rows, ("start", "quantity", "unit", "price", "amount", "quality"), "this line has no slots")
