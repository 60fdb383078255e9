"""Invoices in CSV files: one a row, or one over several rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import Invalid
from ohmstead.core.plugin import Into, InvoiceRow
from ohmstead.core.quantity import Quantities
from ohmstead.integrations.csv_file import INVOICES, CsvFile

*_, IMPORTER = CsvFile(Quantities()).ohmstead_importers()


def read(folder: Path, text: str, **options: Any) -> tuple[list[Any], list[str]]:
    (folder / "bills.csv").write_text(text)
    found = list(IMPORTER.read(folder / "bills.csv", validate.options(INVOICES, options)))
    return [row.body for row in found if isinstance(row, InvoiceRow)], [row for row in found if isinstance(row, str)]


def test_one_a_row_each_until_the_next(tmp_path: Path) -> None:
    bodies, mistakes = read(tmp_path, "start,value\n2026-01-01,725.1\n2026-02-01,80\n2026-03-01,nan\n", columns="kwh=value")
    assert not mistakes
    assert bodies == [
        {"id": "bills-2026-01-01", "start": "2026-01-01", "kwh": "725.1", "end": "2026-02-01"},
        {"id": "bills-2026-02-01", "start": "2026-02-01", "kwh": "80", "end": "2026-03-01"},
    ]
    assert IMPORTER.into is Into.INVOICES
    assert "the invoice from 2026-02-01 has no end" in read(tmp_path, "start,kwh\n2026-01-01,1\n2026-02-01,2\n")[1][0]


def test_one_over_several_rows(tmp_path: Path) -> None:
    text = ("invoice;start;through;total;label;quantity;unit;line_net\nA;2026-01-01;2026-01-31;12,30;energy;40,5;kWh;9,00\n"
            "A;2026-01-01;2026-01-31;12,30;base;;;1,34\nB;2026-02-01;2026-02-28;5;energy;;;5\n")  # fmt: skip
    bodies, mistakes = read(tmp_path, text, delimiter=";", decimal=",")
    assert not mistakes
    assert [body["id"] for body in bodies] == ["A", "B"]
    assert bodies[0]["lines"] == [{"label": "energy", "quantity": "40.5", "unit": "kWh", "net": "9.00"}, {"label": "base", "net": "1.34"}]
    assert bodies[0]["total"] == "12.30"


def test_what_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    bodies, mistakes = read(tmp_path, 'start,end,kwh\n2026-01-01,2026-02-01,"1,5"\n2026-02-01,2026-03-01\n2026-03-01,2026-04-01,7\n')
    assert [body["kwh"] for body in bodies] == ["7"]
    assert [mistake.partition(":")[0] for mistake in mistakes] == ["line 2", "line 3"]
    with pytest.raises(Invalid, match="expected the column start"):
        read(tmp_path, "from,kwh\n")
    with pytest.raises(Invalid, match="there is no column 'x'"):
        read(tmp_path, "start,kwh\n", columns="kwh=x")
    with pytest.raises(vol.Invalid, match="expected name=column"):
        read(tmp_path, "start,kwh\n", columns="nonsense=kwh")
