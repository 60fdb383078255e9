"""The JSON Schema of the whole configuration, made from the voluptuous schemas, so that editors complete and check it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ohmstead.config.check import Known
from ohmstead.config.sections import INTEGRATIONS
from ohmstead.core import validate
from ohmstead.core.model import SLUG
from ohmstead.core.plugin import Integration

Json = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
ANY: Json = {"type": ["string", "number", "boolean", "array", "object", "null"]}
SLUGS: Json = {"type": ["string", "integer"], "pattern": f"^{SLUG.pattern}$"}
DURATION: Json = {"type": ["string", "number"], "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|min|h|d)?$"}
PLAIN: dict[str, Json] = {  # validator of core -> what it takes
    "text": {"type": ["string", "number"]}, "number": {"type": "number"}, "boolean": {"enum": [True, False, "yes", "no", "on", "off"]},
    "duration": DURATION, "seconds": DURATION, "slug": SLUGS, "host": {"type": "string"}, "time_zone": {"type": "string"},
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
}  # fmt: skip


def whole(known: Known) -> Json:
    """Every section and every integration of this house."""
    sections = {key: _described(section.schema, section.description) for key, section in sorted(known.sections.items())}
    entries = {
        "type": "object", "description": "what the hub speaks to, by the id of the device",
        "propertyNames": {"pattern": SLUGS["pattern"]},
        "additionalProperties": _entry([integration for integration, _ in known.integrations.values()]),
    }  # fmt: skip
    return {
        "$schema": DRAFT, "title": "The configuration of an Ohmstead", "type": "object",
        "properties": {**sections, INTEGRATIONS: entries}, "additionalProperties": False,
    }  # fmt: skip


def _entry(integrations: list[Integration]) -> Json:
    """The type decides which options there are."""
    types = sorted(integration.type for integration in integrations)
    return {
        "type": "object", "required": ["type"], "properties": {"type": {"enum": types, "description": "which integration"}},
        "allOf": [
            {"if": {"properties": {"type": {"const": integration.type}}}, "then": _options(integration)} for integration in integrations
        ],
    }  # fmt: skip


def _options(integration: Integration) -> Json:
    made = _described(dict(integration.schema), integration.description)
    made.setdefault("properties", {})["type"] = {"const": integration.type, "description": integration.description}
    return made


def _described(schema: Any, description: str) -> Json:
    from voluptuous_openapi import OpenApiVersion, convert  # type: ignore[import-untyped]

    made: Json = _closed(convert(schema, custom_serializer=_serialised, openapi_version=OpenApiVersion.V3_1))
    return {"description": description, **made} if description else made


def _closed(made: Any) -> Any:
    """Mappings of fixed options take no others: the library leaves them open."""
    if isinstance(made, list):
        return [_closed(item) for item in made]
    if not isinstance(made, dict):
        return made
    inner = {key: _closed(value) for key, value in made.items()}
    if isinstance(inner.get("properties"), dict) and inner.get("type") == "object":
        inner.setdefault("additionalProperties", False)
    return inner


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
        from voluptuous_openapi import convert

        many: Json = convert(given["schema"], custom_serializer=_serialised)
        return {"anyOf": [many, many["items"]]}
    return {"type": "string"}
