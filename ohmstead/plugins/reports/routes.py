"""`/exports`: tables as files, streamed."""

from __future__ import annotations

import importlib.util

from ohmstead.core.errors import Invalid
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.reports.asked import QUERY, Asked
from ohmstead.plugins.reports.formats import FORMATS, Format


class ExportRoutes:
    """The operation."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def all(self) -> list[Route]:
        """The operation, with its schema."""
        summary = "Readings, intervals, rollups or a bill as a file: CSV, XLSX, JSON or Parquet"
        return [Route("GET", "/exports", self.export, "read", summary, query=QUERY, envelope=False, tags=("exports",))]

    async def export(self, call: Call) -> Reply:
        """The file; its name is in Content-Disposition."""
        form = FORMATS[call.query["format"]]
        _installed(form)
        table = await self._asked.table(call.query)
        headers = {"Content-Disposition": f'attachment; filename="{table.name}.{form.suffix}"'}
        return Reply(headers=headers, content_type=form.content_type, stream=form.stream(table))


def _installed(form: Format) -> None:
    """Invalid, with the line that mends it, when the extra is missing."""
    if form.needs is not None and importlib.util.find_spec(form.needs) is None:
        raise Invalid(f'{form.suffix} needs {form.needs}, which is not installed: pip install "ohmstead[export]"')
