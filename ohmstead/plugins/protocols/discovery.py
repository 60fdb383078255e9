"""Finds devices that announce themselves by zeroconf (mDNS, RFC 6762 and 6763) and turns them into ready options."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Unavailable
from ohmstead.core.plugin import Integration
from ohmstead.plugins.protocols.home import Home

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncZeroconf

ANSWER_S = 2.0  # how long one service may take to tell its address
MOST = 500  # services looked at in one scan


class Found(msgspec.Struct, frozen=True):
    """A device on the network: the integration that knows it and the options to configure it with."""

    integration: str
    name: str
    host: str
    port: int
    options: Mapping[str, Any]


class Discovery:
    """One zeroconf responder for the whole process, made at the first scan. `interfaces` are addresses; None: all."""

    def __init__(self, clock: Clock, home: Home, interfaces: Sequence[str] | None = None) -> None:
        self._clock, self._home, self._interfaces = clock, home, interfaces
        self._zeroconf: AsyncZeroconf | None = None

    async def scan(self, integrations: Iterable[Integration], seconds: float = 3.0) -> list[Found]:
        """What announces itself within `seconds` and one of `integrations` recognises, sorted by name; Unavailable without a network."""
        integrations = [i for i in integrations if i.zeroconf and i.recognise is not None]
        types = {service_type for integration in integrations for service_type in integration.zeroconf}
        if not types:
            return []
        services = await self._home.run(lambda: self._services(sorted(types), seconds))
        found = [match for service in services for i in integrations if (match := _recognised(i, service)) is not None]
        unique = {(f.integration, tuple(sorted(f.options.items()))): f for f in found}
        return sorted(unique.values(), key=lambda f: (f.integration, f.name))

    async def _services(self, types: list[str], seconds: float) -> list[Mapping[str, Any]]:
        from zeroconf import ServiceStateChange, Zeroconf
        from zeroconf.asyncio import AsyncServiceBrowser

        names: set[tuple[str, str]] = set()

        def noted(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
            if state_change is not ServiceStateChange.Removed and len(names) < MOST:
                names.add((service_type, name))

        responder = self._responder()
        browser = AsyncServiceBrowser(responder.zeroconf, types, handlers=[noted])
        try:
            await self._clock.sleep(seconds)
        finally:
            await browser.async_cancel()
        answers = await asyncio.gather(*(_ask(responder, *name) for name in sorted(names)))
        return [answer for answer in answers if answer is not None]

    def _responder(self) -> AsyncZeroconf:
        from zeroconf import InterfaceChoice
        from zeroconf.asyncio import AsyncZeroconf

        if self._zeroconf is None:
            chosen = InterfaceChoice.All if self._interfaces is None else list(self._interfaces)
            try:
                self._zeroconf = AsyncZeroconf(interfaces=chosen)
            except OSError as error:
                raise Unavailable(f"this machine cannot listen for announcements on its network: {error}") from error
        return self._zeroconf

    async def close(self) -> None:
        """Stop listening."""
        responder, self._zeroconf = self._zeroconf, None
        if responder is not None:
            await responder.async_close()


async def _ask(responder: AsyncZeroconf, service_type: str, name: str) -> Mapping[str, Any] | None:
    """A service as `recognise` gets it: type, name, host, port, server, properties; None when it does not answer."""
    from zeroconf import IPVersion
    from zeroconf.asyncio import AsyncServiceInfo

    info = AsyncServiceInfo(service_type, name)
    if not await info.async_request(responder.zeroconf, ANSWER_S * 1000):
        return None
    addresses = info.parsed_addresses(IPVersion.V4Only) or info.parsed_scoped_addresses(IPVersion.V6Only)
    if not addresses:
        return None
    return {
        "type": service_type, "name": name.removesuffix(f".{service_type}"), "host": addresses[0], "port": info.port or 0,
        "server": info.server or "", "properties": {key: value or "" for key, value in info.decoded_properties.items()},
    }  # fmt: skip


def _recognised(integration: Integration, service: Mapping[str, Any]) -> Found | None:
    if service["type"] not in integration.zeroconf or integration.recognise is None:
        return None
    options = integration.recognise(service)
    return None if options is None else Found(integration.type, service["name"], service["host"], service["port"], options)
