"""The kinds of triggers, conditions and actions that there are, and what people may state of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import voluptuous as vol

from ohmstead.core.errors import ConfigError
from ohmstead.core.plugin import RuleKind
from ohmstead.core.validate import did_you_mean
from ohmstead.plugins.rules.templates import is_template

TRIGGER, CONDITION, ACTION = "trigger", "condition", "action"
MOST = 100  # parts of one list
DEEP = 8  # lists in lists


class Kinds:
    """All of them, by part and name."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], RuleKind] = {}

    def add(self, kind: RuleKind) -> None:
        """Take one in. ConfigError when there is one of its name."""
        if self._kinds.setdefault((kind.part, kind.name), kind) is not kind:
            raise ConfigError(f"its kind of {kind.part} {kind.name!r} is declared already")

    def of(self, part: str, options: Mapping[str, Any]) -> RuleKind:
        """The kind that validated options are of."""
        return next(kind for name in options if (kind := self._kinds.get((part, name))) is not None)

    def names(self, part: str) -> list[str]:
        """Those of a part, in order."""
        return sorted(name for place, name in self._kinds if place == part)

    def one(self, part: str) -> Callable[[Any], dict[str, Any]]:
        """A validator of one trigger, condition or action."""

        def check(value: Any) -> dict[str, Any]:
            return self._check(part, value)

        return check

    def many(self, part: str) -> Callable[[Any], list[dict[str, Any]]]:
        """A validator of a list of them; one stands for a list of one."""

        def check(value: Any) -> list[dict[str, Any]]:
            items = value if isinstance(value, list) else [value]
            if len(items) > MOST:
                raise vol.Invalid(f"expected at most {MOST} of them")
            return _each(self.one(part), items)

        return check

    def _check(self, part: str, value: Any) -> dict[str, Any]:
        if part == CONDITION and is_template(value):
            value = {"template": value}
        names = self.names(part)
        if not isinstance(value, dict):
            raise vol.Invalid(f"expected a {part} such as {{{names[0]}: …}}; there are {', '.join(names)}")
        if _depth(value) > 4 * DEEP:
            raise vol.Invalid(f"is nested too deep; expected at most {DEEP} lists in each other")
        found = [str(name) for name in value if name in names]
        if not found:
            hint = next((hint for key in value if (hint := did_you_mean(str(key), names))), "")
            path = [next(iter(value))] if value else None
            raise vol.Invalid(f"there is no such {part}; there are {', '.join(names)}.{hint}", path=path)
        if len(found) > 1:
            raise vol.Invalid(f"is a {part} of its own; begin a new line with “- {found[1]}:”", path=[found[1]])
        return cleared(self._kinds[part, found[0]].schema, value)


def _each(check: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    """Every mistake is told, not only the first."""
    found, errors = [], list[vol.Invalid]()
    for place, item in enumerate(items):
        try:
            found.append(check(item))
        except vol.MultipleInvalid as error:
            error.prepend([place])
            errors += error.errors
        except vol.Invalid as error:
            error.prepend([place])
            errors.append(error)
    if errors:
        raise vol.MultipleInvalid(errors)
    return found


def cleared(schema: Mapping[Any, Any], value: Any) -> dict[str, Any]:
    """`value` as the mapping makes it; mistakes say what would be right."""
    try:
        options: dict[str, Any] = vol.Schema(dict(schema))(value)
    except vol.MultipleInvalid as error:
        raise vol.MultipleInvalid([_clear(each, schema) for each in error.errors]) from None
    return options


def _clear(error: vol.Invalid, schema: Mapping[Any, Any]) -> vol.Invalid:
    for key in error.path[:-1]:
        below = {str(marker): value for marker, value in schema.items()}.get(str(key))
        if not isinstance(below, Mapping):
            return error
        schema = below
    markers = {str(marker): marker for marker in schema if isinstance(marker, vol.Marker)}
    name = str(error.path[-1]) if error.path else ""
    if markers and error.error_message == "extra keys not allowed":
        hint = did_you_mean(name, markers) or f" There are {', '.join(sorted(markers))}"
        return vol.Invalid(f"unknown option.{hint}", path=error.path)
    if name in markers and isinstance(error, vol.RequiredFieldInvalid):
        return vol.Invalid(f"is missing ({markers[name].description})", path=error.path)
    return error


def _depth(value: Any) -> int:
    """How many mappings and lists lie in each other; those that are far too deep are not followed."""
    deepest, layer = 0, [value]
    while layer and deepest <= 4 * DEEP:
        deepest += 1
        layer = [item for each in layer if isinstance(each, dict | list) for item in (each.values() if isinstance(each, dict) else each)
                 if isinstance(item, dict | list)]  # fmt: skip
    return deepest
