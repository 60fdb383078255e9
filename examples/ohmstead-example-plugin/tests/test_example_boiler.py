"""Runs the integration against a server on this machine that answers what the boiler would."""

import asyncio

import ohmstead_example_boiler

from ohmstead.core.model import DeviceInfo, Reading
from ohmstead.plugins.protocols.trial import answering, first

STATUS = {"model": "B1", "heating": True, "power": 2000, "energy": 12054, "water": 140, "scale": 3}


def test_what_the_boiler_says_becomes_readings():
    async def run():
        async with answering({"/status": STATUS}) as port:
            integration = ohmstead_example_boiler.ohmstead_integrations()
            return await first(integration, {"host": "127.0.0.1", "port": port}, count=7)

    assert asyncio.run(run()) == [
        DeviceInfo(manufacturer="Example", model="B1", kind="boiler"),
        DeviceInfo("trial_water", kind="sensor", via="trial"),
        Reading("switch", "on"),
        Reading("power", 2000),
        Reading("energy_import", 12.054),
        Reading("scale", 3),
        Reading("temperature", 60, device="trial_water"),
    ]


def test_the_quantity_it_brings():
    (scale,) = ohmstead_example_boiler.ohmstead_quantities()
    assert (scale.name, scale.unit) == ("scale", "%")
