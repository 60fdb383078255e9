"""Safety limits, which no command may break, whoever gives it: the house's fuse, the reserve of a battery.

They stand between the house and its devices; they switch nothing off by themselves, which is for automations to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import Clock
from ohmstead.core.errors import Conflict
from ohmstead.core.model import Command, State
from ohmstead.plugins.devices.registry import Devices

GRANTED_S = 15.0  # so long a load that was let on counts beside what the meter says: it may not have started yet
CURRENTS = ("current_l1", "current_l2", "current_l3")

_amount = validate.between(0, 10e6)
LIMIT = {
    vol.Optional("meter", description="of a fuse: the device that measures what flows through it"): validate.slug,
    vol.Optional("fuse_a", description="of a fuse: the most current, in A, of each phase"): _amount,
    vol.Optional("fuse_w", description="of a fuse: the most power taken, in W"): _amount,
    vol.Optional("battery", description="of a reserve: the battery, whose soc is looked at"): validate.slug,
    vol.Optional("reserve", description="of a reserve: % below which it is not to be discharged"): validate.between(0, 100, "%"),
    vol.Optional("loads", default={}, description="of a fuse: devices and the most they take, in A or W as the fuse; of a reserve: devices "
                 "that are not switched on, each with true"): {validate.slug: vol.Any(bool, _amount)},
}  # fmt: skip


def limit(value: Any) -> dict[str, Any]:
    """A fuse or a reserve, whole."""
    options: dict[str, Any] = vol.Schema(LIMIT)(value)
    fuse, reserve = {"meter", "fuse_a", "fuse_w"} & options.keys(), {"battery", "reserve"} & options.keys()
    if bool(fuse) == bool(reserve) or not (len(reserve) == 2 or (len(fuse) == 2 and "meter" in fuse)):
        raise vol.Invalid("expected a fuse (meter, and fuse_a or fuse_w) or a reserve (battery and reserve)")
    for device, load in options["loads"].items():
        if isinstance(load, bool) and (fuse or not load):
            right = "the most it takes, in A or W as the fuse" if fuse else "true, or nothing of it"
            raise vol.Invalid(f"expected {right}", path=["loads", device])
    return options


class Limit(msgspec.Struct):
    """One of them. `granted` are loads that were let on lately: device, amount, until when (monotonic)."""

    id: str
    options: Mapping[str, Any]
    granted: dict[str, tuple[float, float]]


class Limits:
    """The guard of all commands. `look(device.quantity)` is the state to go by, `silent(device)` whether nothing is heard of one."""

    def __init__(self, clock: Clock, look: Callable[[str], State | None], silent: Callable[[str], bool]) -> None:
        self._clock, self._look, self._silent = clock, look, silent
        self._limits: list[Limit] = []

    async def apply(self, given: Mapping[str, Mapping[str, Any]]) -> None:
        """Put the `limits:` section in force."""
        self.take(given)

    def take(self, given: Mapping[str, Mapping[str, Any]]) -> None:
        """Guard these, and no others."""
        self._limits = [Limit(id_, options, {}) for id_, options in given.items()]

    @property
    def given(self) -> dict[str, Mapping[str, Any]]:
        """What is in force, by id."""
        return {each.id: each.options for each in self._limits}

    def __call__(self, command: Command) -> None:
        """Conflict, with the reason, when a command would break a limit. Less is always allowed."""
        for each in self._limits:
            if "meter" in each.options:
                self._fuse(each, command)
            else:
                self._reserve(each, command)

    def _fuse(self, limit_: Limit, command: Command) -> None:
        more = self._more(limit_, command)
        if more is None:
            return
        options, now = limit_.options, self._clock.monotonic()
        most, unit = (options["fuse_a"], "A") if "fuse_a" in options else (options["fuse_w"], "W")
        flows = self._flows(options)
        if flows is None:
            raise Conflict(f"limit {limit_.id}: {options['meter']} is silent, so nobody knows whether {command.device} may be switched on")
        pending = sum(amount for device, (amount, until) in limit_.granted.items() if until > now and device != command.device)
        if flows + pending + more > most:
            flow = f"{flows + pending:g} {unit} flow, {command.device} takes {more:g} more"
            raise Conflict(f"limit {limit_.id}: {flow}, and {most:g} are allowed")
        limit_.granted[command.device] = more, now + GRANTED_S

    def _more(self, limit_: Limit, command: Command) -> float | None:
        """How much more a command makes flow; None when it is no load of this limit, or takes no more than now."""
        load = limit_.options["loads"].get(command.device)
        if load is None:
            return None
        if command.capability == "switch":
            state = self._look(f"{command.device}.switch")
            return None if command.value == "off" or (state is not None and state.value == "on") else float(load)
        unit = "current" if "fuse_a" in limit_.options else "power"
        if isinstance(command.value, str) or not str(command.quantity).startswith(unit):
            return None
        takes = self._look(f"{command.device}.{unit}")
        more = command.value - (0.0 if takes is None or isinstance(takes.value, str) else takes.value)
        return more if more > 0 else None

    def _flows(self, options: Mapping[str, Any]) -> float | None:
        meter = options["meter"]
        if self._silent(meter):
            return None
        names = (*CURRENTS, "current") if "fuse_a" in options else ("power",)
        states = [state for name in names if (state := self._look(f"{meter}.{name}")) is not None and not state.restored]
        values = [state.value for state in states if not isinstance(state.value, str)]
        return max(values, default=None)

    def _reserve(self, limit_: Limit, command: Command) -> None:
        battery, reserve = limit_.options["battery"], limit_.options["reserve"]
        discharges = command.device == battery and command.quantity == "power" and not isinstance(command.value, str) and command.value > 0
        load = command.device in limit_.options["loads"] and command.value != "off" and command.value != 0
        if not discharges and not load:
            return
        state = self._look(f"{battery}.soc")
        if state is None or isinstance(state.value, str) or state.value <= reserve:
            there = "nobody knows" if state is None else f"{state.value} %"
            raise Conflict(f"limit {limit_.id}: the charge of {battery} is {there}, and {reserve:g} % are its reserve")


def problems(sections: Mapping[str, Any], devices: Devices) -> Iterator[tuple[tuple[str, ...], str]]:
    """Devices of the `limits:` section that nobody knows."""
    known = {entry.device.id for entry in devices if entry.device.origin != "yaml"}
    known |= {*sections["devices"], *sections["integrations"]}
    for id_, options in sections["limits"].items():
        named = [(key, options[key]) for key in ("meter", "battery") if key in options]
        for key, device in [*named, *(("loads", each) for each in options["loads"])]:
            if device not in known and (not sections["registry"]["auto"] or validate.did_you_mean(device, known)):
                yield (id_, key), f"there is no device {device!r}.{validate.did_you_mean(device, known)}"


def addresses(given: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The series that limits look at."""
    for options in given.values():
        if "meter" in options:
            unit = "current" if "fuse_a" in options else "power"
            names = (*CURRENTS, unit) if "fuse_a" in options else (unit,)
            yield from (f"{options['meter']}.{name}" for name in names)
            yield from (f"{load}.{name}" for load in options["loads"] for name in ("switch", unit))
        else:
            yield f"{options['battery']}.soc"
