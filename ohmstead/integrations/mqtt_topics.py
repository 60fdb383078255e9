"""Any device that speaks MQTT in its own way: which topic, and which part of its message, is which quantity."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import ConfigError, Unsupported
from ohmstead.core.model import DeviceStatus, Reading, Status
from ohmstead.core.plugin import Integration, Item, hookimpl
from ohmstead.core.quantity import Kind, Quantities, Quantity, convert
from ohmstead.plugins.protocols.context import Context
from ohmstead.plugins.protocols.mqtt import Message
from ohmstead.plugins.protocols.mqtt.filters import matches, problem

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
RAW_SHOWN = 1000  # characters of a message that cannot be read, kept with the refused reading
_JSON: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def topic(value: Any) -> str:
    """A topic, or a filter with + and #."""
    wrong = problem(value) if isinstance(value, str) else "expected a topic such as tele/plug1/SENSOR"
    if wrong is not None:
        raise vol.Invalid(wrong)
    return str(value)


def path(value: Any) -> str:
    """The way to a value inside a JSON message: ENERGY.Power, emeters[0].power."""
    if not isinstance(value, str) or not value or _STEP.sub("", value):
        raise vol.Invalid("expected a path such as ENERGY.Power or emeters[0].power")
    return value


PART = {
    vol.Required("topic", description="topic of the messages"): topic,
    vol.Optional("path", description="where the value stands in a JSON message; without it the whole message is the value"): path,
    vol.Optional("unit", description="unit the device uses; the quantity's own unless given"): validate.text,
    vol.Optional("factor", default=1.0, description="what to multiply the value with, before the unit"): validate.number,
}
AVAILABILITY = {
    vol.Required("topic", description="topic on which the device, or its last will, says whether it is there"): topic,
    vol.Optional("online", default="online", description="the message when it is"): validate.text,
    vol.Optional("offline", default="offline", description="the message when it is not"): validate.text,
}
SCHEMA = {
    vol.Required("topics", description="for each quantity its topic, or its topic, path, unit and factor"): {
        validate.slug: vol.Any(topic, PART),
    },
    vol.Optional("availability", description="topic on which the device says whether it is there"): vol.Any(topic, AVAILABILITY),
}


class Part(msgspec.Struct, frozen=True):
    """Where one quantity comes from."""

    quantity: Quantity
    topic: str
    steps: tuple[str | int, ...] = ()
    unit: str | None = None
    factor: float = 1.0

    def read(self, message: Message) -> Iterator[Reading]:
        """The reading in a message; none where the message has no such part.

        What cannot be read is given as it came, so that ingest refuses it and keeps it for a replay.
        """
        text = message.payload.decode(errors="replace").strip()
        value = self._value(text)
        if value is not None:
            yield Reading(self.quantity.name, value, stale=message.retain)

    def _value(self, text: str) -> float | str | None:
        if not self.steps:
            found: Any = text
        else:
            try:
                found = _walk(_JSON.decode(text), self.steps)
            except (msgspec.DecodeError, RecursionError):
                return text[:RAW_SHOWN]
        if self.quantity.kind is Kind.TEXT or found is None:
            return None if found is None else str(found).lower()
        return self._number(found)

    def _number(self, found: Any) -> float | str:
        if isinstance(found, bool) or (self.steps and not isinstance(found, int | float)):
            return str(found)[:RAW_SHOWN]
        try:
            value = float(found) * self.factor
        except (ValueError, OverflowError):
            return str(found)[:RAW_SHOWN]
        if not math.isfinite(value):
            return str(found)[:RAW_SHOWN]
        return value if self.unit is None else convert(value, self.unit, self.quantity.unit)


def _walk(found: Any, steps: tuple[str | int, ...]) -> Any:
    """The value at the end of a path, None where the path leads nowhere."""
    for step in steps:
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and isinstance(step, int) and step < len(found):
            found = found[step]
        else:
            return None
    return found


def parts(topics: Mapping[str, Any], quantities: Quantities) -> list[Part]:
    """What the options ask for; ConfigError names unknown quantities and units that do not fit."""
    found, problems = [], []
    for name, given in topics.items():
        quantity = quantities.get(name)
        if quantity is None:
            problems.append(f"topics → {name}: unknown quantity.{validate.did_you_mean(name, quantities)}")
            continue
        part: Mapping[str, Any] = {"topic": given} if isinstance(given, str) else given
        if "unit" in part:
            try:
                convert(0, part["unit"], quantity.unit)
            except Unsupported as error:
                problems.append(f"topics → {name} → unit: {error}")
        steps = tuple(int(index) if index else key for key, index in _STEP.findall(part.get("path", "")))
        found.append(Part(quantity, part["topic"], steps, part.get("unit"), part.get("factor", 1.0)))
    if problems:
        raise ConfigError(problems)
    return found


async def readings(options: Mapping[str, Any], context: Context) -> AsyncIterator[Item]:
    """What comes on the topics. A message is acknowledged once what was read from it is stored."""
    wanted = parts(options["topics"], context.quantities)
    given = options.get("availability")
    availability = AVAILABLE | ({"topic": given} if isinstance(given, str) else given) if given else None
    topics = {part.topic for part in wanted} | ({availability["topic"]} if availability else set())
    async for message in context.mqtt.messages(*sorted(topics)):
        if availability and matches(availability["topic"], message.topic):
            for status in _status(availability, message):
                yield status
        for part in wanted:
            if matches(part.topic, message.topic):
                for reading in part.read(message):
                    yield reading
        context.after_stored(message.ack)


AVAILABLE: dict[str, str] = {"online": "online", "offline": "offline"}


def _status(availability: Mapping[str, str], message: Message) -> Iterator[Status]:
    word = message.payload.decode(errors="replace").strip()
    if word == availability["online"]:
        yield Status(DeviceStatus.ONLINE)
    elif word == availability["offline"]:
        yield Status(DeviceStatus.OFFLINE, message=f"{message.topic} says so")


@hookimpl
def ohmstead_integrations() -> Integration:
    return Integration("mqtt", SCHEMA, readings, description="any device that speaks MQTT in its own way")
