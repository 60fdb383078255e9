"""Looks at a configuration without running it: what is wrong with it, and what it may contain."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec

from ohmstead.config import log as logs
from ohmstead.config.check import Checked, check, in_order
from ohmstead.config.cli.api import running
from ohmstead.config.house import database, load
from ohmstead.config.lock import Lock
from ohmstead.config.parts import Parts
from ohmstead.config.problem import Place, Problem, arrows
from ohmstead.config.schema import whole
from ohmstead.config.sections import DATABASE
from ohmstead.plugins.devices import configured


class Findings(msgspec.Struct, frozen=True):
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
    checked = check(document, parts.contributions.discover(), folder)
    for keys, text in [*await _references(parts, checked), *await _addresses(parts, checked)]:
        document.wrong(keys, text)
    broken = [Problem(Place(plugin.origin), (), f"plugin {plugin.name} is quarantined: {plugin.quarantined}")
              for plugin in parts.hub.plugins if plugin.quarantined]  # fmt: skip
    return Findings([*in_order(document.problems, document.files), *broken], checked.notes)


async def _references(parts: Parts, checked: Checked) -> list[configured.Problem]:
    """What refers to nothing. What the files do not know may have been made over the API, so the house is asked too."""
    found = list(parts.problems(checked))
    lock, folder = Lock(parts.hub.data_dir), parts.hub.config_dir
    if not found:
        return []
    if lock.holder() is not None:
        lines = await asyncio.to_thread(lambda: running(folder).call("GET", "/reload")["problems"])
        return [(keys, text) for keys, text in found if any(f"  {arrows(keys)}: " in line for line in lines)]
    address = parts.storage.address
    if address.file is not None and not address.file.is_file():
        return found
    async with AsyncExitStack() as ends:
        lock.take()
        ends.callback(lock.release)
        await parts.storage.open(parts.contributions.tables())
        ends.push_async_callback(parts.storage.close)
        await parts.devices.open()
        await parts.money.open()
        await parts.rules.automations.open()
        return list(parts.problems(checked))


async def _addresses(parts: Parts, checked: Checked) -> list[configured.Problem]:
    """Addresses that nothing can be sent to. Only looked at here: to know all services takes half a second and 44 MB."""
    notifiers, account = parts.notifiers, checked.sections["notifications"].get("email")
    notifiers.routing.gather(parts.hub)
    stated: dict[tuple[str, ...], list[str]] = {("notifications", "email"): [] if account is None else [account]}
    for id_, wishes in checked.sections["people"].items():
        stated["people", id_, "notify"] = [address for some in wishes.get("notify", {}).values() for address in some]
    try:
        return [(keys, wrong) for keys, some in stated.items() for address in dict.fromkeys(some)
                if (wrong := await notifiers.mistake(address)) is not None]  # fmt: skip
    finally:
        notifiers.close()


def json_schema(folder: Path) -> dict[str, Any]:
    """The JSON Schema of every configuration that the plugins in `folder` allow."""
    return asyncio.run(_json_schema(folder))


async def _json_schema(folder: Path) -> dict[str, Any]:
    logs.set_up({"level": "error"})
    return whole(Parts(folder, DATABASE, "process").contributions.discover())
