"""Shelly: recorded statuses give exact readings; sign-in, switching, leaving and coming back, against a real server."""

from __future__ import annotations

import logging

import pytest

from ohmstead.core.errors import Unsupported
from ohmstead.core.model import DeviceInfo, Reading
from ohmstead.integrations.shelly_gen2 import _devices, ohmstead_integrations, readings
from ohmstead.plugins.protocols.trial import answering
from tests.fakes.house import until
from tests.fakes.shelly import PLUG, FakeShelly
from tests.fakes.street import Street

SHELLY = ohmstead_integrations()
PRO_3EM = {  # recorded from a Pro 3EM in its three-phase profile, shortened
    "em:0": {
        "id": 0, "a_current": 4.029, "a_voltage": 236.1, "a_act_power": 951.2, "a_aprt_power": 951.9, "a_pf": 1, "a_freq": 50,
        "b_current": 2.1, "b_voltage": 235.9, "b_act_power": -480.4, "b_aprt_power": 490.1, "b_pf": -0.98, "b_freq": 50,
        "c_current": 0.3, "c_voltage": 236.4, "c_act_power": 20.5, "c_aprt_power": 70.9, "c_pf": 0.29, "c_freq": 50,
        "n_current": None, "total_current": 6.429, "total_act_power": 491.3, "total_aprt_power": 1512.9,
    },
    "emdata:0": {
        "id": 0, "a_total_act_energy": 3105576.42, "a_total_act_ret_energy": 0, "b_total_act_energy": 195765.72,
        "b_total_act_ret_energy": 12.5, "c_total_act_energy": 2114072.05, "c_total_act_ret_energy": 0,
        "total_act": 5415414.19, "total_act_ret": 12.5,
    },
    "temperature:0": {"id": 0, "tC": 46.3}, "sys": {"mac": "AABBCCDDEEFF"},
}  # fmt: skip
STRIP = {  # four sockets; the last one's meter fails
    f"switch:{n}": {"id": n, "output": n != 2, "apower": 10.0 * n if n < 3 else None, "voltage": 230.0,
                    "aenergy": {"total": 1000.0 * n, "by_minute": [0, 0, 0]}, "errors": [] if n < 3 else ["power_meter_failure"]}
    for n in range(4)
}  # fmt: skip
MONOPHASE = {  # a Pro EM-50: two clamps and a contactor
    "em1:0": {"id": 0, "voltage": 229.8, "current": 2.0, "act_power": -450.0, "aprt_power": 459.6, "pf": -0.98, "freq": 50.0},
    "em1data:0": {"id": 0, "total_act_energy": 12.34, "total_act_ret_energy": 99_000.01},
    "em1:1": {"id": 1, "voltage": 229.8, "current": 0.1, "act_power": 20.0, "aprt_power": 23.0, "pf": 0.87, "freq": 50.0},
    "em1data:1": {"id": 1, "total_act_energy": 500.0, "total_act_ret_energy": 0},
    "switch:0": {"id": "0", "output": False},
}  # fmt: skip


def values(status: dict[str, dict[str, object]], device: str = "s") -> dict[tuple[str | None, str], float | str]:
    return {(r.device, r.quantity): r.value for r in readings(status, _devices(device, status))}


def test_a_plug() -> None:
    assert list(readings(PLUG, {})) == [
        Reading("switch", "on"), Reading("voltage", 231.4), Reading("current", 0.31), Reading("frequency", 50.0),
        Reading("power_factor", 98.0), Reading("power", 71.3), Reading("temperature", 41.5),
        Reading("energy_import", 12.0), Reading("energy_export", 0.054321),
    ]  # fmt: skip


def test_a_three_phase_meter() -> None:
    read = values(PRO_3EM)
    assert {device for device, _ in read} == {None}
    assert {quantity: value for (_, quantity), value in read.items() if "_l" not in quantity} == {
        "frequency": 50.0, "power": 491.3, "current": 6.429, "apparent_power": 1512.9,
        "energy_import": 5415.41419, "energy_export": 0.0125,
    }  # fmt: skip
    assert read[None, "power_l2"] == -480.4
    assert read[None, "power_factor_l2"] == -98.0
    assert read[None, "energy_import_l1"] == 3105.57642
    assert read[None, "energy_export_l2"] == 0.0125


def test_a_strip_is_a_gateway_to_its_sockets() -> None:
    read = values(STRIP, "strip")
    assert {device for device, _ in read} == {"strip_0", "strip_1", "strip_2", "strip_3"}
    assert read["strip_2", "switch"] == "off"
    assert read["strip_2", "energy_import"] == 2.0
    assert ("strip_3", "power") not in read, "what the meter does not know is not 0"


