"""What energy costs now: live states of a device that is not there."""

from __future__ import annotations

import asyncio
from typing import Any

from ohmstead.plugins.billing.live import LiveCosts
from ohmstead.plugins.ledger.events import LedgerChanged
from tests.fakes.billed_house import BilledHouse, at
from tests.fakes.house import until


def states(home: BilledHouse, device: str = "tariff") -> dict[str, Any]:
    return {state.series.quantity: (state.value, state.series.unit) for state in home.hub.states if state.series.device == device}


async def spot(home: BilledHouse) -> LiveCosts:
    """Noon of 10 April: 0.1 kWh a slot bought, 0.02 sold; 0.30 an hour until noon, then 0.10."""
    home.tariff("spot", {"type": "dynamic", "series": "market"}, {"type": "flat", "name": "feed-in", "direction": "export", "price": "0.05"}, vat=20)
    await home.contract(tariff="spot", export="grid_export", start="2026-04-09")
    home.fill("grid_import", "2026-04-09T00:00", "2026-04-10T12:00", 100_000)
    home.fill("grid_export", "2026-04-09T00:00", "2026-04-10T12:00", 20_000)
    await home.price("market", "2026-04-09T00:00", *[300_000] * 36, *[100_000] * 12)
    return LiveCosts(home.hub, home.billing.bills, home.ledger)


async def test_the_states_say_what_it_costs(home: BilledHouse) -> None:
    live = await spot(home)
    await live.refresh()
    # now 0.10 and 20 % VAT = 0.12, sold 0.05 and VAT = 0.06; 0.4 kW × 0.12 − 0.08 kW × 0.06 = 0.0432
    # 36 h: 14.4 kWh × 0.30 = 4.32, 2.88 × −0.05 = −0.144 -> −0.14; 4.18 and VAT 0.84 (0.836) = 5.02
    # up to midnight 24 h: 9.6 × 0.30 = 2.88, 1.92 × −0.05 = −0.096 -> −0.10; 2.78 and VAT 0.56 (0.556) = 3.34; today 1.68
    found = states(home)
    ahead = (
        '[{"start":"2026-04-10T10:00:00Z","end":"2026-04-10T22:00:00Z","price":0.12},'
        '{"start":"2026-04-10T22:00:00Z","end":"2026-04-11T22:00:00Z","price":null}]'
    )
    assert found.pop("price_ahead") == (ahead, "")
    assert found == {
        "price_now": (0.12, "EUR/kWh"), "price_now_export": (0.06, "EUR/kWh"), "cost_per_hour": (0.0432, "EUR/h"),
        "cost_today": (1.68, "EUR"), "cost_month": (5.02, "EUR"),
    }  # fmt: skip
    async with home.storage.read():
        assert await home.storage.history.find("tariff") == []


async def test_a_price_that_is_not_known_is_not_shown(home: BilledHouse) -> None:
    live = await spot(home)
    await live.refresh()
    await home.clock.advance(86_400)  # type: ignore[attr-defined]  # tomorrow has no prices yet
    await live.refresh()
    assert "price_now" not in states(home)
    assert "cost_month" in states(home)
    await home.price("market", "2026-04-11T00:00", *[200_000] * 24)
    await live.refresh()
    assert states(home)["price_now"] == (0.24, "EUR/kWh")


async def test_a_contract_that_cannot_be_priced_does_not_silence_the_others(home: BilledHouse) -> None:
    live = await spot(home)
    home.ledger.point("heat_pump")
    await home.contract("hp", **{"import": "heat_pump", "tariff": "spot"})
    home.tariffs.remove("spot")
    home.tariff("flat", {"type": "flat", "price": "0.25"})
    await home.ask("PUT", "/contracts/hp", {"import": "heat_pump", "tariff": "flat"})
    await live.refresh()
    assert states(home) == {}
    assert states(home, "tariff_hp")["price_now"] == (0.25, "EUR/kWh")


async def test_the_main_contract_has_its_states_under_its_own_name_too(home: BilledHouse) -> None:
    """So that a rule which names its contract hears of it, whichever is the main one."""
    live = await spot(home)
    await live.refresh()
    assert states(home)
    assert states(home, "tariff_home") == states(home)


async def test_the_main_contract_is_the_one_in_force_for_electricity(home: BilledHouse) -> None:
    home.ledger.point("gas", role="gas")
    home.tariff("flat", {"type": "flat", "price": "0.25"})
    await home.contract("a_gas", **{"import": "gas", "tariff": "flat"})
    await home.contract("b_left", **{"import": "grid_import", "tariff": "flat", "end": "2026-01-01"})
    await home.contract("c_now", **{"import": "grid_import", "tariff": "flat", "start": "2026-01-01"})
    found = [home.billing.contracts.main("home", at(day)) for day in ("2025-12-31", "2026-04-10")]
    assert [each.id for each in found if each is not None] == ["b_left", "c_now"]
    assert home.billing.contracts.main("elsewhere", at("2026-04-10")) is None


async def test_they_follow_the_ledger_the_prices_and_the_clock(home: BilledHouse) -> None:
    await spot(home)
    home.start()
    await until(lambda: "cost_month" in states(home))
    home.ledger.lay("grid_import", at("2026-04-10T11:45"), [1_100_000])
    home.bus.publish(LedgerChanged((("grid_import", at("2026-04-10T11:45"), at("2026-04-10T12:00")),)))
    await _wait(home, "cost_month", 5.38)  # 1 kWh × 0.30 × 1.2 more
    await home.price("market", "2026-04-10T12:00", 500_000)
    await _wait(home, "price_now", 0.6)


async def _wait(home: BilledHouse, quantity: str, value: float) -> None:
    """Let time pass until a state has a value; pricing itself takes real time, in a thread."""
    async with asyncio.timeout(10):
        while states(home).get(quantity, (None,))[0] != value:
            await home.clock.advance(1)  # type: ignore[attr-defined]
            await asyncio.sleep(0.005)
