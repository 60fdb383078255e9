"""Ohmstead's own JSON: what a device sends that was made for this hub, over MQTT and over HTTP."""

from __future__ import annotations

from ohmstead.core.errors import PluginError
from ohmstead.core.hub import Hub
from ohmstead.core.plugin import hookimpl
from ohmstead.core.route import Route
from ohmstead.integrations.native.payloads import SENSOR, STATUS, TELEMETRY, telemetry
from ohmstead.integrations.native.routes import Routes
from ohmstead.integrations.native.sensors import PeriodStart, Sensors
from ohmstead.integrations.native.topics import Report, Topics
from ohmstead.plugins.protocols.mqtt import Mqtt

__all__ = ["Native"]


class Native:
    """The plugin. `report` hears what devices say of themselves; `period_start` is what `Sensors` asks storage."""

    def __init__(self, report: Report, period_start: PeriodStart | None = None) -> None:
        self._topics = Topics(report)
        self._sensors = Sensors(period_start)

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        hub.ingest.decoder(TELEMETRY, telemetry)
        hub.ingest.decoder(STATUS, self._topics.status)
        hub.ingest.decoder(SENSOR, self._sensors.replay)
        return Routes(hub, self._sensors).all()

    @hookimpl
    def ohmstead_started(self, hub: Hub) -> None:
        try:
            mqtt = hub.get(Mqtt)
        except PluginError:
            return  # a house without MQTT
        self._topics.listen(hub.ingest, mqtt)
