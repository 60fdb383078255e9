"""`ohmstead tariffs | price`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.output import as_json

if TYPE_CHECKING:
    from ohmstead.config.cli.api import Api


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def tariffs(context: click.Context, json_: bool) -> None:
    """List tariffs: where from, and the version that applies now."""
    if context.invoked_subcommand is None:
        from ohmstead.config.cli.api import opened

        columns = ("id", "name", "currency", "origin", "current", "versions")
        with opened(context.obj) as api:
            output.data(list(api.listing("/tariffs")), json_, lambda found: output.table(found, columns, "no tariffs yet"))


@tariffs.command("show")
@click.argument("tariff")
@as_json
@click.pass_obj
def show_tariff(config: Path, tariff: str, json_: bool) -> None:
    """Print TARIFF with all its versions, as JSON in any case."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        output.data(api.call("GET", f"/tariffs/{tariff}"), True, click.echo)


@tariffs.command("import-urdb")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--id", "id_", default="urdb", show_default=True, help="What the tariff is to be called in this house.")
@click.option("--label", help="Which rate, where the file holds several.")
@click.option("--from", "start", type=click.DateTime(["%Y-%m-%d"]), help="The first day, where the rate does not tell it.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@as_json
@click.pass_obj
def import_urdb(config: Path, file: Path, id_: str, label: str | None, start: datetime | None, dry_run: bool, json_: bool) -> None:
    """Make a tariff of a rate of the OpenEI database, a JSON FILE. What cannot be priced is named, and then nothing is made."""
    from ohmstead.config.cli.api import opened
    from ohmstead.core.errors import ConfigError, Invalid
    from ohmstead.integrations.urdb import tariff

    try:
        made = {"id": id_, **tariff(file.read_bytes(), label, None if start is None else start.date())}
    except Invalid as error:
        raise ConfigError([f"{file}: {error}", *(f"  {each['path']}: {each['message']}" for each in error.details or ())]) from error
    if not dry_run:
        with opened(config) as api:
            api.call("POST", "/tariffs", body=made)
    components = ", ".join(each["name"] for each in made["versions"][0]["components"])
    words = f"{'would make' if dry_run else 'made'} tariff {id_} ({made['name']}): {components}"
    output.data(made, json_, lambda _: click.echo(words))


@click.command()
@click.option("--tariff", "name", help="Which tariff; the only one unless given.")
@click.option("--hours", default=3, show_default=True, type=click.IntRange(1, 24), help="How many hours in a row to find the cheapest of.")
@click.option("--vat", is_flag=True, help="With VAT.")
@as_json
@click.pass_obj
def price(config: Path, name: str | None, hours: int, vat: bool, json_: bool) -> None:
    """Show what a kWh costs now and ahead, and the cheapest hours."""
    from ohmstead.config.cli.api import opened

    with opened(config) as api:
        chosen = name or _only(api)
        asked = {"vat": vat}
        now = api.call("GET", f"/tariffs/{chosen}/price", asked)
        ahead = api.call("GET", f"/tariffs/{chosen}/curve", asked)
        zone = api.call("GET", "/locations/home")["time_zone"]
    found = {**now, "ahead": ahead, "cheapest": _cheapest(ahead, hours)}
    output.data(found, json_, lambda shown: _show_price(shown, ZoneInfo(zone)))


def _only(api: Api) -> str:
    names = [str(each["id"]) for each in api.listing("/tariffs")]
    if len(names) != 1:
        raise click.UsageError(f"which tariff? Give --tariff: {', '.join(names)}" if names else "there is no tariff yet")
    return names[0]


def _cheapest(ahead: list[dict[str, Any]], hours: int) -> dict[str, Any] | None:
    """The hours in a row with the least mean price."""
    from decimal import Decimal
    from fractions import Fraction

    from ohmstead.core.clock import iso, to_ms
    from ohmstead.plugins.tariffs.outlook import cheapest

    slot_ms = 900_000
    spans = [(to_ms(datetime.fromisoformat(each["start"])), to_ms(datetime.fromisoformat(each["end"])), each["price"]) for each in ahead]
    if not spans:
        return None
    start_ms = -(-spans[0][0] // slot_ms) * slot_ms
    prices = [None if price is None else Fraction(price) for start, end, price in spans for at in range(start_ms, spans[-1][1], slot_ms)
              if start <= at < end]  # fmt: skip
    best = cheapest(prices, start_ms, slot_ms, hours * 4)
    if best is None or best.price is None:
        return None
    mean = Decimal(best.price.numerator) / Decimal(best.price.denominator)
    return {"start": iso(best.start_ms), "end": iso(best.end_ms), "price": f"{mean:.6f}"}


def _show_price(found: dict[str, Any], zone: ZoneInfo) -> None:
    def local(at: str) -> str:
        return f"{datetime.fromisoformat(at).astimezone(zone):%a %d.%m. %H:%M}"

    unit = f"{found['currency']}/{found['unit']}"
    until = f", until {local(found['changes'])}" if found["changes"] else ""
    click.echo(f"{found['tariff']} now: {found['price'] or 'no price'} {unit if found['price'] else ''}{until}")
    for each in found["ahead"]:
        click.echo(f"  {local(each['start'])}  {each['price'] or '–'}")
    if found["cheapest"]:
        best = found["cheapest"]
        click.echo(f"cheapest: {local(best['start'])} to {local(best['end'])}, {best['price']} {unit} on average")
