"""The web server of the house: puts its parts together, starts and stops them."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterable

from aiohttp.web_runner import ServerRunner, TCPSite

from ohmstead.core.errors import ConfigError
from ohmstead.core.hub import Hub
from ohmstead.core.route import Call, Reply, Route
from ohmstead.web import openapi
from ohmstead.web.access import Access, Verify
from ohmstead.web.app import SOCKET, App, During
from ohmstead.web.dispatch import Table
from ohmstead.web.health import Health
from ohmstead.web.json_schema import Json
from ohmstead.web.listener import Listener
from ohmstead.web.live import Live, Locate
from ohmstead.web.metrics import Metrics
from ohmstead.web.origin import Origins
from ohmstead.web.pages import POLICY, TAGS, Pages

log = logging.getLogger(__name__)

PORT = 7230
BACKLOG = 1024
STOP_S = 3.0  # how long those who are being answered have when the hub stops
SOCKETS = 65_536  # open files asked for, of what the system allows


class Web:
    """HTTP API, live socket, metrics and page.

    `verify(device, secret)` says whether a secret is the device's, `locate(location)` which devices are there.
    `health.probes` and `metrics.numbers` are for the house to fill. Nothing listens before `start`.
    """

    def __init__(
        self, hub: Hub, host: str = "127.0.0.1", port: int = PORT, *, external_url: str | None = None,
        verify: Verify | None = None, locate: Locate | None = None, log_requests: bool = False,
    ) -> None:  # fmt: skip
        self.host = host
        self.port = port
        self.access = Access(hub.data_dir, hub.clock, verify)
        self.health = Health()
        self.metrics = Metrics(hub.data_dir)
        self.live = Live(hub.bus, hub.clock, lambda: self.access.generation, locate)
        self._hub = hub
        self._pages = Pages(self.access)
        self._app = App(hub.clock, hub.bus, self.access, Origins(host, external_url), self.live, self.metrics, log_requests)
        self._runner: ServerRunner | None = None
        self._document: Json | None = None
        self._count()
        self.replace(())

    def _count(self) -> None:
        hub = self._hub  # which has its ingest only once it is connected
        self.metrics.numbers.update(
            energy_readings_processed=lambda: hub.ingest.readings,
            telemetry_messages=lambda: hub.ingest.batches,
            dead_letters=lambda: hub.ingest.refused,
            websocket_active_connections=lambda: len(self.live),
        )

    @property
    def url(self) -> str:
        """Where the page is, for people on this machine."""
        host = "localhost" if self.host in ("0.0.0.0", "::", "127.0.0.1") else self.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def table(self) -> Table:
        """The operations in force."""
        return self._app.table

    def note(self, during: During) -> None:
        """Have what is done over the API noted for as long as it is being done."""
        self._app.during = during

    def replace(self, routes: Iterable[Route]) -> None:
        """Put these routes, and our own, in the place of all. ConfigError names routes that clash; then nothing changes."""
        self._app.table = Table([*self._own(), *routes])
        self._document = None

    async def start(self) -> None:
        """Listen. ConfigError when the address is taken or not ours."""
        _allow_sockets()
        self._runner = ServerRunner(Listener(self._app), shutdown_timeout=STOP_S)
        await self._runner.setup()
        try:
            await TCPSite(self._runner, self.host, self.port, backlog=BACKLOG).start()
        except OSError as error:
            await self._runner.cleanup()
            self._runner = None
            raise ConfigError(f"web → port: cannot listen on {self.host}:{self.port}: {error.strerror}") from error
        self.port = self._runner.addresses[0][1]
        self.access.cookie = f"ohmstead_{self.port}"  # cookies know no ports: two hubs on one host keep apart
        self.live.start()
        self.health.serving = True
        log.info("listening on %s", self.url)

    async def stop(self) -> None:
        """Take no more requests, finish those that are being answered, close the live sockets."""
        if self._runner is None:
            return
        self.health.serving = False
        runner, self._runner = self._runner, None
        for site in list(runner.sites):
            await site.stop()
        await self.live.stop()
        await runner.cleanup()

    def _own(self) -> list[Route]:
        return [
            *self.health.routes(),
            *self._pages.routes(),
            Route("GET", "/metrics", self.metrics.read, "read", "Numbers for Prometheus", envelope=False, absolute=True, tags=("health",)),
            Route("GET", "/metrics", self.metrics.read, "read", "Numbers for Prometheus", envelope=False, tags=("health",)),
            Route("GET", "/live", _never, "read", "The live socket (WebSocket)", takes=SOCKET, tags=("live",)),
            Route("GET", "/openapi.json", self._openapi, "read", "This document", envelope=False, tags=("docs",)),
            Route("GET", "/api/docs", self._docs, "read", "This document for people", envelope=False, absolute=True,
                  tags=TAGS, on_error=self._pages.refused),
        ]  # fmt: skip

    async def _openapi(self, call: Call) -> Reply:
        return Reply(self._described())

    async def _docs(self, call: Call) -> Reply:
        return Reply(openapi.page(self._described()), headers={"Content-Security-Policy": POLICY}, content_type="text/html; charset=utf-8")

    def _described(self) -> Json:
        if self._document is None:
            shown = [operation for operation in self.table if operation.route.tags != TAGS]
            self._document = openapi.document(shown, self.url, self.access.cookie)
        return self._document


async def _never(call: Call) -> Reply:
    raise AssertionError("the app serves sockets itself")


def _allow_sockets() -> None:
    """Debian allows a process 1024 open files until it asks for more; every socket is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SOCKETS if hard == resource.RLIM_INFINITY else min(SOCKETS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
