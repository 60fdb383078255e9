"""The trial of an integration: what a plugin's own tests lean on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import PluginError, Unsupported
from ohmstead.core.model import DeviceInfo, Reading
from ohmstead.core.plugin import Integration
from ohmstead.integrations import shelly_gen2
from ohmstead.plugins.protocols.trial import answering, first
from tests.fakes.shelly import PLUG

SCHEMA = {vol.Required("port", description="where"): validate.port, vol.Optional("every", default=1, description="how often"): validate.seconds}


async def readings(options: Any, context: Any) -> AsyncIterator[Reading]:
    for path in ("power", "nothing"):
        yield Reading("power", await context.http.get_json(f"http://127.0.0.1:{options['port']}/{path}"))


async def one(options: Any, context: Any) -> AsyncIterator[Reading]:
    assert options["every"] == 1, "the schema's defaults are filled in"
    yield Reading("power", 1)


async def test_the_first_readings_and_errors_as_they_are() -> None:
    integration = Integration("paper", SCHEMA, readings)
    async with answering({"/power": 5}) as port:
        assert await first(integration, {"port": port}, 1) == [Reading("power", 5)]
        with pytest.raises(Unsupported, match="404"):
            await first(integration, {"port": port}, 2)
    with pytest.raises(vol.MultipleInvalid):
        await first(integration, {"prot": 5}, 1)


async def test_one_that_ends_early_says_what_came() -> None:
    with pytest.raises(PluginError, match=r"integration short ended after 1 of 2"):
        await first(Integration("short", SCHEMA, one), {"port": 1}, 2)


async def test_one_with_a_connection() -> None:
    async with answering({"/shelly": {"gen": 2, "model": "S"}, "/rpc/Shelly.GetStatus": PLUG}) as port:
        taken = await first(shelly_gen2.ohmstead_integrations(), {"host": "127.0.0.1", "port": port}, 2)
    assert isinstance(taken[0], DeviceInfo)
    assert isinstance(taken[1], Reading)
