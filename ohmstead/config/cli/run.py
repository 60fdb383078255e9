"""`ohmstead run` and `ohmstead reload`."""

from __future__ import annotations

import gc
from pathlib import Path

import click


@click.command()
@click.option("--host", help="Address to listen on, instead of web → host.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port to listen on, instead of web → port.")
@click.pass_obj
def run(config: Path, host: str | None, port: int | None) -> None:
    """Run the hub."""
    gc.disable()  # what is imported stays, so looking through it again and again is a tenth of the start
    from ohmstead.config.service import serve

    given = {"host": host, "port": None if port is None else str(port)}
    serve(config, {name: value for name, value in given.items() if value is not None})


@click.command()
@click.pass_obj
def reload(config: Path) -> None:
    """Make the running hub read its configuration again."""
    from ohmstead.config.cli.api import running

    answer = running(config).call("POST", "/reload")
    changed, restart = answer["changed"], answer["needs_restart"]
    click.echo(f"changed: {', '.join(changed)}" if changed else "nothing changed")
    for what in restart:
        click.echo(f"needs a restart: {what}")
