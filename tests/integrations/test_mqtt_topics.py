"""The generic MQTT integration: options, messages of many makes, and the stream under a real runner and broker."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import Clock
from ohmstead.core.errors import ConfigError
from ohmstead.core.model import DeviceStatus, Reading
from ohmstead.core.quantity import Quantities
from ohmstead.core.runner import Entry
from ohmstead.integrations import mqtt_topics
from ohmstead.integrations.mqtt_topics import SCHEMA, parts
from ohmstead.plugins.protocols.context import Protocols
from ohmstead.plugins.protocols.mqtt import Message, Mqtt, Options
from tests.fakes.house import small_house, until
from tests.fakes.mosquitto import mosquitto

TASMOTA = b'{"Time":"2026-11-20T11:26:00","ENERGY":{"Total":12.5,"Power":42,"Phases":[{"W":7}]},"Text":"9"}'


def read(quantity: str, options: Any, payload: bytes, retain: bool = False) -> list[Reading]:
    checked = validate.options(SCHEMA, {"topics": {quantity: options}})
    (part,) = parts(checked["topics"], Quantities())
    return list(part.read(Message(part.topic, payload, 1, retain)))


@pytest.mark.parametrize(
    ("quantity", "options", "payload", "value"),
    [
        ("power", "t", b" 230.5\n", 230.5),
        ("power", {"topic": "t", "unit": "kW"}, b"1.25", 1250.0),
        ("energy_import", {"topic": "t", "factor": 0.001}, b"1234", 1.234),
        ("power", {"topic": "t", "path": "ENERGY.Power"}, TASMOTA, 42.0),
        ("power", {"topic": "t", "path": "ENERGY.Phases[0].W", "factor": -1}, TASMOTA, -7.0),
        ("temperature", {"topic": "t", "unit": "°F"}, b"212", pytest.approx(100)),
        ("switch", "t", b"ON", "on"),
        ("power", "t", b"lots", "lots"),  # ingest refuses it as a number and keeps it
        ("power", "t", b"nan", "nan"),
        ("power", "t", b"1e999", "1e999"),
        ("power", {"topic": "t", "path": "a"}, b"not json", "not json"),
        ("power", {"topic": "t", "path": "a"}, b"[" * 50_000, "[" * 1000),
        ("power", {"topic": "t", "path": "Text"}, TASMOTA, "9"),
        ("power", {"topic": "t", "path": "a"}, b'{"a": true}', "True"),
    ],
)
def test_a_value_is_found(quantity: str, options: Any, payload: bytes, value: Any) -> None:
    assert read(quantity, options, payload) == [Reading(quantity, value)]


@pytest.mark.parametrize("path", ["ENERGY.Voltage", "ENERGY.Power.x", "ENERGY[0]", "ENERGY.Phases[3].W", "Text[0]"])
def test_a_message_without_that_part_says_nothing(path: str) -> None:
    assert read("power", {"topic": "t", "path": path}, TASMOTA) == []


def test_what_was_retained_is_stale() -> None:
    assert read("power", "t", b"5", retain=True) == [Reading("power", 5.0, stale=True)]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"topics": {"power": "a/#/b"}},
        {"topics": {"power": {"path": "x"}}},
        {"topics": {"power": {"topic": "t", "path": "a..b"}}},
        {"topics": {"power": {"topic": "t", "factor": "x"}}},
        {"topics": {"power": {"topic": "t", "facto": 2}}},
        {"topics": {"power": "t"}, "availability": {"online": "1"}},
    ],
)
def test_options_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(vol.Invalid):
        validate.options(SCHEMA, options)


def test_an_unknown_quantity_and_a_unit_that_does_not_fit_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        parts({"powr": "t", "voltage": {"topic": "t", "unit": "kWh"}}, Quantities())
    assert caught.value.problems == (
        'topics → powr: unknown quantity. Did you mean "power"?',
        "topics → voltage → unit: kWh cannot be turned into V",
    )


async def test_a_device_lives_on_its_own_topics(tmp_path: Path) -> None:
    async with mosquitto(tmp_path / "broker") as broker:
        hub, store, registry = small_house(tmp_path, Clock())  # type: ignore[arg-type]
        mqtt = Mqtt(tmp_path, Clock())
        protocols = Protocols(Clock(), mqtt)
        hub.connect(store, registry, protocols.context)
        await mqtt.apply(Options("127.0.0.1", broker.port))
        await until(lambda: mqtt.connected)
        options = validate.options(
            SCHEMA,
            {"topics": {"power": {"topic": "tele/+/SENSOR", "path": "P"}, "switch": "stat/plug"}, "availability": "tele/plug/LWT"},
        )
        await broker.publish("stat/plug", "ON", 1, retain=True)
        await hub.runners.apply({"plug": Entry("plug", mqtt_topics.ohmstead_integrations(), options)})
        await until(lambda: [s.value for s in hub.states] == ["on"])
        assert store.rows == []
        store.held = []
        await broker.publish("tele/plug/SENSOR", '{"P": 5}')
        await until(lambda: mqtt.unacknowledged == 1)
        await asyncio.sleep(0.05)
        assert mqtt.unacknowledged == 1  # not before the commit
        store.release()
        await until(lambda: mqtt.unacknowledged == 0)
        assert [(row.series.address, row.value) for row in store.rows] == [("plug.power", 5.0)]
        await broker.publish("tele/plug/SENSOR", "rubbish")
        await until(lambda: store.letters)
        assert store.letters[0].reason == "power must be a number, not 'rubbish'"
        for word in ("Offline", "offline", "online"):
            await broker.publish("tele/plug/LWT", word)
        await until(lambda: len(registry.statuses) == 2)
        assert [s.status for s, _ in registry.statuses] == [DeviceStatus.OFFLINE, DeviceStatus.ONLINE]
        await hub.runners.apply({})
        await mqtt.stop()
        await protocols.close()
