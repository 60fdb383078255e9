"""Eastron SDM energy meters over Modbus TCP. Which registers a model has is data: templates/<model>.yaml."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.model import DeviceInfo
from ohmstead.core.plugin import Integration, Item, hookimpl
from ohmstead.plugins.protocols import Context
from ohmstead.plugins.protocols.registers import template

SCHEMA = {
    vol.Required("host", description="address of the meter or of the Modbus gateway it is behind"): validate.host,
    vol.Optional("port", default=502, description="TCP port"): validate.port,
    vol.Optional("unit", default=1, description="the meter's own address on the bus"): validate.integer(1, 247),
    vol.Required("model", description="which Eastron it is"): validate.one_of("sdm72", "sdm72v2", "sdm120", "sdm230", "sdm630"),
    vol.Optional("every", default=10, description="seconds between two readings"): validate.seconds,
}


async def readings(options: Mapping[str, Any], context: Context) -> AsyncIterator[Item]:
    """All registers of the model's template, in few requests, again and again."""
    meter = template(options["template"], context.quantities)
    told = False
    async with context.modbus(options["host"], options["port"]) as bus:
        async for at in context.poll(options["every"]):
            memory: dict[int, int] = {}
            for address, count in meter.requests():
                memory.update(enumerate(await bus.read(options["unit"], meter.function, address, count), address))
            if not told:
                told = True
                yield DeviceInfo(kind=meter.kind, manufacturer=meter.manufacturer, model=meter.model)
            for reading in meter.readings(memory, context.quantities, at):
                yield reading


@hookimpl
def ohmstead_integrations() -> Integration:
    return Integration(
        "eastron", SCHEMA, readings, templates=Path(__file__).parent / "templates",
        description="Eastron SDM energy meters over Modbus TCP",
    )  # fmt: skip
