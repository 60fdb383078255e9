"""What voluptuous says of a mistake, as the way there and a sentence with what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import voluptuous as vol

from ohmstead.config.problem import Keys
from ohmstead.core.validate import did_you_mean

SENTENCES = {  # the library's words -> ours
    "expected a dictionary": "expected options below it, each on its own line, such as name: value",
    "expected a list": "expected a list",
    "expected str": "expected a text",
    "expected int": "expected a whole number",
    "expected float": "expected a number",
    "expected bool": "expected true or false",
    "not a valid value": "this is not one of the values it can have",
}


class Mistake(NamedTuple):
    """The way there, what is wrong, and whether that is something that is not there."""

    keys: Keys
    text: str
    missing: bool


def mistakes(schema: Any, value: Any) -> tuple[Any, list[Mistake]]:
    """`value` as `schema` makes it (None when it is wrong), and every mistake in it."""
    try:
        return vol.Schema(schema)(value), []
    except vol.MultipleInvalid as error:
        return None, [Mistake(_keys(e), _sentence(schema, e), isinstance(e, vol.RequiredFieldInvalid)) for e in error.errors]


def without(value: Any, wrong: Iterable[Mistake]) -> Any:
    """A copy of a mapping that lacks what is wrong: the value itself, the list it is in, or the mapping that misses one."""
    rest = deepcopy(value)
    for mistake in wrong:
        keys = mistake.keys[:-1] if mistake.missing else mistake.keys
        _drop(rest, keys[: next((place for place, key in enumerate(keys) if isinstance(key, int)), None)])
    return rest


def _drop(value: Any, keys: Keys) -> None:
    """Take out what is at the end of a way, or what should hold it where it is not there."""
    for length in range(len(keys), 0, -1):
        inner = value
        for key in keys[: length - 1]:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and keys[length - 1] in inner:
            del inner[keys[length - 1]]
            return


def _keys(error: vol.Invalid) -> Keys:
    return tuple(key if isinstance(key, int) else str(key) for key in error.path)


def _sentence(schema: Any, error: vol.Invalid) -> str:
    name = str(error.path[-1]) if error.path else ""
    if error.error_message == "extra keys not allowed":
        known = sorted(options(schema, _keys(error)[:-1]))
        return f"unknown option.{did_you_mean(name, known) or _choice(known)}"
    if isinstance(error, vol.RequiredFieldInvalid):
        marker = options(schema, _keys(error)[:-1]).get(name)
        meaning = getattr(marker, "description", None)
        return f"is missing ({meaning})" if meaning else "is missing"
    message = error.error_message
    return SENTENCES.get(message.removesuffix(f" for dictionary value @ {name}"), message)


def _choice(known: list[str]) -> str:
    return f" There {'is' if len(known) == 1 else 'are'} {', '.join(known)}" if 0 < len(known) <= 12 else ""


def options(schema: Any, keys: Keys) -> dict[str, Any]:
    """The markers of the mapping at the end of the way, by their name; none where there is no mapping of fixed options."""
    found = list(mappings(schema))
    for key in keys:
        found = [inner for mapping in found for value in _below(mapping, key) for inner in mappings(value)]
    return {str(marker): marker for mapping in found for marker in mapping if isinstance(_plain(marker), str)}


def mappings(schema: Any) -> Iterator[Mapping[Any, Any]]:
    """The mappings a value may be: the schema itself, or those it is made of."""
    if isinstance(schema, Mapping):
        yield schema
    elif isinstance(schema, list):
        for item in schema:
            yield from mappings(item)
    elif isinstance(schema, vol.Schema):
        yield from mappings(schema.schema)
    elif isinstance(schema, vol.All | vol.Any):
        for part in schema.validators:
            yield from mappings(part)


def _below(mapping: Mapping[Any, Any], key: str | int) -> Iterable[Any]:
    if isinstance(key, int):  # an item of a list, which `mappings` has looked through already
        return [mapping]
    exact = [value for marker, value in mapping.items() if str(_plain(marker)) == key]
    return exact or [value for marker, value in mapping.items() if not isinstance(_plain(marker), str)]


def _plain(marker: Any) -> Any:
    return marker.schema if isinstance(marker, vol.Marker) else marker
