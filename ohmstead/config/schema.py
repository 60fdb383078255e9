"""The JSON Schema of the whole configuration, made from the voluptuous schemas, so that editors complete and check it."""

from __future__ import annotations

from typing import Any

from ohmstead.config.check import Known
from ohmstead.config.sections import INTEGRATIONS
from ohmstead.core.plugin import Integration
from ohmstead.web.json_schema import SLUGS, Json, json_schema

DRAFT = "http://json-schema.org/draft-07/schema#"


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
    made: Json = _closed(json_schema(schema))
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