def test_clamps_and_a_contactor_are_told_apart() -> None:
    read = values(MONOPHASE)
    assert read["s_em1_0", "power"] == -450.0
    assert read["s_em1_0", "energy_import"] == 0.01234
    assert read["s_em1_0", "energy_export"] == 99.00001
    assert read["s_em1_1", "energy_import"] == 0.5
    assert read["s_switch_0", "switch"] == "off"


def here(shelly: FakeShelly, **more: object) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": shelly.port, "every": 0.1, **more}


async def test_from_the_wire_to_the_store() -> None:
    async with FakeShelly() as shelly, Street() as street:
        await street.run(SHELLY, fridge=here(shelly))
        await until(lambda: street.values("fridge").get("energy_export"))
        assert street.values("fridge")["power"] == 71.3
        assert street.values("fridge")["energy_import"] == 12.0
        assert street.infos() == {
            None: DeviceInfo(name="Fridge", kind="switch", manufacturer="Shelly", model="S3PL-00112EU", firmware="1.4.4", serial="AABBCCDDEEFF")
        }


async def test_the_command_is_confirmed_by_the_devices_own_report_at_once() -> None:
    async with FakeShelly() as shelly, Street() as street:
        await street.run(SHELLY, fridge=here(shelly, every=60))
        await until(lambda: street.values("fridge").get("switch") == "on")
        await street.switch("fridge", "off")
        await until(lambda: street.values("fridge").get("switch") == "off")
        assert shelly.status["switch:0"]["output"] is False


async def test_each_socket_of_a_strip_is_switched_by_itself() -> None:
    async with FakeShelly(dict(STRIP)) as shelly, Street() as street:
        await street.run(SHELLY, strip=here(shelly))
        await until(lambda: street.values("strip_3"))
        assert (street.infos()["strip_2"].via, street.infos()["strip_2"].kind) == ("strip", "switch")
        await street.switch("strip_2", "on")
        await until(lambda: street.values("strip_2").get("switch") == "on")
        with pytest.raises(Unsupported, match="strip has nothing to switch"):
            await street.switch("strip", "on")


async def test_it_signs_in_when_asked_and_keeps_the_nonce() -> None:
    async with FakeShelly(password="hush") as shelly, Street() as street:
        await street.run(SHELLY, fridge=here(shelly, password="hush"))
        await until(lambda: shelly.requests.count("/rpc/Shelly.GetStatus") >= 4)
        assert shelly.denied == 1
        await street.switch("fridge", "off")
        await until(lambda: street.values("fridge").get("switch") == "off")
        shelly.forget()  # it restarted, and knows its old nonces no more
        seen = len(street.store.rows)
        await until(lambda: len(street.store.rows) > seen + 10)
        assert street.offline == []


@pytest.mark.parametrize(("given", "reason"), [({"password": "wrong"}, "does not accept"), ({}, "asks for a password and none is configured")])
async def test_a_wrong_password_is_not_tried_again(given: dict[str, str], reason: str) -> None:
    async with FakeShelly(password="hush") as shelly, Street() as street:
        await street.run(SHELLY, fridge=here(shelly, **given))
        await until(lambda: street.offline)
        assert reason in str(street.offline[0])
        asked = len(shelly.requests)
        assert asked <= 3
        (_, task) = next(iter(street.hub.runners))
        assert task.given_up is not None


async def test_gone_is_said_once_and_back_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shelly = await FakeShelly().start()
    async with Street() as street:
        await street.run(SHELLY, fridge=here(shelly))
        await until(lambda: street.values("fridge"))
        await shelly.stop()
        await until(lambda: street.offline)
        (_, task) = next(iter(street.hub.runners))
        tries = len(caplog.records)
        await until(lambda: task._wait_s >= 4)  # it tried twice more
        assert "cannot be reached (Connection refused)" in str(street.offline[0])
        assert len(street.offline) == 1
        assert [r.levelname for r in caplog.records[tries - 1 :]] == ["WARNING"]
        before = len(street.store.rows)
        await shelly.start()
        await until(lambda: len(street.store.rows) > before)
        assert caplog.records[-1].getMessage() == "shelly_gen2 fridge is back"
    await shelly.stop()


async def test_the_first_generation_is_turned_away() -> None:
    async with FakeShelly(gen=1) as shelly, Street() as street:
        await street.run(SHELLY, fridge=here(shelly))
        await until(lambda: street.offline)
        assert "first generation" in str(street.offline[0])


async def test_something_else_at_that_address() -> None:
    async with answering({"/shelly": ["a", "printer"]}) as port, Street() as street:
        await street.run(SHELLY, fridge={"host": "127.0.0.1", "port": port})
        await until(lambda: street.offline)
        assert "does not answer as a Shelly does" in str(street.offline[0])


def test_odd_components_are_left_out() -> None:
    assert list(readings({"switch:0": None, "em1data:0": [], "sys": 5}, {})) == []
