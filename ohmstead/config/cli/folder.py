"""`ohmstead init | check | token`: what is in the configuration's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ohmstead.config.cli import output
from ohmstead.config.cli.output import as_json


@click.command()
@click.pass_obj
def init(config: Path) -> None:
    """Write a small commented configuration; what is there already stays as it is."""
    from ohmstead.config.init import write

    made = write(config)
    for path in made:
        click.echo(f"wrote {path}")
    if not made:
        click.echo(f"{config}: nothing to write, all is there already")
    click.echo(f'Next: look at {config / "configuration.yaml"}, then "ohmstead check" and "ohmstead run"')


@click.command()
@click.option("--json-schema", is_flag=True, help="Print the JSON Schema of the configuration, which editors understand.")
@as_json
@click.pass_obj
def check(config: Path, json_schema: bool, json_: bool) -> None:
    """Check the configuration: every mistake at once, with file and line."""
    from ohmstead.config import examine

    if json_schema:
        click.echo(json.dumps(examine.json_schema(config), ensure_ascii=False, indent=2))
        return
    found = examine.problems(config)
    if json_:
        click.echo(json.dumps(_plain(found), ensure_ascii=False, indent=2))
    else:
        for problem in found.problems:
            click.echo(problem, err=True)
        for note in found.notes:
            click.echo(f"note: {note}")
        if not found.problems:
            click.echo(f"{config}: no mistakes")
    if found.problems:
        raise click.exceptions.Exit(2)


def _plain(found: Any) -> dict[str, Any]:
    return {
        "notes": list(found.notes),
        "problems": [
            {"file": p.place.file, "line": p.place.line or None, "path": list(p.keys), "message": p.text} for p in found.problems
        ],
    }  # fmt: skip


@click.command()
@click.option("--new", is_flag=True, help="Make another one: the old one, and every sign-in made with it, ends.")
@click.option("--ingest", is_flag=True, help="The token that may only send readings.")
@as_json
@click.pass_obj
def token(config: Path, new: bool, ingest: bool, json_: bool) -> None:
    """Print the owner's token, which may do everything."""
    from ohmstead.web import tokens

    if not config.is_dir():
        raise click.UsageError(f'{config}: there is no such folder; "ohmstead init" makes it')
    made = {(True, True): tokens.new_ingest_token, (True, False): tokens.new_owner_token,
            (False, True): tokens.ingest_token, (False, False): tokens.owner_token}[new, ingest]  # fmt: skip
    output.data({"token": made(config / "data")}, json_, lambda found: click.echo(found["token"]))
