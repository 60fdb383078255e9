"""The physics of the demo house: the balance and the registers hold exactly, and the seed decides everything else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.integrations.demo_house.devices import DEVICES, Senses, speak
from ohmstead.integrations.demo_house.house import CAPACITY, FIRST_KWH, KWH, RESERVE, SOURCES, SWITCHED, House
from ohmstead.integrations.demo_house.weather import DAY_S, Chance, Weather

WINTER_MS, SUMMER_MS = 1_796_083_200_000, 1_781_568_000_000  # 2026-12-01, 2026-06-16
QUANTITY_OF = {"grid": "grid", "pv": "pv", "battery": "battery"}


def balance(house: House) -> int:
    return sum(power if device in SOURCES else -power for device, power in house.powers.items())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1_500_000_000_000, 2_000_000_000_000), st.lists(st.integers(1, 4_000_000), max_size=30))
def test_grid_and_pv_and_battery_give_what_the_loads_take(seed: int, start_ms: int, steps: list[int]) -> None:
    house = House(seed, start_ms)
    for number, step in enumerate(steps):
        house.advance(house.at_ms + step)
        if number % 5 == 4:
            house.switch(SWITCHED[number % len(SWITCHED)], number % 2 == 0)
        assert balance(house) == 0
        assert RESERVE <= house.stored <= CAPACITY or house.powers["battery"] == 0
        said = {s.device: s.telemetry for s in speak(house, Senses(seed, 0))}
        sources = sum(said[device]["power"] for device in SOURCES)
        loads = sum(values["power"] for device, values in said.items() if device not in SOURCES)
        assert sources == pytest.approx(loads, abs=1e-9)


def test_registers_count_exactly_what_flowed() -> None:
    house = House(3, SUMMER_MS)
    expected = dict(house.registers)
    for _ in range(2 * 24 * 60):
        for device, power in house.powers.items():
            way = "export" if device in SOURCES and (power < 0) == (device == "grid") else "import"
            if power:
                expected[f"{device}.{way}"] += abs(power) * 60_000
        house.advance(house.at_ms + 60_000)
    assert house.registers == expected
    assert all(house.energy_kwh(name) >= kwh for name, kwh in FIRST_KWH.items())
    given_kwh = sum(house.registers[f"{d}.{w}"] - round(FIRST_KWH[f"{d}.{w}"] * KWH) for d, w in (("pv", "export"), ("grid", "import"), ("battery", "export")))
    taken_kwh = sum(n - round(FIRST_KWH[name] * KWH) for name, n in house.registers.items()
                    if (name.endswith(".import") and not name.startswith(SOURCES)) or name in ("grid.export", "battery.import"))  # fmt: skip
    assert given_kwh == taken_kwh


def test_the_same_seed_is_the_same_house_and_another_is_another() -> None:
    def life(seed: int) -> list[object]:
        house = House(seed, WINTER_MS)
        house.advance(WINTER_MS + 3 * DAY_S * 1000)
        return [house.powers, house.registers, house.stored, [s.telemetry for s in speak(house, Senses(seed, 0))]]

    assert life(7) == life(7)
    assert life(7) != life(8)


def test_a_house_that_was_kept_goes_on_as_if_nothing_had_been() -> None:
    house = House(5, SUMMER_MS)
    house.advance(SUMMER_MS + 7_777_000)
    house.switch("D1", on=False)
    other = House.restore(dict(house.keep()))
    for one in (house, other):
        one.advance(SUMMER_MS + 40_000_000)
    assert house.keep() == other.keep()
    assert (house.powers, house.off) == (other.powers, {"D1"})


@pytest.mark.parametrize("start_ms", [WINTER_MS, SUMMER_MS])
def test_a_month_looks_like_a_month(start_ms: int) -> None:
    house = House(1, start_ms)
    noon = night = 0.0
    for _ in range(30 * 288):
        house.advance(house.at_ms + 300_000)
        hour = house.at_ms / 3_600_000 % 24
        noon += house.powers["pv"] if 10 <= hour < 13 else 0
        night += house.powers["pv"] if hour < 2 else 0
    used = {name: house.energy_kwh(name) - kwh for name, kwh in FIRST_KWH.items()}
    assert night == 0 < noon
    assert 25 < used["fridge.import"] / 30 * 31 < 40
    assert 130 < used["D1.import"] < 150
    assert (60 < used["heatpump.import"] < 250) if start_ms == SUMMER_MS else (500 < used["heatpump.import"] < 1300)
    assert (500 < used["pv.export"] < 1300) if start_ms == SUMMER_MS else (60 < used["pv.export"] < 450)
    assert used["ev.import"] > 100
    assert all(used[name] > 1 for name in ("plug_tv.import", "plug_desk.import", "plug_washer.import", "battery.export"))


def test_the_bulb_is_230_volt_0_85_ampere_40_degrees() -> None:
    house, senses = House(1, WINTER_MS), Senses(1, WINTER_MS - 3_600_000)
    for _ in range(100):
        house.advance(house.at_ms + 60_000)
        bulb = speak(house, senses)[0]
        assert bulb.device == "D1"
        assert bulb.telemetry["voltage"] == pytest.approx(230, abs=3)
        assert bulb.telemetry["current"] == pytest.approx(0.85, abs=0.02)
        assert bulb.telemetry["temperature"] == pytest.approx(40, abs=2)
        assert bulb.telemetry["switch"] == "on"
    house.switch("D1", on=False)
    bulb = speak(house, senses)[0]
    assert (bulb.telemetry["power"], bulb.telemetry["current"], bulb.telemetry["switch"]) == (0, 0, "off")
    assert bulb.telemetry["temperature"] == pytest.approx(40, abs=2), "it takes its time to cool down"
    house.advance(house.at_ms + 300_000)
    assert speak(house, senses)[0].telemetry["temperature"] == pytest.approx(22, abs=2)


def test_the_bulb_gets_too_hot_in_still_air_soon_after_the_start_and_cools_down_by_itself() -> None:
    house, senses = House(1, WINTER_MS), Senses(1, WINTER_MS)
    felt = {}
    for _ in range(120):
        house.advance(house.at_ms + 5_000)
        felt[(house.at_ms - WINTER_MS) // 1000] = speak(house, senses)[0].telemetry["temperature"]
    hot = [at_s for at_s, temperature in felt.items() if temperature > 50]
    assert 30 < hot[0] < 120
    assert hot == list(range(hot[0], hot[-1] + 1, 5))
    assert next(at_s for at_s in felt if at_s > hot[-1] and felt[at_s] < 47) < 450


def test_every_device_has_its_own_id_name_and_kind() -> None:
    assert len({info.id for info in DEVICES}) == len(DEVICES) == 10
    assert all(info.name and info.kind and info.model for info in DEVICES)


@given(st.integers(), st.integers(0, 2**40))
def test_chance_is_between_0_and_1(seed: int, number: int) -> None:
    chance = Chance(seed, "x")
    assert 0 <= chance.at(number) < 1
    assert 0 <= chance.smooth(number / 3, 60) <= 1


def test_the_sun_sets_and_winters_are_cold() -> None:
    weather = Weather(1)
    days = range(365)
    assert all(weather.irradiance_w_m2(day * DAY_S) == 0 for day in days), "midnight"
    assert max(weather.irradiance_w_m2(day * DAY_S + 11 * 3600) for day in days) < 1200
    warm = [weather.temperature_c(day * DAY_S + 12 * 3600) for day in days]
    assert sum(warm[:30]) / 30 + 8 < sum(warm[180:210]) / 30
