"""The house, put together: reads the configuration, starts what it asks for in order, and stops it in the opposite one."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from ohmstead.config import environment, yaml_file
from ohmstead.config.check import Checked, Known, check, raise_problems
from ohmstead.config.document import Document
from ohmstead.config.lock import Lock
from ohmstead.config.mistakes import mistakes
from ohmstead.config.parts import Parts
from ohmstead.config.problem import Place
from ohmstead.config.reload import Reloaded, Reloader
from ohmstead.config.routes import HouseRoutes
from ohmstead.config.sections import STORAGE
from ohmstead.core.clock import Clock
from ohmstead.core.errors import ConfigError
from ohmstead.plugins.devices import configured
from ohmstead.plugins.history.restore import restore
from ohmstead.plugins.storage.engine import locate
from ohmstead.plugins.support.facts import Traffic
from ohmstead.web.health import Probe
from ohmstead.web.server import Web

log = logging.getLogger(__name__)


def load(folder: Path, variables: Mapping[str, str], options: Mapping[str, str] | None = None) -> Document:
    """The configuration of `folder` with the environment and the command line's options (`--port`) laid over it.

    Without a file the environment must say something; ConfigError when neither does.
    """
    try:
        document = yaml_file.read(folder, variables)
    except FileNotFoundError:
        if not environment.given(variables):
            raise ConfigError(f'{folder / yaml_file.CONFIGURATION}: there is no such file; "ohmstead init" writes one') from None
        document = Document(yaml_file.CONFIGURATION)
    except OSError as error:
        raise ConfigError(f"{folder / yaml_file.CONFIGURATION}: cannot be read: {error.strerror}") from None
    environment.overlay(document, variables)
    for name, value in (options or {}).items():
        document.put(("web", name), value, Place(f"--{name}"))
    return document


class House:
    """One house over one configuration folder. `options` are those of the command line: host and port of the web."""

    web: Web

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None, options: Mapping[str, str] | None = None,
                 clock: Clock | None = None) -> None:  # fmt: skip
        self.folder = folder
        self._variables = dict(os.environ if variables is None else variables)
        self._options = dict(options or {})
        document = self.document()
        self.database = database(document, folder)
        self.parts = Parts(folder, self.database["url"], self.database["durability"], clock)
        self.hub = self.parts.hub
        self.hub.plugins.add("house", HouseRoutes(self))
        self.lock = Lock(self.hub.data_dir)
        self.known: Known = self.parts.contributions.discover()
        self.checked: Checked = check(document, self.known, folder)
        raise_problems(document)
        self._ends = AsyncExitStack()  # what stops the house, in the order opposite to its start
        self._reloader = Reloader(self)

    def document(self) -> Document:
        """The configuration as its files say now. ConfigError when there is none."""
        return load(self.folder, self._variables, self._options)

    def check(self, document: Document) -> Checked:
        """The configuration checked whole, against what the database holds too; ConfigError with every mistake."""
        checked = check(document, self.known, self.folder)
        for keys, text in self.parts.problems(checked):
            document.wrong(keys, text)
        raise_problems(document)
        return checked

    async def open(self) -> None:
        """Open the database and take in what it and the configuration say; nothing runs yet. ConfigError, Unavailable."""
        parts = self.parts
        self.lock.take()
        self._ends.callback(self.lock.release)
        self._ends.push_async_callback(parts.close)
        await parts.open()
        self.checked = self.check(self.document())
        await configured.apply(parts.devices, self.checked.configured)
        for key in self.known.sections:
            await self.hand(key, self.checked)
        parts.jobs.reload(self.hub, self.checked.sections["home"]["time_zone"])

    async def start(self) -> None:
        """Run all that is configured, and serve. The house must be open. ConfigError when the web's address is taken."""
        parts, hub, checked = self.parts, self.hub, self.checked
        for note in checked.notes:
            log.warning("%s", note)
        await restore(parts.storage, parts.devices, hub.ingest)
        self.web = self.make_web(checked)
        self._ends.push_async_callback(hub.stop)
        await hub.start()
        self._ends.push_async_callback(self._stop_web)
        await self.web.start()
        self.lock.tell(self.web.url)
        self._ends.callback(parts.mqtt.hold)
        await parts.messaging.apply(checked.broker)
        await hub.runners.apply(dict(checked.entries))

    def make_web(self, checked: Checked) -> Web:
        """The web server that a configuration asks for, not yet listening."""
        web = make_web(self.parts, checked)
        self.parts.contributions.turn_away_clashes(operation.shape for operation in web.table)
        web.replace(self.hub.routes())
        return web

    async def _stop_web(self) -> None:
        await self._reloader.stop()
        await self.web.stop()

    async def stop(self) -> None:
        """Take in nothing more, commit and acknowledge what is here, and close everything."""
        await self._ends.aclose()

    async def hand(self, key: str, checked: Checked) -> None:
        """Give a plugin its part of the YAML, if it asked for it."""
        await self.parts.contributions.hand(self.known.sections[key], checked.sections[key])

    async def reload(self) -> Reloaded:
        """Read the configuration again and change what changed; ConfigError with every mistake, and then nothing changes."""
        return await self._reloader.reload()

    def reload_soon(self) -> None:
        """The same for a signal, which nobody waits for."""
        self._reloader.soon()


def database(document: Document, folder: Path) -> Mapping[str, str]:
    """The `storage:` part, or its defaults while it is wrong, which the check will say."""
    value, wrong = mistakes(STORAGE, document.section("storage"))
    if not wrong:
        try:
            locate(value["url"], folder / "data")
            return value  # type: ignore[no-any-return]
        except ConfigError:
            pass
    return mistakes(STORAGE, {})[0]  # type: ignore[no-any-return]


def make_web(parts: Parts, checked: Checked) -> Web:
    """A web server with nothing but its own routes, and with what the house tells it about itself."""
    given = checked.sections["web"]
    parts.notifiers.unsubscribe.external_url = given.get("external_url")
    web = Web(
        parts.hub, given["host"], given["port"], external_url=given.get("external_url"), verify=parts.devices.verify,
        locate=parts.devices_in, log_requests=checked.sections["log"]["requests"],
    )  # fmt: skip
    web.note(parts.audit.operations.during)
    web.health.probes += [
        Probe("storage", lambda: None if parts.storage.healthy else "the database cannot be written"),
        Probe("mqtt", lambda: parts.mqtt.reason, required=False),
    ]
    web.metrics.numbers["devices_online"] = lambda: sum(entry.status == "online" for entry in parts.devices)
    web.metrics.numbers["queue_jobs_pending"] = lambda: parts.jobs.pending
    web.metrics.queries = parts.storage.queries
    web.metrics.alerts, web.metrics.evaluations = parts.rules.alerting.alerts.active, parts.rules.watches.durations
    web.metrics.notifications = parts.notifiers.sender.counts
    parts.support.traffic = lambda: Traffic(*web.metrics.traffic())
    return web
