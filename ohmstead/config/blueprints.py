"""Reads blueprints of automations: those that come with Ohmstead, and those in the folder of the configuration, which win."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ohmstead.config.yaml_file import read_file
from ohmstead.plugins.rules.automations.blueprints import SHIPPED

FOLDER = "blueprints"


def read(folder: Path) -> Mapping[str, Any]:
    """By name, what each file holds; of one that cannot be read the reason, as a text."""
    files = [*SHIPPED.glob("*.yaml"), *(folder / FOLDER).glob("*.yaml")]
    return {path.stem: _held(path) for path in sorted(files, key=lambda path: (path.parent != SHIPPED, path.name))}


def _held(path: Path) -> Any:
    try:
        document = read_file(path)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return str(document.problems[0]) if document.problems else document.data
