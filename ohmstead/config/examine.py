"""Looks at a configuration without running it: what is wrong with it, and what it may contain."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohmstead.config import log as logs
from ohmstead.config.check import check, in_order
from ohmstead.config.house import database, load
from ohmstead.config.parts import Parts
from ohmstead.config.problem import Place, Problem
from ohmstead.config.schema import whole
from ohmstead.config.sections import DATABASE
from ohmstead.plugins.devices import configured


@dataclass(frozen=True, slots=True)
class Findings:
    """Every mistake in the order of the files, and what else the owner should know."""

    problems: list[Problem]
    notes: tuple[str, ...]


def problems(folder: Path) -> Findings:
    """Check the configuration in `folder` with all plugins loaded. ConfigError when there is none."""
    return asyncio.run(_problems(folder))


async def _problems(folder: Path) -> Findings:
    logs.set_up({"level": "error"})
    document = load(folder, os.environ)
    given = database(document, folder)
    parts = Parts(folder, given["url"], given["durability"])
    checked = check(document, parts.discover(), folder)
    for keys, text in configured.problems(parts.devices, checked.configured):
        document.wrong(keys, text)
    broken = [Problem(Place(plugin.origin), (), f"plugin {plugin.name} is quarantined: {plugin.quarantined}")
              for plugin in parts.hub.plugins if plugin.quarantined]  # fmt: skip
    return Findings([*in_order(document.problems, document.files), *broken], checked.notes)


def json_schema(folder: Path) -> dict[str, Any]:
    """The JSON Schema of every configuration that the plugins in `folder` allow."""
    return asyncio.run(_json_schema(folder))


async def _json_schema(folder: Path) -> dict[str, Any]:
    logs.set_up({"level": "error"})
    return whole(Parts(folder, DATABASE, "process").discover())
