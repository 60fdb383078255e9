"""Shelly plugs, relays and meters of the second generation and later, over their local HTTP API.

Source: shelly-api-docs.shelly.cloud/gen2. What such a device measures is in its status under component names such as
"switch:0". A device with one channel is one device here; one with several is a gateway to `<id>_0`, `<id>_1` …,
numbered as in Shelly's own app.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import Unsupported
from ohmstead.core.model import Command, DeviceInfo, Reading
from ohmstead.core.plugin import Integration, Item, hookimpl
from ohmstead.plugins.protocols import Context

SCHEMA = {
    vol.Required("host", description="address of the Shelly on your network"): validate.host,
    vol.Optional("port", default=80, description="its TCP port"): validate.port,
    vol.Optional("password", description="its password, if it has one"): validate.text,
    vol.Optional("every", default=5, description="seconds between two readings"): validate.seconds,
}
SERVICES = ("_shelly._tcp.local.", "_http._tcp.local.")
USER = "admin"  # the only one these devices know

# Key in the status of a switch, pm1 or em1, quantity, and what the value is multiplied by.
CHANNEL = (("voltage", "voltage", 1), ("current", "current", 1), ("freq", "frequency", 1), ("pf", "power_factor", 100),
           ("apower", "power", 1), ("act_power", "power", 1), ("aprt_power", "apparent_power", 1))  # fmt: skip
PHASES = (("a", "l1"), ("b", "l2"), ("c", "l3"))
CHANNELS = ("switch", "pm1", "em1")


class Shelly:
    """One device: its stream and its commands."""

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        self._context = context
        self._every_s: float = options["every"]
        self._address = f"http://{_bracketed(options['host'])}:{options['port']}"
        self._switches: dict[str, int] = {}  # device -> number of its switch
        if "password" in options:
            context.http.sign_in(USER, options["password"])

    async def readings(self) -> AsyncIterator[Item]:
        """Who it is, then its status again and again."""
        device, names = self._context.device, None
        about = await self._get("/shelly")
        if about.get("gen", 1) < 2:
            raise Unsupported(f"{self._address} is a Shelly of the first generation")
        async for at in self._context.poll(self._every_s):
            status = await self._get("/rpc/Shelly.GetStatus")
            if names is None:
                names = _devices(device, status)
                self._switches = {names[c] or device: int(c.split(":")[1]) for c in names if c.startswith("switch:")}
                for info in _infos(about, device, names):
                    yield info
            for reading in readings(status, names, at):
                yield reading

    async def _get(self, path: str) -> dict[str, Any]:
        answer = await self._context.http.get_json(self._address + path)
        if not isinstance(answer, dict):
            raise Unsupported(f"{self._address} does not answer as a Shelly does")
        return answer

    async def command(self, command: Command) -> None:
        """Switch a channel on or off; the next status, asked for at once, tells what became of it."""
        if command.device not in self._switches:
            raise Unsupported(f"{command.device} has nothing to switch")
        switch = {"id": self._switches[command.device], "on": command.value == "on"}
        await self._context.http.post_json(f"{self._address}/rpc/Switch.Set", switch)
        self._context.poll_now()


def readings(status: Mapping[str, Any], names: Mapping[str, str | None], at: datetime | None = None) -> Iterator[Reading]:
    """The readings in one answer of Shelly.GetStatus; `names` gives the device of a channel, None for the one itself."""
    for component, values in status.items():
        kind, _, number = component.partition(":")
        if not isinstance(values, Mapping):
            continue
        if kind in CHANNELS:
            readings_of = _channel(values)
        elif kind == "em1data":
            component, readings_of = f"em1:{number}", _energy(values, "")
        elif kind == "em":
            readings_of = _three_phases(values)
        elif kind == "emdata":
            readings_of = _three_phase_energy(values)
        else:
            continue
        for quantity, value in readings_of:
            yield Reading(quantity, value, at, names.get(component))


def _channel(values: Mapping[str, Any]) -> Iterator[tuple[str, float | str]]:
    if isinstance(values.get("output"), bool):
        yield "switch", "on" if values["output"] else "off"
    yield from _numbers(values, CHANNEL)
    yield from _numbers(values.get("temperature") or {}, (("tC", "temperature", 1),))
    taken, given = _total(values, "aenergy"), _total(values, "ret_aenergy")
    if taken is not None:
        # Energy given back is counted in aenergy as well as in ret_aenergy.
        yield "energy_import", _kwh(taken - (given or 0))
    if given is not None:
        yield "energy_export", _kwh(given)


def _total(values: Mapping[str, Any], counter: str) -> float | None:
    total = (values.get(counter) or {}).get("total")
    return None if total is None else float(total)


def _three_phases(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for letter, phase in PHASES:
        keys = ((f"{letter}_{key}", f"{quantity}_{phase}", factor) for key, quantity, factor in CHANNEL if quantity != "frequency")
        yield from _numbers(values, keys)
    yield from _numbers(values, (("a_freq", "frequency", 1), ("total_act_power", "power", 1), ("total_current", "current", 1),
                                 ("total_aprt_power", "apparent_power", 1)))  # fmt: skip


def _three_phase_energy(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for letter, phase in PHASES:
        yield from _energy(values, f"{letter}_", f"_{phase}")
    for key, quantity in (("total_act", "energy_import"), ("total_act_ret", "energy_export")):
        if values.get(key) is not None:
            yield quantity, _kwh(values[key])


def _energy(values: Mapping[str, Any], before: str, after: str = "") -> Iterator[tuple[str, float]]:
    for key, quantity in (("total_act_energy", "energy_import"), ("total_act_ret_energy", "energy_export")):
        if values.get(before + key) is not None:
            yield quantity + after, _kwh(values[before + key])


def _kwh(energy_wh: float) -> float:
    """Without what binary fractions add: the counter has three decimals of a Wh at most."""
    return round(energy_wh / 1000, 9)


def _numbers(values: Mapping[str, Any], keys: Any) -> Iterator[tuple[str, float]]:
    """What a failing sensor gives as null is left out."""
    for key, quantity, factor in keys:
        if values.get(key) is not None:
            yield quantity, float(values[key]) if factor == 1 else round(values[key] * factor, 6)


def _devices(device: str, status: Mapping[str, Any]) -> dict[str, str | None]:
    """The device that each channel in the status stands for; None where the Shelly itself is it."""
    channels = [component for component in status if component.partition(":")[0] in CHANNELS]
    if len(channels) < 2:
        return dict.fromkeys(channels)
    kinds = {component.partition(":")[0] for component in channels}
    if len(kinds) == 1:
        return {component: f"{device}_{component.partition(':')[2]}" for component in channels}
    return {component: f"{device}_{component.replace(':', '_')}" for component in channels}


def _infos(about: Mapping[str, Any], device: str, names: Mapping[str, str | None]) -> Iterator[DeviceInfo]:
    model, kind = about.get("model"), "switch" if any(channel.startswith("switch:") for channel in names) else "meter"
    yield DeviceInfo(
        name=about.get("name"), kind=kind, manufacturer="Shelly", model=model, firmware=about.get("ver"), serial=about.get("mac")
    )
    for child, channel in sorted((name, channel) for channel, name in names.items() if name is not None):
        kind = "switch" if channel.startswith("switch:") else "meter"
        yield DeviceInfo(child, kind=kind, manufacturer="Shelly", model=model, via=device)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def recognise(service: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The options of a Shelly that announces itself; the first generation says no `gen` and is not ours."""
    named = service["name"].lower().startswith("shelly")
    generation = service["properties"].get("gen", "")
    return {"host": service["host"]} if named and generation.isdecimal() and int(generation) >= 2 else None


@asynccontextmanager
async def connect(options: Mapping[str, Any], context: Context) -> AsyncIterator[Shelly]:
    """HTTP has no connection to hold: the link is the address."""
    yield Shelly(options, context)


@hookimpl
def ohmstead_integrations() -> Integration:
    return Integration(
        "shelly_gen2", SCHEMA, connect=connect, capabilities=frozenset({"switch"}), zeroconf=SERVICES, recognise=recognise,
        description="Shelly plugs, relays and meters (Gen2 and later), polled over HTTP",
    )  # fmt: skip
