"""Home Assistant: the hourly totals of its recorder, so that a house that moves keeps its past."""

from __future__ import annotations

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.plugin import Importer, Into, hookimpl
from ohmstead.integrations.home_assistant.statistics import read

SCHEMA = {
    vol.Optional("statistic", description="which total, such as sensor.grid_import_total; without it you are told what there is"):
        validate.text,
}  # fmt: skip


class HomeAssistant:
    """The plugin."""

    @hookimpl
    def ohmstead_importers(self) -> Importer:
        return Importer("home_assistant", (".db",), SCHEMA, read, "recorder database of Home Assistant", Into.METER_POINT, "live")
