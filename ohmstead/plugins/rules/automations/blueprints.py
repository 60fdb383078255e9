"""Blueprints: automations with inputs, in files. `${meter}` in one stands for the input meter.

A value that is `${name}` and nothing else becomes the input as it was given, a number or a list; within a text it becomes
part of the text. The files are YAML, which only the configuration reads: it hands over what they hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.plugins.rules.automations.actions import plain
from ohmstead.plugins.rules.automations.kinds import cleared

SHIPPED = Path(__file__).parent / "shipped"
_INPUT = re.compile(r"\$\{([A-Za-z0-9_]{1,64})\}")

INPUT = {
    vol.Optional("description", default="", description="what is to be given"): str,
    vol.Optional("default", description="what it is unless given"): plain,
}
HEAD = {
    vol.Required("name", description="name for people"): validate.text,
    vol.Optional("description", default="", description="what it does"): str,
    vol.Optional("inputs", default={}, description="what is to be given, by name"): {validate.slug: INPUT},
}
USE = {
    vol.Required("blueprint", description="name of a file in blueprints/, or of one that comes with Ohmstead"): validate.slug,
    vol.Optional("inputs", default={}, description="its inputs"): plain,
}
OWN = ("name", "description", "mode", "limit", "priority", "enabled")  # what an automation may state beside its blueprint

Read = Callable[[], Mapping[str, Any]]  # name -> what its file holds, or the reason why it cannot be read


class Blueprints:
    """Those of the house. `read` gives what the files hold now."""

    def __init__(self) -> None:
        self.read: Read = dict

    def listing(self) -> Iterator[dict[str, Any]]:
        """All of them, by name."""
        for name, held in sorted(self.read().items()):
            if isinstance(held, Mapping) and isinstance(held.get("blueprint"), Mapping):
                yield {"id": name, **held["blueprint"]}

    def expand(self, given: Any) -> Any:
        """Options of an automation with its blueprint, if it has one, in its place. voluptuous.Invalid."""
        if not isinstance(given, dict) or "blueprint" not in given:
            return given
        own = {key: value for key, value in given.items() if key in OWN}
        use = cleared(USE, {key: value for key, value in given.items() if key not in OWN})
        head, body = self._held(use["blueprint"])
        inputs = _inputs(head["inputs"], use["inputs"])
        words = {key: head[key] for key in ("name", "description") if head[key]}
        return {**words, **_filled(body, inputs), **own}

    def _held(self, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        known = self.read()
        held = known.get(name)
        if held is None:
            hint = validate.did_you_mean(name, known) or f" There are {', '.join(sorted(known)) or 'none'}"
            raise vol.Invalid(f"there is no blueprint {name!r}.{hint}", path=["blueprint"])
        if not isinstance(held, Mapping) or "blueprint" not in held:
            reason = held if isinstance(held, str) else "expected blueprint: with its name and inputs, and below that an automation"
            raise vol.Invalid(f"blueprint {name}: {reason}", path=["blueprint"])
        try:
            head = cleared(HEAD, held["blueprint"])
        except vol.MultipleInvalid as error:
            first = error.errors[0]
            raise vol.Invalid(f"blueprint {name}: {'.'.join(map(str, first.path))}: {first.msg}", path=["blueprint"]) from None
        return head, {key: value for key, value in held.items() if key != "blueprint"}


def _inputs(stated: Mapping[str, Any], given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise vol.Invalid("expected inputs by name", path=["inputs"])
    errors = [vol.Invalid(f"there is no such input.{validate.did_you_mean(name, stated) or _all(stated)}", path=["inputs", name])
              for name in given if name not in stated]  # fmt: skip
    errors += [vol.Invalid(f"input {name} is missing ({each['description']})", path=["inputs"])
               for name, each in stated.items() if "default" not in each and name not in given]  # fmt: skip
    if errors:
        raise vol.MultipleInvalid(errors)
    return {name: given.get(name, each.get("default")) for name, each in stated.items()}


def _all(stated: Mapping[str, Any]) -> str:
    return f" There are {', '.join(stated)}" if stated else " There are none"


def _filled(value: Any, inputs: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return {_filled(key, inputs): _filled(each, inputs) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, inputs) for each in value]
    if not isinstance(value, str):
        return value
    whole = _INPUT.fullmatch(value)
    if whole is not None:
        return _one(whole, inputs)
    return _INPUT.sub(lambda match: str(_one(match, inputs)), value)


def _one(match: re.Match[str], inputs: Mapping[str, Any]) -> Any:
    if match[1] not in inputs:
        raise vol.Invalid(f"the blueprint speaks of ${{{match[1]}}}, which is none of its inputs", path=["blueprint"])
    return inputs[match[1]]
