"""The scan behind `ohmstead discover`."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from ohmstead.config import log as logs
from ohmstead.config.parts import Parts
from ohmstead.config.sections import DATABASE


def scan(folder: Path, seconds: float) -> list[dict[str, Any]]:
    """What announces itself and is known to one of the plugins, with options ready for the configuration."""
    return asyncio.run(_scan(folder, seconds))


async def _scan(folder: Path, seconds: float) -> list[dict[str, Any]]:
    logs.set_up({"level": "warning"})
    parts = Parts(folder, DATABASE, "process")
    known = parts.contributions.discover()
    async with parts.protocols as protocols:
        found = await protocols.discovery.scan((integration for integration, _ in known.integrations.values()), seconds)
    return [
        {"id": _id(each.name), "name": each.name, "host": each.host, "port": each.port, "integration": each.integration,
         "options": dict(each.options)}
        for each in found
    ]  # fmt: skip


def _id(name: str) -> str:
    """An id out of the name that a device gives itself."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:64].lower() or "device"
