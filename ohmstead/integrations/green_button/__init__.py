"""Green Button files (ESPI XML): what North American utilities give their customers to download."""

from __future__ import annotations

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.plugin import Importer, Into, hookimpl
from ohmstead.integrations.green_button import invoices
from ohmstead.integrations.green_button.rows import read

SCHEMA = {
    vol.Optional("flow", description="forward (delivered to you) or reverse (exported); by the role of the meter point unless given"):
        validate.one_of("forward", "reverse"),
    vol.Optional("meter_reading", description="link or title of the MeterReading, in files that hold several"): validate.text,
}  # fmt: skip


class GreenButton:
    """The plugin."""

    @hookimpl
    def ohmstead_importers(self) -> list[Importer]:
        suffixes = (".xml", ".xml.gz", ".zip")
        return [
            Importer("green_button", suffixes, SCHEMA, read, "Green Button, ESPI XML", Into.METER_POINT),
            Importer("green_button", suffixes, {}, invoices.read, "UsageSummary of a Green Button file", Into.INVOICES),
        ]
