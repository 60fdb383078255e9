"""JSON Schema of voluptuous schemas: what the library does not know, the validators of core say themselves."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ohmstead.core import validate
from ohmstead.core.model import SLUG

Json = dict[str, Any]

ANY: Json = {"type": ["string", "number", "boolean", "array", "object", "null"]}
SLUGS: Json = {"type": ["string", "integer"], "pattern": f"^{SLUG.pattern}$"}
DURATION: Json = {"type": ["string", "number"], "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|min|h|d)?$"}
PLAIN: dict[str, Json] = {  # validator of core -> what it takes
    "text": {"type": ["string", "number"]}, "number": {"type": "number"}, "boolean": {"enum": [True, False, "yes", "no", "on", "off"]},
    "duration": DURATION, "seconds": DURATION, "slug": SLUGS, "host": {"type": "string"}, "time_zone": {"type": "string"},
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
}  # fmt: skip


def json_schema(schema: Any) -> Json:
    """The JSON Schema (OpenAPI 3.1's dialect) of a voluptuous schema or validator."""
    from voluptuous_openapi import OpenApiVersion, convert  # type: ignore[import-untyped]

    return dict(convert(schema, custom_serializer=_serialised, openapi_version=OpenApiVersion.V3_1))


def _serialised(schema: Any) -> Any:
    """What a validator takes; the library does the rest."""
    from voluptuous_openapi import UNSUPPORTED

    if isinstance(schema, type) or not callable(schema) or type(schema).__module__.startswith("voluptuous"):
        return UNSUPPORTED
    if getattr(schema, "__module__", "") != validate.__name__:
        return dict(ANY)
    name = schema.__qualname__.partition(".")[0]
    return dict(PLAIN[name]) if name in PLAIN else _made(name, schema)


def _made(name: str, validator: Callable[..., Any]) -> Json:
    """A validator that a function of core made: what it was made with says what it takes."""
    given = inspect.getclosurevars(validator).nonlocals
    if name == "integer":
        return {"type": "integer", "minimum": given["low"], "maximum": given["high"]}
    if name == "between":
        return {"type": "number", "minimum": given["low"], "maximum": given["high"]}
    if name == "one_of":
        return {"enum": list(given["choices"])}
    if name == "list_of":
        many = json_schema(given["schema"])
        return {"anyOf": [many, many["items"]]}
    return {"type": "string"}
