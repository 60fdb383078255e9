"""Eastron meters: templates that hold what they promise, few requests, several meters on one bus."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import yaml

from ohmstead.core.model import DeviceInfo
from ohmstead.core.quantity import Quantities
from ohmstead.integrations.eastron import ohmstead_integrations
from ohmstead.plugins.protocols.registers import Template, template
from tests.fakes.house import until
from tests.fakes.modbus_meter import FakeGateway, FakeMeters
from tests.fakes.street import Street

EASTRON = ohmstead_integrations()
FILES = sorted(EASTRON.templates.glob("*.yaml")) if EASTRON.templates else []
SDM630 = {  # float32 in the input registers
    0x0000: 230.2, 0x0002: 231.5, 0x0004: 229.9, 0x0006: 4.5, 0x000C: 1035.9, 0x000E: -480.4, 0x0010: 20.5,
    0x0034: 576.0, 0x003E: -0.985, 0x0046: 49.98, 0x0048: 1234.567, 0x004A: 123.4, 0x00F8: 2.1, 0x0156: 1357.967, 0x0164: 0.5,
}  # fmt: skip


def load(model: str) -> dict[str, object]:
    assert EASTRON.templates is not None
    loaded: dict[str, object] = yaml.safe_load((EASTRON.templates / f"{model}.yaml").read_text())
    return loaded


def options(port: int, **more: object) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": port, "model": "sdm630", "every": 0.1, **more}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_template_is_sound_and_can_be_chosen(path: Path) -> None:
    made: Template = template(yaml.safe_load(path.read_text()), Quantities())
    model = next(validator for marker, validator in EASTRON.schema.items() if marker == "model")
    assert model(path.stem) == path.stem
    addresses = [register.at for register in made.registers.values()]
    assert len(addresses) == len(set(addresses))
    assert all(count <= 80 for _, count in made.requests())
    assert len(made.requests()) <= 3


def test_every_model_has_its_template() -> None:
    assert {path.stem for path in FILES} == {"sdm72", "sdm72v2", "sdm120", "sdm230", "sdm630"}


async def test_recorded_registers_give_exact_readings() -> None:
    async with FakeMeters({1: SDM630}) as meters, Street() as street:
        await street.run(EASTRON, template=load("sdm630"), grid=options(meters.port))
        await until(lambda: "energy_export_l3" in street.values("grid"))
        read = street.values("grid")
        assert len(read) == 40
        assert read["voltage_l1"] == 230.2
        assert read["power_l2"] == -480.4
        assert read["power"] == 576.0
        assert read["power_factor"] == -98.5
        assert read["frequency"] == 49.98
        assert read["energy_import"] == 1234.567
        assert read["energy_export"] == 123.4
        assert read["voltage_thd"] == 2.1
        assert read["energy_total"] == 1357.967
        assert read["energy_export_l3"] == 0.5
        assert {row.at_ms for row in street.store.rows[:40]} == {street.store.rows[0].at_ms}, "one round has one instant"
        assert meters.requests[:3] == [(1, 0x0000, 80), (1, 0x00EA, 16), (1, 0x0156, 16)]
        assert street.infos() == {None: DeviceInfo(kind="meter", manufacturer="Eastron", model="SDM630")}


async def test_several_meters_on_one_bus() -> None:
    async with FakeMeters({1: SDM630, 2: {0x0000: 229.1, 0x0048: 17.5}}) as meters, Street() as street:
        await street.run(EASTRON, template=load("sdm120"), one=options(meters.port, unit=1), two=options(meters.port, unit=2, model="sdm120"))
        await until(lambda: street.values("one") and street.values("two"))
        assert meters.connections == 1
        assert street.values("one")["voltage"] == 230.2
        assert street.values("two")["voltage"] == 229.1
        assert street.values("two")["energy_import"] == 17.5


async def test_a_meter_that_lacks_registers_says_which() -> None:
    async with FakeGateway(bytes([0x84, 2])) as gateway, Street() as street:
        await street.run(EASTRON, template=load("sdm630"), grid=options(gateway.port))
        await until(lambda: street.offline)
        assert "input registers 0x0000 to 0x004f: illegal address: it has no such registers" in str(street.offline[0])


async def test_gone_is_said_once_and_back_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    meters = await FakeMeters({1: SDM630}).start()
    async with Street() as street:
        await street.run(EASTRON, template=load("sdm630"), grid=options(meters.port))
        await until(lambda: street.values("grid"))
        await meters.stop()
        await until(lambda: street.offline)
        (_, task) = next(iter(street.hub.runners))
        await until(lambda: task._wait_s >= 4)
        before = len(street.store.rows)
        await meters.start()
        await until(lambda: len(street.store.rows) > before)
        assert len(street.offline) == 1
        said = [r for r in caplog.records if not r.name.startswith("pymodbus")]
        assert [(r.levelname, r.name) for r in said] == [("WARNING", "ohmstead.core.supervise"), ("INFO", "ohmstead.core.supervise")]
    await meters.stop()
