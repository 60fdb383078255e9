"""What comes in with a request is validated here: the query and the body, against what the route declares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, get_origin

import msgspec
import voluptuous as vol

from ohmstead.core.errors import Invalid
from ohmstead.core.route import Route
from ohmstead.core.validate import did_you_mean

DEPTH = 32  # levels of nesting of a JSON body
_PLACE = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)

Problem = dict[str, str]


class Intake:
    """The validators of one route."""

    def __init__(self, route: Route) -> None:
        self._route = route

    @cached_property
    def _query(self) -> vol.Schema | None:
        return None if self._route.query is None else as_schema(self._route.query)

    @cached_property
    def _typed(self) -> msgspec.json.Decoder[Any] | None:
        return None if is_schema(self._route.body) else msgspec.json.Decoder(self._route.body)

    @cached_property
    def _schema(self) -> vol.Schema:
        return as_schema(self._route.body)

    def query(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The query as its schema makes it; as it came when the route has none. Invalid names each wrong one."""
        return given if self._query is None else _validate(self._query, given, "the query is not right")

    def body(self, raw: bytes) -> Any:
        """The body as its schema or type makes it; Invalid names each wrong place."""
        if self._route.body is None:
            return None
        if not raw:
            raise Invalid("the body is missing; expected JSON")
        if self._typed is not None:
            return _typed(self._typed, raw)
        return _validate(self._schema, document(raw), "the body is not right")


def is_schema(body: Any) -> bool:
    """Whether a route's body is a voluptuous schema and not a type that msgspec knows."""
    return not isinstance(body, type) and get_origin(body) is None


def as_schema(schema: Any) -> vol.Schema:
    """A voluptuous schema of what a route declares: a dict, or a schema already."""
    return schema if isinstance(schema, vol.Schema) else vol.Schema(schema)


def document(raw: bytes) -> Any:
    """Any JSON document, not nested too deeply; Invalid says what is wrong with it."""
    found = _typed(_ANY, raw)
    if raw.count(b"[") + raw.count(b"{") > DEPTH and _deeper(found, DEPTH):
        raise Invalid(f"the JSON is nested more than {DEPTH} levels deep")
    return found


_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def _typed(decoder: msgspec.json.Decoder[Any], raw: bytes) -> Any:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise Invalid("the body is not right", [_problem(str(error))]) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise Invalid(f"the JSON is nested more than {DEPTH} levels deep") from None


def _problem(text: str) -> Problem:
    """The parts of msgspec's "Expected `float`, got `str` - at `$.readings[0].value`"."""
    match = _PLACE.fullmatch(text)
    message, path = (match[1], match[2]) if match else (text, "")
    return {"path": path, "message": message.replace("`", "")}


def _deeper(value: Any, levels: int) -> bool:
    """Whether a document has more levels than that; goes one level at a time, so that none of it recurses."""
    level = [value]
    for _ in range(levels + 1):
        level = [child for item in level if isinstance(item, dict | list) for child in (item.values() if isinstance(item, dict) else item)]
        if not level:
            return False
    return True


def _validate(schema: vol.Schema, value: Any, wrong: str) -> Any:
    try:
        return schema(value)
    except vol.MultipleInvalid as error:
        raise Invalid(wrong, [{"path": _path(each.path), "message": _message(schema, each)} for each in error.errors]) from None


def _message(schema: vol.Schema, error: vol.Invalid) -> str:
    """What would be right; voluptuous's own words for a key that is missing or unknown say little to people."""
    if isinstance(error, vol.RequiredFieldInvalid):
        return "is missing"
    if error.error_message != "extra keys not allowed":
        return str(error.msg)
    known = schema.schema if len(error.path) == 1 and isinstance(schema.schema, Mapping) else ()
    return f"unknown.{did_you_mean(str(error.path[-1]), known)}"


def _path(path: list[Any]) -> str:
    """`readings[0].value`, as msgspec writes it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
