"""CSV files: meter exports, logger files, spreadsheets saved as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.plugin import Importer, Into, hookimpl
from ohmstead.core.quantity import Quantity
from ohmstead.integrations.csv_file import amounts, invoices
from ohmstead.integrations.csv_file.columns import columns
from ohmstead.integrations.csv_file.rows import Rows
from ohmstead.integrations.csv_file.stamps import NEXT, zone

SHARED: dict[Any, Any] = {
    vol.Optional("time", description="the column of the time; the first one unless given"): validate.text,
    vol.Optional("time_format", default="iso", description="iso, unix (seconds), or a pattern such as %d/%m/%Y %H:%M"): validate.text,
    vol.Optional("zone", description="the zone of times without an offset: Europe/Paris, UTC, +01:00"): zone,
    vol.Optional("midnight", default="start_of_day", description="which end of its date 0:00 is: start_of_day or end_of_day"):
        validate.one_of("start_of_day", "end_of_day"),
    vol.Optional("delimiter", default=",", description="between the cells: , ; tab or |"):
        vol.All(validate.one_of(",", ";", "tab", "|"), lambda word: {"tab": "\t"}.get(word, word)),
    vol.Optional("decimal", default=".", description="the decimal sign: . or ,"): validate.one_of(".", ","),
    vol.Optional("skip_empty", default=True, description="pass over empty cells in silence"): validate.boolean,
}  # fmt: skip
SCHEMA: dict[Any, Any] = {
    vol.Required("columns", description="what is in which column: energy=usage_kwh, or grid.power=total_kw:kW; several by comma"): columns,
    vol.Optional("device", description="the device of columns that name none"): validate.slug,
    vol.Optional("device_column", description="the column that holds the device"): validate.text,
    vol.Optional("kind", description="gauge, counter or delta; only checked, since the quantity says it"):
        validate.one_of("gauge", "counter", "delta"),
    vol.Optional("period", description="how long a period is that a delta counts: 15m, 1h, or next (until the next row)"):
        vol.Any(NEXT, validate.duration),
    vol.Optional("label", default="start", description="whether the time of a delta is the start or the end of its period"):
        validate.one_of("start", "end"),
    **SHARED,
}  # fmt: skip
AMOUNTS: dict[Any, Any] = {
    vol.Required("column", description="the column of the amounts"): validate.text,
    vol.Optional("unit", default="kWh", description="their unit: kWh, Wh, MJ, m³, ft³ …; W or kW for mean power"): amounts.unit,
    vol.Optional("kind", default=amounts.PERIODS, description="periods (amounts of a time) or registers (what the meter showed)"):
        validate.one_of(amounts.PERIODS, amounts.REGISTERS),
    vol.Optional("period", description="how long a period is: 15m, 1h, day, month, or next (until the next row)"):
        vol.Any(NEXT, amounts.DAY, amounts.MONTH, validate.duration),
    vol.Optional("end", description="the column of the end of the period, instead of its length"): validate.text,
    vol.Optional("label", default="start", description="whether the time is the start or the end of its period"):
        validate.one_of("start", "end"),
    vol.Optional("quality", description="the column that says which amounts are estimated"): validate.text,
    vol.Optional("estimated", default="estimated,estimate,est,e", description="what it says of these"): amounts.words,
    **SHARED,
}  # fmt: skip

INVOICES: dict[Any, Any] = {
    vol.Optional("columns", description="columns of other names: kwh=value, start=from; several by comma"): invoices.renamed,
    vol.Optional("delimiter", default=",", description="between the cells: , ; tab or |"):
        vol.All(validate.one_of(",", ";", "tab", "|"), lambda word: {"tab": "\t"}.get(word, word)),
    vol.Optional("decimal", default=".", description="the decimal sign: . or ,"): validate.one_of(".", ","),
}  # fmt: skip


class CsvFile:
    """The plugin; `quantities` are those of the house."""

    def __init__(self, quantities: Mapping[str, Quantity]) -> None:
        self._quantities = quantities

    @hookimpl
    def ohmstead_importers(self) -> list[Importer]:
        suffixes = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
        return [
            Importer("csv", suffixes, SCHEMA, Rows(self._quantities).read, "CSV with a header line"),
            Importer("csv", suffixes, AMOUNTS, amounts.read, "CSV with a header line", Into.METER_POINT),
            Importer("csv", suffixes, INVOICES, invoices.read, "CSV with a header line", Into.INVOICES),
        ]
