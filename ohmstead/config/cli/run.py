"""`ohmstead run` and `ohmstead reload`."""

from __future__ import annotations

import gc
from importlib import import_module
from pathlib import Path
from threading import Thread

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.output import as_json


@click.command()
@click.option("--host", help="Address to listen on, instead of web → host.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port to listen on, instead of web → port.")
@click.pass_obj
def run(config: Path, host: str | None, port: int | None) -> None:
    """Run the hub."""
    gc.disable()  # what is imported stays, so looking through it again and again is a tenth of the start
    Thread(target=import_module, args=("sqlalchemy",)).start()  # while aiohttp, imported below, reads the system's certificates
    from ohmstead.config.service import serve

    given = {"host": host, "port": None if port is None else str(port)}
    serve(config, {name: value for name, value in given.items() if value is not None})


@click.command()
@as_json
@click.pass_obj
def reload(config: Path, json_: bool) -> None:
    """Make the running hub read its configuration again."""
    from ohmstead.config.cli.api import running

    output.data(running(config).call("POST", "/reload"), json_, _show_reloaded)


def _show_reloaded(done: dict[str, list[str]]) -> None:
    click.echo(f"changed: {', '.join(done['changed'])}" if done["changed"] else "nothing changed")
    for what in done["needs_restart"]:
        click.echo(f"needs a restart: {what}")
