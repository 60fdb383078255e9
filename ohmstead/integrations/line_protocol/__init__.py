"""InfluxDB line protocol: what Telegraf and every InfluxDB client can send, over HTTP and from files."""

from __future__ import annotations

from ohmstead.core.hub import Hub
from ohmstead.core.plugin import Importer, hookimpl
from ohmstead.core.route import Route
from ohmstead.integrations.line_protocol.file import importer
from ohmstead.integrations.line_protocol.points import FORMAT, decode
from ohmstead.integrations.line_protocol.routes import Routes


class LineProtocol:
    """The plugin."""

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        hub.ingest.decoder(FORMAT, decode)
        return Routes(hub).all()

    @hookimpl
    def ohmstead_importers(self) -> Importer:
        return importer()
