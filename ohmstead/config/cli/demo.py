"""`ohmstead demo` and `ohmstead simulate`: houses that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ohmstead.config.house import House


@click.command()
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path("ohmstead-demo"), show_default=True,
              help="Folder of the demo's configuration and data.")  # fmt: skip
@click.option("--port", default=7230, show_default=True, type=click.IntRange(1, 65_535), help="Port of the page and the API.")
@click.option("--days", default=62.0, show_default=True, type=click.FloatRange(0, 366), help="Days of history, written at the first start.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0, 2**31), help="Another number is another house.")
@click.option("--faults", default=0.0, show_default=True, type=click.FloatRange(0, 1), help="Share of messages with which a fault begins.")
def demo(folder: Path, port: int, days: float, seed: int, faults: float) -> None:
    """Run a simulated house on a real hub."""
    from ohmstead.config.service import serve
    from ohmstead.integrations.demo_house import demo as house
    from ohmstead.web.tokens import owner_token

    http, mqtt = house.free_port(port), house.free_port(1883)
    for what, wanted, found in (("port", port, http), ("MQTT port", 1883, mqtt)):
        if found != wanted:
            click.echo(f"{what} {wanted} is taken; the demo uses {found}")
    house.prepare(folder, mqtt, seed, days, faults)

    def greet(run: House) -> None:
        broker = run.checked.broker  # the folder may be somebody's own by now, with another broker
        click.echo(house.greeting(folder, "localhost", run.web.port, broker.port if broker else mqtt, owner_token(run.hub.data_dir)))

    serve(folder, {"port": str(http)}, greet)


@click.command()
@click.option("--broker", "url", required=True, metavar="URL", help="mqtt://user:password@host:port, or mqtts://…")
@click.option("--devices", default=10, show_default=True, type=click.IntRange(1, 100_000), help="How many devices.")
@click.option("--every", default=5.0, show_default=True, type=click.FloatRange(0.1, 3600), help="Seconds between two messages of a device.")
@click.option("--faults", default=0.0, show_default=True, type=click.FloatRange(0, 1), help="Share of messages with which a fault begins.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0, 2**31), help="Another number is another house.")
def simulate(url: str, devices: int, every: float, faults: float, seed: int) -> None:
    """Play simulated devices against any broker."""
    from ohmstead.config.service import play

    play(url, devices, every, faults, seed)
