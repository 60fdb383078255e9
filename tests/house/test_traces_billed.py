"""The published corpus once more, through a whole house: readings in over ingest, bills out, to the cent."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import yaml

from ohmstead.config.house import House
from ohmstead.core.clock import from_ms
from ohmstead.core.plugin import PeriodRow
from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.cycle import Cycle, Moment
from ohmstead.plugins.ledger.points.points import MeterPoint, Role
from ohmstead.plugins.ledger.sheet import Layer
from ohmstead.plugins.tariffs.tariff import Tariff
from tests.fakes import traces
from tests.fakes.running import free_port

DAY_MS = 86_400_000
CORPUS = [trace for trace in map(traces.load, traces.NAMES) if trace.cents and Layer.CORRECTION not in trace.layers]


async def test_every_trace_to_the_cent(tmp_path: Path) -> None:
    (tmp_path / "configuration.yaml").write_text("home: {time_zone: UTC}\n")
    house = House(tmp_path, {}, {"port": str(free_port())})
    try:
        await house.open()
        await house.start()
        for trace in CORPUS:
            await _measured(house, trace)
        await house.parts.money.ledger.caught_up(60)
        found = {trace.name: await _totals(house, trace) for trace in CORPUS}
    finally:
        await house.stop()
    assert len(found) > 20
    assert found == {trace.name: {name: Decimal(str(cents)) for name, cents in trace.cents.items()} for trace in CORPUS}


async def _measured(house: House, trace: traces.Trace) -> None:
    """The readings of a trace under devices of its own, its meter point, and what was imported."""
    ledger, batch = house.parts.money.ledger, house.hub.ingest.batch("test", "test", live=False)
    for series, rows in trace.series.items():
        device, _, quantity = series.partition(".")
        feed = batch.feed(f"{trace.name}-{device}"[:64])
        for row in rows:
            batch.add(feed, quantity, row[-1], row[0], row[1] if len(row) == 3 else None)
    await house.hub.ingest.store(batch)
    first_ms, last_ms = min(trace.slots) - DAY_MS, max(trace.slots) + 2 * DAY_MS
    bindings = [
        msgspec.structs.replace(each, from_ms=max(each.from_ms, first_ms), to_ms=each.to_ms or last_ms, terms=tuple(
            msgspec.structs.replace(term, series=f"{f'{trace.name}-{term.device}'[:64]}.{term.quantity}") for term in each.terms
        )) for each in trace.bindings
    ]  # fmt: skip
    await ledger.registrar.put(MeterPoint(0, f"trace-{trace.name}", trace.name, Role.CUSTOM), bindings)
    for layer, periods in sorted(trace.layers.items()):
        begun = await ledger.imports.begin(layer.name.lower(), f"trace-{trace.name}", "test", "owner")
        await ledger.imports.add(begun.made.number, [PeriodRow(each.start_ms, each.end_ms, each.mwh, each.estimated) for each in periods])
        await ledger.imports.commit(begun.made.number)


async def _totals(house: House, trace: traces.Trace) -> dict[str, Decimal]:
    """The bill of all its local days under each of the three tariffs."""
    point, zone = f"trace-{trace.name}", trace.zone
    first, last = _day(min(trace.slots), zone), _day(max(trace.slots), zone) + timedelta(days=1)
    contract = Contract(point, point, "home", zone.key, "EUR", ((0, ""),), Cycle(Moment(zone.key), dates=(first, last)), (point,))
    [period] = contract.between(0, 1 << 42)
    biller = house.parts.money.billing.biller
    return {name: (await biller.under(contract, tariff, period, {})).sheet.total for name, tariff in _tariffs(house).items() if name in trace.cents}


def _day(at_ms: int, zone: ZoneInfo) -> date:
    return from_ms(at_ms).astimezone(zone).date()


def _tariffs(house: House) -> dict[str, Tariff]:
    written = yaml.safe_load((traces.FOLDER / "tariffs.yaml").read_text())
    tariffs = house.parts.money.tariffs
    return {name: tariffs.compiled(name, tariffs.check(options)) for name, options in written.items()}
