"""Actions that do something: command a device, tell people, set a value, publish, call, run another automation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import Invalid
from ohmstead.core.model import Command
from ohmstead.core.notice import KINDS as NOTICES
from ohmstead.core.notice import SEVERITIES, Notice
from ohmstead.core.plugin import RuleKind
from ohmstead.core.quantity import Kind
from ohmstead.plugins.rules.automations.build import Build, Op
from ohmstead.plugins.rules.automations.kinds import ACTION
from ohmstead.plugins.rules.automations.run import Run
from ohmstead.plugins.rules.automations.state_triggers import address, duration
from ohmstead.plugins.rules.compare import limit
from ohmstead.plugins.rules.templates import is_template

BODY_MOST = 64_000  # bytes that are published or sent


def text(value: Any) -> str:
    """A text, or a template of one."""
    if isinstance(value, str) and 0 < len(value) <= 4_000:
        return value
    raise vol.Invalid("expected a text of at most 4000 characters")


def on_or_off(value: Any) -> str:
    """on or off, or a template that says so."""
    if is_template(value):
        return str(value)
    return "on" if validate.boolean(value) else "off"


def number(value: Any) -> Any:
    """A number, or a template of one."""
    return value if is_template(value) else limit(value)


def number_or_text(value: Any) -> Any:
    """What a state can be."""
    return value if isinstance(value, str) else limit(value)


def headers(value: Any) -> dict[str, str]:
    """Names and values of HTTP headers."""
    if isinstance(value, dict) and all(isinstance(k, str) and isinstance(v, str) and (k + v).isprintable() for k, v in value.items()):
        return value
    raise vol.Invalid("expected names with texts, such as {Authorization: Bearer …}")


def plain(value: Any) -> Any:
    """Texts, numbers, lists and mappings, not too large."""
    try:
        if len(msgspec.json.encode(value)) <= BODY_MOST:
            return value
    except (TypeError, ValueError, RecursionError):
        pass
    raise vol.Invalid(f"expected plain texts, numbers, lists and mappings, of at most {BODY_MOST} bytes")


COMMAND = {
    vol.Required("device", description="id of the device"): validate.slug,
    vol.Optional("switch", description="on, or off"): on_or_off,
    vol.Optional("set", description="quantity and value, in the quantity's unit: {power_limit: 4000}"): {validate.slug: number_or_text},
    vol.Optional("hold", description="for how long nothing of lower priority may command this; until the run ends unless stated"): duration,
}
NOTIFY = {
    vol.Required("title", description="what it is about, in a line"): text,
    vol.Optional("message", default="", description="more of it"): vol.Any("", text),
    vol.Optional("to", default=[], description="people, roles or addresses; the owner unless stated"): validate.list_of(validate.text),
    vol.Optional("kind", default="alert", description=", ".join(NOTICES)): validate.one_of(*NOTICES),
    vol.Optional("severity", default="low", description=", ".join(SEVERITIES)): validate.one_of(*SEVERITIES),
}
SET = {
    vol.Required("state", description="device.quantity of a virtual device: one that no integration runs"): address,
    vol.Required("value", description="a number or a text"): number_or_text,
}
MQTT = {
    vol.Required("topic", description="where to publish"): text,
    vol.Optional("payload", default="", description="a text, or a mapping that becomes JSON"): vol.Any(dict, list, "", text),
    vol.Optional("retain", default=False, description="whether the broker keeps it"): validate.boolean,
}
HTTP = {
    vol.Required("url", description="http:// or https://"): text,
    vol.Optional("method", default="POST", description="GET or POST"): validate.one_of("GET", "POST"),
    vol.Optional("json", description="what is posted"): plain,
    vol.Optional("headers", default={}, description="HTTP headers"): headers,
}


def kinds() -> Iterator[RuleKind]:
    """What this module adds."""
    for name, schema, compile_, words in (
        ("command", COMMAND, _command, "tell a device what to do"),
        ("notify", NOTIFY, _notify, "tell people"),
        ("set", SET, _set, "make a value the state of a virtual device"),
        ("mqtt", MQTT, _mqtt, "publish a message"),
        ("http", HTTP, _http, "call a web address"),
    ):
        yield RuleKind(ACTION, name, {vol.Required(name, description=words): schema}, _inner(name, compile_), words)
    run = {vol.Required("run", description="id of another automation, which is set off without waiting for its end"): validate.slug}
    yield RuleKind(ACTION, "run", run, _run, "set off another automation")


def _inner(name: str, compile_: Callable[[Mapping[str, Any], Build], Op]) -> Callable[[Mapping[str, Any], Build], Op | None]:
    def compiled(options: Mapping[str, Any], build: Build) -> Op | None:
        with build.at(name):
            return compile_(options[name], build)
        return None

    return compiled


def _command(options: Mapping[str, Any], build: Build) -> Op:
    device, hands, hold_s = options["device"], build.world.hands, options.get("hold")
    build.device(device, "device")
    capability, quantity, value = _told(options, build)
    facts, where = build.world.facts, f"{device}.{quantity or capability}"

    def act(run: Run) -> Any:
        said = value(run)
        command = Command(device, capability, _fit(said, capability), quantity)
        run.saw[where] = command.value
        answer = hands.command(command, run.id, run.automation.id, run.automation.priority, hold_s)
        if answer is not None:  # in a replay nothing follows from it
            run.automation.causes(run, f"automation {run.automation.id}")  # who told the device, in the event that says so
            state = facts.state(where)
            if state is None or state.value != command.value:
                run.automation.causes(run, device)
        return answer

    return act


def _told(options: Mapping[str, Any], build: Build) -> tuple[str, str | None, Callable[[Run], Any]]:
    """The capability, the quantity and the value."""
    if ("switch" in options) == ("set" in options):
        raise vol.Invalid("expected one of switch: on, switch: off, set: {quantity: value}")
    if "switch" in options:
        return "switch", None, build.value(options["switch"])
    if len(options["set"]) != 1:
        raise vol.Invalid("expected one quantity with its value, such as {power_limit: 4000}", path=["set"])
    [(quantity, given)] = options["set"].items()
    build.compared(f"{options['device']}.{quantity}", None, "set")
    return "set", quantity, build.value(given)


def _fit(said: Any, capability: str) -> float | str:
    if capability == "switch":
        word = str(said).lower()
        if word not in ("on", "off"):
            raise Invalid(f"a switch is set on or off, not {word[:40]!r}")
        return word
    return said if isinstance(said, str) else float(said)


def _notify(options: Mapping[str, Any], build: Build) -> Op:
    title, body, hands = build.text(options["title"]), build.text(options["message"]), build.world.hands
    to, kind, severity = tuple(options["to"]), options["kind"], options["severity"]
    for each in to:
        build.recipient(each, "to")

    def act(run: Run) -> Any:
        key = f"automation/{run.id}/{run.pc}/{run.spent}"  # the same after a crash: who has it is not told twice
        notice = Notice(kind, title(run)[:200], body(run), severity, to, key)
        run.saw["title"] = notice.title
        return hands.notify(notice)

    return act


def _set(options: Mapping[str, Any], build: Build) -> Op:
    where = options["state"]
    device, _, quantity = where.partition(".")
    build.compared(where, None, "state")
    known = build.known.quantities.get(quantity)
    value, hands = build.value(options["value"]), build.world.hands
    is_text = known is not None and known.kind is Kind.TEXT
    if not is_text and isinstance(options["value"], str) and not is_template(options["value"]):
        raise vol.Invalid(f"{quantity} is a number", path=["value"])

    def act(run: Run) -> Any:
        said = value(run)
        if is_text:
            said = str(said)
        elif isinstance(said, str):
            raise Invalid(f"{where} is a number, not {said[:40]!r}")
        run.saw[where] = said
        run.automation.causes(run, where)
        return hands.set(device, quantity, said)

    return act


def _mqtt(options: Mapping[str, Any], build: Build) -> Op:
    topic, given, hands = build.text(options["topic"]), options["payload"], build.world.hands
    body = build.text(given) if isinstance(given, str) else build.text(msgspec.json.encode(given).decode())
    retain = options["retain"]

    def act(run: Run) -> Any:
        where, payload = topic(run), body(run)
        if not where or len(where) > 512 or any(mark in where for mark in "+#\0"):
            raise Invalid(f"{where[:60]!r} is no topic to publish to: it has neither + nor #")
        run.saw[where] = payload[:200]
        run.automation.causes(run, f"mqtt {where}")
        return hands.publish(where, payload.encode(), retain)

    return act


def _http(options: Mapping[str, Any], build: Build) -> Op:
    url, method, given, hands = build.text(options["url"]), options["method"], options.get("json"), build.world.hands
    body = build.text(msgspec.json.encode(given).decode()) if given is not None else None
    sent = options["headers"]

    def act(run: Run) -> Any:
        try:
            data = msgspec.json.decode(body(run)) if body is not None else None
        except msgspec.DecodeError as error:
            raise Invalid(f"what its templates say makes no JSON: {error}") from None
        where = url(run)
        run.automation.causes(run, f"webhook {where.rpartition('/')[2]}")
        return hands.call(method, where, data, sent)

    return act


def _run(options: Mapping[str, Any], build: Build) -> Op:
    other = options["run"]
    build.automation(other, "run")

    def act(run: Run) -> None:
        run.saw["run"] = other
        run.automation.others(run, other)

    return act
