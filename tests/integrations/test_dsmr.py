"""P1 telegrams: the standard's own example to the digit, and all the ways in which a cable, a bridge and a meter go wrong."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.core.clock import ManualClock, settle
from ohmstead.core.model import DeviceInfo
from ohmstead.core.quantity import Quantities
from ohmstead.integrations.dsmr import LONGEST, Telegrams, about, crc16, instant, ohmstead_integrations, readings
from tests.fakes.house import until
from tests.fakes.p1 import FakeP1, telegram
from tests.fakes.street import Street

DSMR = ohmstead_integrations()
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
SAMPLE = Path(os.environ.get("OHMSTEAD_DATA", Path(__file__).parents[2].parent / "shared" / "data")) / "dsmr_v40_sample.txt"

V5 = telegram(
    "1-3:0.2.8(50)", "0-0:1.0.0(260207122600W)", "0-0:96.1.1(4530303437303030303037363330383137)",
    "1-0:1.8.1(004321.001*kWh)", "1-0:1.8.2(005432.010*kWh)", "1-0:2.8.1(000123.400*kWh)", "1-0:2.8.2(000567.899*kWh)",
    "0-0:96.14.0(0002)", "1-0:1.7.0(00.000*kW)", "1-0:2.7.0(01.001*kW)", "0-0:96.7.21(00004)", "1-0:99.97.0(1)(0-0:96.7.19)(000104180320W)(0000237126*s)",
    "1-0:32.32.0(00002)", "0-0:96.13.0()", "1-0:32.7.0(230.1*V)", "1-0:52.7.0(229.8*V)", "1-0:72.7.0(231.0*V)",
    "1-0:31.7.0(002*A)", "1-0:51.7.0(000*A)", "1-0:71.7.0(005*A)", "1-0:21.7.0(00.150*kW)", "1-0:41.7.0(00.000*kW)", "1-0:61.7.0(00.000*kW)",
    "1-0:22.7.0(00.000*kW)", "1-0:42.7.0(00.000*kW)", "1-0:62.7.0(01.151*kW)",
    "0-1:24.1.0(003)", "0-1:96.1.0(4730303139333430323231313938343135)", "0-1:24.2.1(260207122003W)(04321.123*m3)",
    "0-2:24.1.0(007)", "0-2:24.2.1(260207120000W)(00012.345*m3)", "0-3:24.1.0(012)", "0-3:24.2.1(260207120000W)(001.800*GJ)",
)  # fmt: skip
V5_READINGS = {
    "energy_import_t1": 4321.001, "energy_import_t2": 5432.01, "energy_export_t1": 123.4, "energy_export_t2": 567.899,
    "power": -1001.0, "power_l1": 150.0, "power_l2": 0.0, "power_l3": -1151.0, "voltage_l1": 230.1, "voltage_l2": 229.8, "voltage_l3": 231.0,
    "current_l1": 2.0, "current_l2": 0.0, "current_l3": 5.0, "tariff": "2", "gas": 4321.123, "water": 12.345, "heat": 500.0,
}  # fmt: skip
BELGIAN = telegram(
    "0-0:96.1.4(50217)", "0-0:1.0.0(260715143000S)", "1-0:1.8.0(000100.000*kWh)", "1-0:2.8.0(000020.000*kWh)", "1-0:1.4.0(02.351*kW)",
    "1-0:1.6.0(260707193000S)(04.125*kW)", "1-0:1.7.0(00.500*kW)", "1-0:2.7.0(00.000*kW)",
    "0-1:24.1.0(003)", "0-1:24.2.3(260715142500S)(00112.384*m3)",
)  # fmt: skip
V2 = telegram(
    "0-0:96.1.1(4B414C37303035303738363336333133)", "1-0:1.8.1(00608.400*kWh)", "1-0:1.7.0(0001.51*kW)",
    "0-1:24.1.0(03)", "0-1:24.3.0(121030140000)(00)(60)(1)(0-1:24.2.1)(m3)", "(00947.680)", header="/KMP5 KA6U001585575011", crc=False,
)  # fmt: skip


def cut(*chunks: bytes) -> tuple[list[str], int]:
    telegrams = Telegrams()
    return [text for chunk in chunks for text in telegrams.feed(chunk)], telegrams.bad


def values(raw: bytes) -> dict[str, float | str]:
    (text,), bad = cut(raw)
    assert bad == 0
    return {reading.quantity: reading.value for reading in readings(text, AMSTERDAM, Quantities())}


def at(*time: int) -> datetime:
    return datetime(*time, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_the_crc_of_the_standard() -> None:
    assert crc16(b"123456789") == 0xBB3D


def test_the_example_of_the_standard() -> None:
    if not SAMPLE.exists():
        pytest.skip(f"{SAMPLE} is not there")
    (text,), bad = cut(SAMPLE.read_bytes())
    read = {reading.quantity: reading for reading in readings(text, AMSTERDAM, Quantities())}
    assert bad == 0
    assert {quantity: reading.value for quantity, reading in read.items()} == {
        "energy_import_t1": 123456.789, "energy_import_t2": 123456.789, "energy_export_t1": 123456.789, "energy_export_t2": 123456.789,
        "power": 1193.0, "tariff": "2", "gas": 12785.123,
    }  # fmt: skip
    assert read["power"].at == at(2010, 12, 9, 10, 30, 20)
    assert read["gas"].at == at(2010, 12, 9, 10, 0)
    assert about(text) == DeviceInfo(kind="meter", model="ISk5\\2MT382-1000", serial="K8EG004046395507", firmware="DSMR 40")


def test_version_5_with_everything_behind_it() -> None:
    assert values(V5) == V5_READINGS
    (text,), _ = cut(V5)
    times = {reading.quantity: reading.at for reading in readings(text, AMSTERDAM, Quantities())}
    assert times["power"] == times["voltage_l1"] == at(2026, 2, 7, 11, 26)
    assert times["gas"] == at(2026, 2, 7, 11, 20, 3)


def test_belgium() -> None:
    assert values(BELGIAN) == {"energy_import": 100.0, "energy_export": 20.0, "power_demand": 2351.0, "power": 500.0, "gas": 112.384}
    (text,), _ = cut(BELGIAN)
    assert next(readings(text, ZoneInfo("Europe/Brussels"), Quantities())).at == at(2026, 7, 15, 12, 30)


def test_version_2_has_neither_crc_nor_time() -> None:
    assert values(V2) == {"energy_import_t1": 608.4, "power": 1510.0, "gas": 947.68}
    (text,), _ = cut(V2)
    times = {reading.quantity: reading.at for reading in readings(text, AMSTERDAM, Quantities())}
    assert times == {"energy_import_t1": None, "power": None, "gas": at(2012, 10, 30, 13)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("101209113020W", at(2010, 12, 9, 10, 30, 20)),
        ("260715143000S", at(2026, 7, 15, 12, 30)),
        ("261025023000S", at(2026, 10, 25, 0, 30)),  # the clock shows half past two twice that night
        ("261025023000W", at(2026, 10, 25, 1, 30)),
        ("260715143000", at(2026, 7, 15, 12, 30)),
        ("261325023000S", None),
        ("632525252525W", None),
        ("", None),
    ],
)
def test_local_time_with_its_season(text: str, expected: datetime | None) -> None:
    assert instant(text, AMSTERDAM) == expected


def test_a_meter_that_was_exchanged_stays_listed() -> None:
    both = telegram(
        "0-1:24.1.0(003)", "0-1:24.2.1(250101000000W)(09999.999*m3)", "0-2:24.1.0(003)", "0-2:24.2.1(260207120000W)(00001.000*m3)"
    )
    assert values(both) == {"gas": 1.0}


def test_lines_against_the_standard_are_left_out() -> None:
    odd = telegram("1-0:72:32.0(00000)", "1-0:1.7.0(abc*kW)", "1-0:32.7.0(230.0*bananas)", "1-0:52.7.0(", "1-0:14.7.0(49.99*Hz)", "0-1:24.1.0(xyz)")
    assert values(odd) == {"frequency": 49.99}


@given(st.lists(st.integers(1, len(V5) + len(BELGIAN) - 1), max_size=20), st.binary(max_size=30))
def test_chunks_and_garbage_before_do_not_matter(places: list[int], garbage: bytes) -> None:
    stream = V5 + BELGIAN
    cuts = [0, *sorted(places), len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(cuts)]
    texts, _ = cut(garbage, *chunks)
    assert [text.encode() + b"!" in stream for text in texts] == [True, True]


@given(st.binary(max_size=3000))
def test_noise_is_never_a_telegram_and_never_breaks_the_next(noise: bytes) -> None:
    texts, _ = cut(noise, b"\r\n", V5)
    assert texts[-1:] == cut(V5)[0]


@pytest.mark.parametrize("damage", [V5.replace(b"230.1", b"230.2"), V5[:-8] + b"!0000\r\n", V5[:-6] + b"\r\n"])
def test_a_damaged_telegram_is_dropped_whole_and_counted(damage: bytes) -> None:
    texts, bad = cut(damage, BELGIAN)
    assert (len(texts), bad) == (1, 1)


def test_one_that_breaks_off_takes_no_other_with_it() -> None:
    texts, _ = cut(V5[:300], BELGIAN)
    assert texts == cut(BELGIAN)[0]


def test_a_bridge_that_drops_carriage_returns_is_understood() -> None:
    assert cut(V5.replace(b"\r\n", b"\n"))[1] == 0


def test_memory_is_bounded() -> None:
    telegrams = Telegrams()
    for _ in range(200):
        assert list(telegrams.feed(b"/" * 10_000)) == []
    assert len(telegrams._buffer) <= LONGEST
    assert len(list(telegrams.feed(b"\r\n" + V5))) == 1


def here(bridge: FakeP1) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": bridge.port}


async def test_from_the_wire_to_the_store() -> None:
    async with FakeP1() as bridge, Street() as street:
        await street.run(DSMR, meter=here(bridge))
        await bridge.listener()
        await bridge.send(V5[200:], V5[:7], V5[7:333], V5[333:], V5)
        await until(lambda: len(street.store.rows) >= 2 * len(V5_READINGS))
        assert street.values("meter") == V5_READINGS
        assert street.infos() == {None: DeviceInfo(kind="meter", model="Ene5\\T210-D ESMR5.0", serial="E0047000007630817", firmware="DSMR 50")}
        assert len(street.registry.infos) == 1


async def test_damage_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async with FakeP1() as bridge, Street() as street:
        await street.run(DSMR, meter=here(bridge))
        await bridge.listener()
        bad = V5.replace(b"230.1", b"230.2")
        await bridge.send(bad, V5, bad, bad, V5)
        await until(lambda: len(street.store.rows) >= 2 * len(V5_READINGS))
        assert [record.getMessage().split(";")[0] for record in caplog.records] == ["a damaged telegram was dropped, as will be others"]
        assert caplog.records[0].name == "ohmstead.device.meter"


@pytest.mark.parametrize(("noise", "reason"), [(b"", "sends nothing for 60 s"), (b"zzz\r\n", "sends bytes but no whole telegram for 60 s")])
async def test_silence_and_noise_are_both_absence(noise: bytes, reason: str) -> None:
    clock = ManualClock()
    async with FakeP1() as bridge, Street(clock) as street:
        await street.run(DSMR, meter=here(bridge))
        await bridge.listener()
        await bridge.send(V5)
        await until(lambda: street.values("meter"))
        for _ in range(4):
            await clock.advance(20.1)
            await bridge.send(noise)
            await settle()
        await until(lambda: street.offline)
        assert reason in str(street.offline[0])


async def test_gone_is_said_once_and_back_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bridge = await FakeP1().start()
    async with Street() as street:
        await street.run(DSMR, meter=here(bridge))
        await bridge.listener()
        await bridge.send(V5)
        await until(lambda: street.values("meter"))
        await bridge.stop()
        await until(lambda: street.offline)
        (_, task) = next(iter(street.hub.runners))
        await until(lambda: task._wait_s >= 4)
        await bridge.start()
        await bridge.listener(2)
        await bridge.send(V5)
        await until(lambda: task.reason is None)
        assert len(street.offline) == 1
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    await bridge.stop()
