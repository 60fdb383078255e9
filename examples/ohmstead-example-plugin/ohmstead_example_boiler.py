"""Example boiler: power, energy, water temperature and scale over its local HTTP API; its heating is switched."""

from contextlib import asynccontextmanager

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.model import DeviceInfo, Reading
from ohmstead.core.plugin import Integration, hookimpl
from ohmstead.core.quantity import Kind, Quantity

SCHEMA = {
    vol.Required("host", description="address of the boiler on your network"): validate.host,
    vol.Optional("port", default=80, description="its TCP port"): validate.port,
    vol.Optional("password", description="its password, if it has one"): validate.text,
    vol.Optional("every", default=10, description="seconds between two readings"): validate.seconds,
}


class Boiler:
    """The link: what the stream and the commands share."""

    def __init__(self, options, context):
        self.context = context
        self.every = options["every"]
        self.url = f"http://{options['host']}:{options['port']}"
        if "password" in options:
            context.http.sign_in("owner", options["password"])

    async def readings(self):
        sensor = f"{self.context.device}_water"
        announced = False
        async for status in self.context.poll_json(f"{self.url}/status", self.every):
            if not announced:
                announced = True
                yield DeviceInfo(manufacturer="Example", model=status["model"], kind="boiler")
                yield DeviceInfo(sensor, kind="sensor", via=self.context.device)
            yield Reading("switch", "on" if status["heating"] else "off")
            yield Reading("power", status["power"])
            yield Reading("energy_import", status["energy"] / 1000)  # the boiler counts Wh
            yield Reading("scale", status["scale"])
            yield Reading("temperature", (status["water"] - 32) / 1.8, device=sensor)  # and measures in °F

    async def command(self, command):
        await self.context.http.post_json(f"{self.url}/heating", {"on": command.value == "on"})
        self.context.poll_now()  # its next report tells whether it did


@asynccontextmanager
async def connect(options, context):
    yield Boiler(options, context)


@hookimpl
def ohmstead_integrations():
    return Integration(
        "example_boiler", SCHEMA, connect=connect, capabilities=frozenset({"switch"}), description="Example boiler, over HTTP"
    )


@hookimpl
def ohmstead_quantities():
    return [Quantity("scale", "%", Kind.GAUGE, "scale on the heating element", 0, 100)]
