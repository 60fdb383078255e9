"""docs/tariffs.md cannot rot: what its examples come to is computed, and its tables of options are those of the code.

`UPDATE_DOCS=1 pytest tests/plugins/tariffs/test_docs.py` writes them anew. That the YAML passes the check is tested with
the rest of the documentation.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import voluptuous as vol
import yaml

from ohmstead.plugins.tariffs.bill import bill
from ohmstead.plugins.tariffs.plugin import KINDS
from tests.fakes.tariffs import plain, priced, steady, tariff

PAGE = Path(__file__).parents[3] / "docs" / "tariffs.md"
PRICED = re.compile(r"(<!-- priced: (\S+) (\S+) (\S+) (\d+) -->\n```text\n)(.*?)(```)", re.DOTALL)
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
TABLES = re.compile(r"(<!-- kinds -->\n).*?(<!-- /kinds -->)", re.DOTALL)


def test_the_page_is_that_of_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    stated = {name: options for block in BLOCK.findall(text) for name, options in yaml.load(block, yaml.BaseLoader)["tariffs"].items()}
    fresh = PRICED.sub(lambda match: match[1] + worked_out(stated[match[2]], match[3], match[4], int(match[5])) + match[7], text)
    fresh = TABLES.sub(lambda match: match[1] + "\n".join(tables()) + "\n" + match[2], fresh)
    if os.environ.get("UPDATE_DOCS") == "1":
        PAGE.write_text(fresh, encoding="utf-8")
    assert text == fresh, "run UPDATE_DOCS=1 pytest tests/plugins/tariffs/test_docs.py"
    assert len(PRICED.findall(text)) >= 3


def worked_out(options: object, start: str, end: str, watts: int) -> str:
    """The printed bill of a span at one power."""
    found = bill(priced(tariff(options), start, end, steady(start, end, watts)))  # type: ignore[arg-type]
    rows = [(f"{line.line.component} {line.line.label}".strip(), f"{plain(line.line.quantity)} {line.line.unit} × {plain(line.line.price)}", line.printed)
            for line in found.lines]  # fmt: skip
    rows += [(f"VAT {plain(row.percent)} %", f"of {row.base}", row.amount) for row in found.vat]
    rows.append(("total", "", found.total))
    return "".join(f"{name:<20} {how:<32} {amount:>10}\n" for name, how, amount in rows)


def tables() -> Iterator[str]:
    """The options of every kind of component."""
    for kind in (module.KIND for module in KINDS):
        yield f"#### `type: {kind.type}`\n\n{kind.description[0].upper()}{kind.description[1:]}.\n\n| option | | default |\n| --- | --- | --- |"
        for marker in sorted(kind.schema, key=str):
            given = marker.default() if not isinstance(marker.default, vol.Undefined) else ""
            shown = "required" if isinstance(marker, vol.Required) else f"`{str(given).lower() if isinstance(given, bool) else given}`" if given != "" else ""
            yield f"| `{marker}` | {marker.description} | {shown} |"
        yield ""
