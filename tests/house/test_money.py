"""The corpus of tariffs, tests/house/traces/money/: every bill comes to what its comment works out by hand.

    tariff    as in YAML
    import, export   slots of 15 minutes: `local start [xN] kwh`, or `missing`; what is not listed is not there
    bills     one after another, each going on from the one before: from, to, the lines as `component label|- quantity
              unit amount` with _ for blanks, the printed total; excluded `local start, windows`; kept, in kWh
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.tariffs.bill import bill
from ohmstead.plugins.tariffs.pricing import price
from ohmstead.plugins.tariffs.usage import Usage
from tests.fakes.tariffs import QUARTER_MS, ms, plain, sheet, tariff

FOLDER = Path(__file__).parent / "traces" / "money"


def slots(text: str, zone: ZoneInfo) -> Iterator[Sheet]:
    for row in text.strip().splitlines():
        start, *times, kwh = row.split()
        count = int(times[0][1:]) if times else 1
        mwh = 0 if kwh == "missing" else int(Decimal(kwh) * 10**6)
        yield sheet(ms(start, zone), [mwh] * count, QUARTER_MS, range(count) if kwh == "missing" else ())


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_money(path: Path) -> None:
    raw: dict[str, Any] = yaml.load(path.read_text(), yaml.BaseLoader)
    zone = ZoneInfo(raw["zone"])
    usage = Usage(list(slots(raw.get("import", ""), zone)), list(slots(raw.get("export", ""), zone)))
    known, carry = tariff(raw["tariff"]), {}
    for expected in raw["bills"]:
        priced = price(known, usage, ms(expected["from"], zone), ms(expected["to"], zone), zone, carry=carry)
        carry, printed = priced.carry, bill(priced)
        lines = [
            f"{line.component} {(line.label or '-').replace(' ', '_')} {plain(line.quantity)} {line.unit.replace(' ', '_')} {row.printed}"
            for line, row in zip(priced.lines, printed.lines, strict=True)
        ]
        assert lines == expected["lines"].strip().splitlines()
        assert str(printed.total) == expected["total"]
        excluded = [row.split() for row in expected.get("excluded", "").splitlines()]
        assert [(each.start_ms, each.windows) for each in priced.excluded] == [(ms(start, zone), int(count)) for start, count in excluded]
        if "kept" in expected:
            assert priced.netted[-1].balance == int(expected["kept"]) * 10**6
