"""UsageSummary elements as invoices."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ohmstead.core.errors import Invalid
from ohmstead.core.plugin import Into, InvoiceRow
from ohmstead.integrations.green_button import GreenButton
from tests.fakes.espi import entry, feed

_, IMPORTER = GreenButton().ohmstead_importers()
DATA = Path(os.environ.get("OHMSTEAD_DATA", Path(__file__).parents[4] / "shared" / "data"))
PERIOD = "<billingPeriod><duration>2592000</duration><start>1320130800</start></billingPeriod>"


def read(folder: Path, *summaries: str) -> tuple[list[Any], list[str]]:
    (folder / "x.xml").write_text(feed(*(entry(f"<UsageSummary>{summary}</UsageSummary>") for summary in summaries)))
    found = list(IMPORTER.read(folder / "x.xml", {}))
    return [row.body for row in found if isinstance(row, InvoiceRow)], [row for row in found if isinstance(row, str)]


def test_the_sample() -> None:
    path = DATA / "green_button_sample.xml"
    if not path.is_file():
        pytest.skip(f"{path} is not there; set OHMSTEAD_DATA to its folder")
    [row] = IMPORTER.read(path, {})
    assert isinstance(row, InvoiceRow)
    assert IMPORTER.into is Into.INVOICES
    assert row.body == {"id": "green-button-2011-11-01", "start": "2011-11-01T07:00:00+00:00", "end": "2011-12-01T07:00:00+00:00", "kwh": "610.314"}


def test_amounts_are_hundred_thousandths_whatever_the_currency(tmp_path: Path) -> None:
    summary = (f"{PERIOD}<billLastPeriod>8812345</billLastPeriod><currency>840</currency><overallConsumptionLastPeriod>"
               "<powerOfTenMultiplier>3</powerOfTenMultiplier><uom>72</uom><value>610</value></overallConsumptionLastPeriod>"
               "<costAdditionalDetailLastPeriod><amount>-50000</amount><note>=credit</note></costAdditionalDetailLastPeriod>")  # fmt: skip
    [body], mistakes = read(tmp_path, summary)
    assert not mistakes
    assert (body["total"], body["currency"], body["kwh"]) == ("88.12345", "USD", "610")
    assert body["lines"] == [{"label": "=credit", "gross": "-0.5"}]


@pytest.mark.parametrize(("summary", "why"), [
    ("", "expected a billingPeriod"), (PERIOD.replace("2592000", "-5"), "expected a billingPeriod"),
    (PERIOD + "<billLastPeriod>12,5</billLastPeriod>", "billLastPeriod is '12,5'; expected a whole number"),
    (PERIOD.replace("1320130800", "9" * 15), "expected a billingPeriod"),
])  # fmt: skip
def test_what_says_too_little_is_told(tmp_path: Path, summary: str, why: str) -> None:
    bodies, mistakes = read(tmp_path, summary)
    assert not bodies
    assert why in mistakes[0]
    with pytest.raises(Invalid, match="has no UsageSummary"):
        read(tmp_path)
