"""Takes up a changed configuration while the house runs: checked whole, then applied whole, touching only what changed."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ohmstead.config import log as logs
from ohmstead.config.check import Checked
from ohmstead.core.errors import ConfigError, OhmsteadError
from ohmstead.core.events import ConfigReloaded
from ohmstead.plugins.devices import configured

if TYPE_CHECKING:
    from ohmstead.config.house import House

log = logging.getLogger(__name__)

ANSWERED_S = 0.2  # how long the answer to a reload has to leave before the web moves


class Reloaded(msgspec.Struct, frozen=True):
    """What changed: sections, and ids of integrations that were started, stopped or restarted. And what waits for a restart."""

    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]


class Reloader:
    """Reloads one house, one reload at a time."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._one = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._code = code(house.folder / "plugins")

    async def reload(self) -> Reloaded:
        """Check everything, then change what changed. ConfigError with every mistake: then the house is as it was."""
        house = self._house
        async with self._one:
            fresh = await asyncio.to_thread(house.document)
            checked, before = house.check(fresh), house.checked
            if checked.sections["web"] != before.sections["web"]:
                _free(checked.sections["web"], before.sections["web"])
            changed = [key for key in house.known.sections if checked.sections[key] != before.sections[key]]
            await house.parts.messaging.apply(checked.broker)  # first, since it is what may still be refused
            house.checked = checked
            await self._apply(checked, before, changed)
            entries = await house.hub.runners.apply(dict(checked.entries))
            house.web.replace(house.hub.routes())
            restart = self._needs_restart(checked)
        shown = tuple(key for key in [*changed, *(f"integrations → {device}" for device in entries)] if key != "storage")
        house.hub.bus.publish(ConfigReloaded(tuple(entries)))
        log.info("configuration reloaded; changed: %s", ", ".join(shown) or "nothing")
        for what in restart:
            log.warning("%s changed; that takes a restart", what)
        return Reloaded(shown, restart)

    async def _apply(self, checked: Checked, before: Checked, changed: list[str]) -> None:
        house, parts = self._house, self._house.parts
        if checked.configured != before.configured:
            await configured.apply(parts.devices, checked.configured)
        for key in changed:
            await house.hand(key, checked)
        if "log" in changed or checked.secrets != before.secrets:
            logs.set_up(checked.sections["log"], checked.secrets)
        parts.jobs.reload(house.hub, checked.sections["home"]["time_zone"])
        if {"web", "log"} & set(changed):
            self._start(self._move_web(checked))

    def _needs_restart(self, checked: Checked) -> tuple[str, ...]:
        house = self._house
        waiting = ["storage"] if checked.sections["storage"] != house.database else []
        now = code(house.folder / "plugins")
        waiting += [f"plugins/{name}" for name in sorted(now.keys() | self._code.keys()) if now.get(name) != self._code.get(name)]
        return tuple(waiting)

    async def _move_web(self, checked: Checked) -> None:
        """Serve at the new address; the old one is kept where that fails."""
        house = self._house
        await asyncio.sleep(ANSWERED_S)
        old = house.web
        fresh = house.make_web(checked)
        await old.stop()
        try:
            await fresh.start()
        except ConfigError as error:
            log.error("%s; serving at %s again", error, old.url)
            fresh = old
            await fresh.start()
        house.web = fresh
        house.lock.tell(fresh.url)

    def soon(self) -> None:
        """Reload in the background; a configuration that is wrong is logged."""
        self._start(self._logged())

    async def _logged(self) -> None:
        try:
            await self.reload()
        except OhmsteadError as error:
            log.error("the configuration was not reloaded:\n%s", error)

    def _start(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Let what runs come to its end."""
        while self._tasks:
            await asyncio.wait(self._tasks)


def code(folder: Path) -> Mapping[str, tuple[int, int]]:
    """The owner's plugin files, each with what changes when somebody edits it."""
    files = sorted(folder.glob("*.py")) if folder.is_dir() else []
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


def _free(wanted: Mapping[str, object], now: Mapping[str, object]) -> None:
    """ConfigError when another process listens where the web is to move."""
    if wanted["port"] == now["port"]:
        return
    try:
        family, kind, _, _, address = socket.getaddrinfo(str(wanted["host"]), int(str(wanted["port"])), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigError(f"web → port: cannot listen on {wanted['host']}:{wanted['port']}: {error.strerror}") from None
