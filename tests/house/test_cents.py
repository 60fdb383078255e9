"""The published corpus in money: what every trace comes to under three tariffs, to the cent."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import yaml

from ohmstead.plugins.tariffs.bill import bill
from ohmstead.plugins.tariffs.local import local_date, midnight
from ohmstead.plugins.tariffs.pricing import price
from ohmstead.plugins.tariffs.usage import Usage
from tests.fakes import traces
from tests.fakes.tariffs import tariff

TARIFFS = yaml.load((traces.FOLDER / "tariffs.yaml").read_text(), yaml.BaseLoader)


@pytest.mark.parametrize("name", traces.NAMES)
def test_cents(name: str) -> None:
    trace = traces.load(name)
    days, _ = trace.derived()
    start_ms = midnight(trace.zone, local_date(trace.zone, min(trace.slots)))
    end_ms = midnight(trace.zone, local_date(trace.zone, max(trace.slots)) + timedelta(days=1))
    usage = Usage([days[day] for day in sorted(days)])
    found = {kind: bill(price(tariff(options), usage, start_ms, end_ms, trace.zone)).total for kind, options in TARIFFS.items()}
    assert found == {kind: Decimal(str(cents)) for kind, cents in trace.cents.items()}
