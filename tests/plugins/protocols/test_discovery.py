"""Discovery, by real announcements on the loopback interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from zeroconf import ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Unavailable
from ohmstead.core.plugin import Integration
from ohmstead.integrations import shelly_gen2
from ohmstead.plugins.protocols import Protocols
from ohmstead.plugins.protocols.discovery import Found

LOOPBACK = ["127.0.0.1"]


def service(name: str, service_type: str, port: int = 80, **properties: str) -> ServiceInfo:
    return ServiceInfo(
        service_type, f"{name}.{service_type}", port, addresses=[b"\x7f\x00\x00\x01"], properties=properties, server=f"{name}.local."
    )


def recognise(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return {"host": found["host"], "port": found["port"]} if found["properties"].get("ours") == "yes" else None


async def test_what_announces_itself_becomes_ready_options() -> None:
    ours = Integration("toaster", {}, zeroconf=("_toaster._tcp.local.",), recognise=recognise)
    blind = Integration("blind", {}, zeroconf=("_toaster._tcp.local.",))
    network = AsyncZeroconf(interfaces=LOOPBACK)
    shelly = service("shellyplugsg3-aabbccddeeff", "_shelly._tcp.local.", gen="3", app="PlugSG3", ver="1.4.4")
    old = service("shelly1-112233", "_http._tcp.local.", id="shelly1-112233")
    announced = [shelly, old, service("kitchen", "_toaster._tcp.local.", 8080, ours="yes"), service("other", "_toaster._tcp.local.", ours="no")]
    try:
        for info in announced:
            await (await network.async_register_service(info))
        async with Protocols(Clock(), interfaces=LOOPBACK) as protocols:
            found = await protocols.discovery.scan([ours, blind, shelly_gen2.ohmstead_integrations()], seconds=1.0)
            again = await protocols.discovery.scan([ours], seconds=0.3)
    finally:
        await network.async_close()
    assert found == [
        Found("shelly_gen2", "shellyplugsg3-aabbccddeeff", "127.0.0.1", 80, {"host": "127.0.0.1"}),
        Found("toaster", "kitchen", "127.0.0.1", 8080, {"host": "127.0.0.1", "port": 8080}),
    ]
    assert [match.name for match in again] == ["kitchen"]


async def test_without_anything_to_find_nothing_is_opened() -> None:
    async with Protocols(Clock()) as protocols:
        assert await protocols.discovery.scan([Integration("dsmr", {})]) == []


@pytest.mark.parametrize(
    ("name", "properties", "options"),
    [
        ("shellyplugsg3-aabbccddeeff", {"gen": "3"}, {"host": "10.0.0.7"}),
        ("ShellyPro3EM-aabb", {"gen": "2"}, {"host": "10.0.0.7"}),
        ("shelly1-112233", {"id": "shelly1-112233"}, None),
        ("printer", {"gen": "2"}, None),
    ],
)
def test_what_is_a_shelly(name: str, properties: dict[str, str], options: object) -> None:
    assert shelly_gen2.recognise({"name": name, "host": "10.0.0.7", "properties": properties}) == options


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # zeroconf leaves a socket to the collector then
async def test_a_machine_without_that_network_says_so() -> None:
    async with Protocols(Clock(), interfaces=["192.0.2.1"]) as protocols:
        with pytest.raises(Unavailable, match="cannot listen for announcements"):
            await protocols.discovery.scan([shelly_gen2.ohmstead_integrations()], seconds=0.1)
