"""`ohmstead backtest`: what rules and tariffs would have come to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.output import as_json

PARTS = ("alerts", "automations", "tariffs")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "start", required=True, metavar="DAY", help="The first day, or an instant with its offset.")
@click.option("--to", "end", required=True, metavar="DAY", help="The day, or instant, before which it ends.")
@click.option("--contract", help="Whose billing periods tariffs are compared with; the home's main contract unless given.")
@as_json
@click.pass_obj
def backtest(config: Path, file: Path, start: str, end: str, contract: str | None, json_: bool) -> None:
    """Run the alerts, automations and tariffs of FILE, written as in the configuration, against what was recorded.

    Nothing is told to anybody, and no device is commanded.
    """
    from ohmstead.config.cli.api import opened

    body = {**_document(file), "from": start, "to": end, **({"contract": contract} if contract else {})}
    with opened(config) as api:
        found = api.call("POST", "/backtests", body=body)
        zone = api.call("GET", "/locations/home")["time_zone"]
    output.data(found, json_, lambda shown: _show(shown, ZoneInfo(zone)))


def _document(file: Path) -> dict[str, Any]:
    """Its parts that can be run. ConfigError."""
    from ohmstead.config import yaml_file
    from ohmstead.config.check import raise_problems
    from ohmstead.core.errors import ConfigError

    document = yaml_file.read_file(file)
    raise_problems(document)
    found = {part: document.data[part] for part in PARTS if document.data.get(part)}
    if not found:
        raise ConfigError(f"{file}: there is nothing to run; expected {', '.join(f'{part}:' for part in PARTS[:-1])} or {PARTS[-1]}:")
    return found


def _show(found: dict[str, Any], zone: ZoneInfo) -> None:
    def local(at: str | None) -> str | None:
        return None if at is None else f"{datetime.fromisoformat(at).astimezone(zone):%Y-%m-%d %H:%M:%S}"

    for text in [*_alerts(found["alerts"], local), *_automations(found["automations"], local), *_tariffs(found["tariffs"], local)]:
        click.echo(text)
    for text in found["notes"]:
        click.echo(f"note: {text}")


def _alerts(found: list[dict[str, Any]], local: Any) -> Iterator[str]:
    for rule in found:
        yield f"alert {rule['rule']}: {_times(rule['count'])}"
        for each in rule["activations"]:
            yield f"  {local(each['at'])}  {each['subject']}  {each['value']}  until {local(each['until']) or 'the end'}"
        yield from _more(rule["count"] - len(rule["activations"]))
        yield from (f"  {text}" for text in map(_energy, rule["energy"]))
        yield from (f"  {text}" for text in _history(rule["history"], local))


def _times(count: int) -> str:
    return {0: "never fires", 1: "fires once"}.get(count, f"fires {count} times")


def _automations(found: list[dict[str, Any]], local: Any) -> Iterator[str]:
    for each in found:
        kept = f", is kept back {each['kept_back']} times by its conditions or its mode" if each["kept_back"] else ""
        yield f"automation {each['automation']}: runs {each['count']} times, sends {each['commands']} commands{kept}"
        for run in each["runs"]:
            reason = f": {run['reason']}" if run["reason"] else ""
            yield f"  {local(run['at'])}  {'–' if run['value'] is None else run['value']}  {run['result']}{reason}"
        yield from _more(each["count"] - len(each["runs"]))
        yield from (f"  {text}" for text in map(_energy, each["energy"]))
        yield from (f"  {text}" for text in _history(each["history"], local))


def _more(left: int) -> Iterator[str]:
    if left > 0:
        yield f"  and {left} more"


def _energy(used: dict[str, Any]) -> str:
    cost = "" if used["cost"] is None else f", {used['cost']} {used['currency']}"
    unpriced = "" if used["cost"] is None or used["unpriced"] == "0" else f" ({used['unpriced']} {used['unit']} without a price)"
    return f"meanwhile {used['meter_point']} measured {used['amount']} {used['unit']}{cost}{unpriced}"


def _history(found: dict[str, Any] | None, local: Any) -> Iterator[str]:
    if found is None:
        return
    yield f"{found['same']} of the {found['happened']} that happened are the same"
    for key, words in (("only_replayed", "happened only in the replay"), ("only_happened", "happened, and not in the replay")):
        yield from (f"  {local(each['at'])}  {each['subject']}  {words}" for each in found[key])


def _tariffs(found: list[dict[str, Any]], local: Any) -> Iterator[str]:
    for tariff in found:
        currency = tariff["currency"]
        yield f"tariff {tariff['tariff']} for contract {tariff['contract']}:"
        for each in tariff["periods"]:
            doubt = "" if each["complete"] else ", energy or prices are missing"
            yield f"  {local(each['start'])} – {local(each['end'])}  {each['would']} instead of {each['actual']} {currency}{doubt}"
        yield f"  {tariff['would']} instead of {tariff['actual']} {currency} in all: {tariff['saving']} {currency} less"
