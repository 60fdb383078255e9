"""`ohmstead import | backup | restore`."""

from __future__ import annotations

import click


@click.group("import")
def import_() -> None:
    """Bring data in from files."""


@click.command()
def backup() -> None:
    """Back up."""


@click.command()
def restore() -> None:
    """Restore."""
