"""Triggers on what happens: events of the house, devices that come and go, messages, and calls from outside."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.events import DeviceStatusChanged, Event
from ohmstead.core.model import DeviceStatus
from ohmstead.core.plugin import RuleKind
from ohmstead.plugins.protocols.mqtt.filters import problem
from ohmstead.plugins.rules.automations.build import Arm, Build, Disarm
from ohmstead.plugins.rules.automations.kinds import TRIGGER
from ohmstead.plugins.rules.automations.post import Post
from ohmstead.plugins.rules.automations.state_triggers import FOR
from ohmstead.plugins.rules.compare import Comparison
from ohmstead.plugins.rules.gate import Turn

TOO_MANY = ("StateChanged", "StateReported", "ReadingsStored")  # what state triggers are for
PAYLOAD_MOST = 4_000  # characters of a message that a run is shown
SECRET = 22  # characters of base64 that have 128 bits
_SECRET = re.compile(rf"[A-Za-z0-9_-]{{{SECRET},200}}")
STATUSES = tuple(status.value for status in DeviceStatus)


def event_names() -> dict[str, type[Event]]:
    """The events that can set something off, by name: those that are published, and not what they have in common."""
    found, rest = dict[str, type[Event]](), [Event]
    while rest:
        below = rest.pop().__subclasses__()
        rest += below
        found |= {each.__name__: each for each in below if not each.__subclasses__() and each.__name__ not in TOO_MANY}
    return dict(sorted(found.items()))


def event(value: Any) -> str:
    """The name of an event."""
    known = event_names()
    if value not in known:
        hint = validate.did_you_mean(str(value), known) or f" There are {', '.join(known)}"
        raise vol.Invalid(f"there is no event {str(value)[:64]!r}.{hint}")
    return str(value)


def topic(value: Any) -> str:
    """A topic, or a filter with + and #."""
    wrong = problem(value) if isinstance(value, str) else "expected an MQTT topic such as garage/door"
    if wrong is not None:
        raise vol.Invalid(wrong)
    return str(value)


def secret(value: Any) -> str:
    """An id of 128 bits that nobody guesses."""
    if isinstance(value, str) and _SECRET.fullmatch(value) and len(set(value)) >= 8:
        return value
    raise vol.Invalid(f"expected a secret id of 128 bits: at least {SECRET} letters and digits, such as {secrets.token_urlsafe(16)}, "
                      "which was made just now")  # fmt: skip


def fields(value: Any) -> dict[str, Any]:
    """Fields of an event and their values."""
    if isinstance(value, dict) and all(isinstance(key, str) and isinstance(each, str | int | float) for key, each in value.items()):
        return value
    raise vol.Invalid("expected fields with their values, such as {device: heatpump}")


EVENT: dict[Any, Any] = {
    vol.Required("event", description="name of an event of the house, such as NotificationFailed or ConfigReloaded"): event,
    vol.Optional("where", default=dict, description="fields of it and their values"): fields,
}
DEVICE: dict[Any, Any] = {
    vol.Required("device", description="id of the device"): validate.slug,
    vol.Required("status", description=", ".join(STATUSES)): validate.one_of(*STATUSES),
    **FOR,
}
MQTT = {
    vol.Required("mqtt", description="topic, or filter with + and #; retained messages do not count"): topic,
    vol.Optional("payload", description="only when the message is exactly this"): validate.text,
}
WEBHOOK = {vol.Required("webhook", description="the secret end of its address, of 128 bits: POST /api/v1/webhooks/<id>"): secret}


def kinds() -> Iterator[RuleKind]:
    """What this module adds."""
    yield RuleKind(TRIGGER, "event", EVENT, _event, "something happens in the house")
    yield RuleKind(TRIGGER, "device", DEVICE, _device, "a device comes, goes or fails")
    yield RuleKind(TRIGGER, "mqtt", MQTT, _mqtt, "a message arrives")
    yield RuleKind(TRIGGER, "webhook", WEBHOOK, _webhook, "somebody calls its address")


def _event(options: Mapping[str, Any], build: Build) -> Arm:
    name, where = options["event"], options["where"]
    class_ = event_names()[name]
    for field in where:
        if field not in class_.__struct_fields__:
            build.wrong(f"{name} has no {field!r}.{validate.did_you_mean(field, class_.__struct_fields__)}", "where", field)

    def arm(post: Post) -> Disarm:
        def told(event_: Event) -> None:
            if all(str(getattr(event_, field)) == str(value) for field, value in where.items()):
                post.fire({"event": name, **msgspec.to_builtins(event_)}, getattr(event_, "who", None))

        return post.world.bus.subscribe(class_, told)

    return arm


def _device(options: Mapping[str, Any], build: Build) -> Arm:
    device, status, for_ms = options["device"], options["status"], round(options["for"] * 1000)
    build.device(device, "device")

    def arm(post: Post) -> Disarm:
        def facts(turn: Turn) -> Mapping[str, Any]:
            return {"device": device, "status": status, "at_ms": turn.at_ms}

        gate = post.gate(Comparison("equals", status), for_ms, facts)

        def told(event_: DeviceStatusChanged) -> None:
            if event_.device == device:
                gate.look(event_.new.value, event_.at_ms)

        end = post.world.bus.subscribe(DeviceStatusChanged, told)

        def disarm() -> None:
            end()
            post.world.watches.drop(gate)

        return disarm

    return arm


def _mqtt(options: Mapping[str, Any], build: Build) -> Arm:
    filter_, wanted = options["mqtt"], options.get("payload")

    def arm(post: Post) -> Disarm:
        def told(topic_: str, payload: bytes) -> None:
            text = payload[: 4 * PAYLOAD_MOST].decode("utf-8", "replace")[:PAYLOAD_MOST]
            if wanted is None or text == wanted:
                post.fire({"topic": topic_, "payload": text}, f"mqtt {topic_}")

        return post.world.subscribe(filter_, told)

    return arm


def _webhook(options: Mapping[str, Any], build: Build) -> Arm:
    secret_ = options["webhook"]
    return lambda post: post.world.webhooks.add(secret_, lambda facts: post.fire(facts, f"webhook {secret_}"))
