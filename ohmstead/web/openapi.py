"""The API document (OpenAPI 3.1), made from the routes, and a page that lists them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import msgspec

from ohmstead import __version__
from ohmstead.core.route import ANYONE, Route
from ohmstead.web.dispatch import Operation
from ohmstead.web.intake import as_schema, is_schema
from ohmstead.web.json_schema import Json, json_schema

_WORD = re.compile(r"[\w.-]+")

REF = "#/components/schemas/{name}"
SIGN_IN: list[Json] = [{"token": []}, {"cookie": []}]
DEVICE: Json = {"deviceId": [], "deviceSecret": []}
ERROR: Json = {
    "type": "object",
    "properties": {
        "success": {"const": False},
        "data": {},
        "error": {"type": "object", "properties": {"code": {"type": "string"}, "message": {"type": "string"}, "details": {}}},
        "meta": {"$ref": "#/components/schemas/Meta"},
    },
}
META: Json = {
    "type": "object",
    "properties": {
        "timestamp": {"type": "string", "format": "date-time"},
        "requestId": {"type": "string"},
        "nextCursor": {"type": ["string", "null"]},
    },
}


def document(operations: Iterable[Operation], server: str, cookie: str) -> Json:
    """The whole document."""
    shown = sorted(operations, key=lambda operation: operation.template)
    typed = [operation.route.body for operation in shown if operation.route.body is not None and not is_schema(operation.route.body)]
    schemas, components = msgspec.json.schema_components(typed, ref_template=REF)
    bodies = dict(zip(map(id, typed), schemas, strict=True))
    paths: Json = {}
    for operation in shown:
        paths.setdefault(operation.template, {})[operation.route.method.lower()] = _operation(operation, bodies)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ohmstead", "version": __version__, "description": "The API of this hub."},
        "servers": [{"url": server}],
        "paths": paths,
        "components": {"schemas": {**components, "Error": ERROR, "Meta": META}, "securitySchemes": _schemes(cookie)},
    }


def _schemes(cookie: str) -> Json:
    return {
        "token": {"type": "http", "scheme": "bearer", "description": "the owner's token, or the ingest token"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": cookie},
        "deviceId": {"type": "apiKey", "in": "header", "name": "X-Device-ID"},
        "deviceSecret": {"type": "apiKey", "in": "header", "name": "X-Device-Secret"},
    }


def _operation(operation: Operation, bodies: Mapping[int, Json]) -> Json:
    route = operation.route
    found: Json = {
        "operationId": "_".join([route.method.lower(), *(("root",) if route.absolute else ()), *_WORD.findall(route.path)]),
        "summary": route.summary,
        "x-scope": route.scope,
        "security": _security(route),
        "responses": _responses(route),
    }
    if route.tags:
        found["tags"] = list(route.tags)
    parameters = [_in_path(name) for name in operation.parameters] + _in_query(route)
    if parameters:
        found["parameters"] = parameters
    if route.takes in ("bytes", "stream") or route.body is not None:
        found["requestBody"] = {"required": True, "content": {_content(route): {"schema": _body(route, bodies)}}}
    return found


def _security(route: Route) -> list[Json]:
    if route.scope == ANYONE:
        return []
    return [*SIGN_IN, DEVICE] if route.scope == "ingest" else SIGN_IN


def _content(route: Route) -> str:
    return "application/json" if route.body is not None else "application/octet-stream"


def _body(route: Route, bodies: Mapping[int, Json]) -> Json:
    if route.body is None:
        return {}
    return _voluptuous(route.body) if is_schema(route.body) else bodies[id(route.body)]


def _voluptuous(schema: Any) -> Json:
    return json_schema(as_schema(schema))


def _in_path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(route: Route) -> list[Json]:
    if route.query is None:
        return []
    made = _voluptuous(route.query)
    required = made.get("required", ())
    return [_query_parameter(name, dict(schema), name in required) for name, schema in made.get("properties", {}).items()]


def _query_parameter(name: str, schema: Json, required: bool) -> Json:
    description = schema.pop("description", None)
    found: Json = {"name": name, "in": "query", "required": required, "schema": schema}
    return {**found, "description": description} if description else found


def _responses(route: Route) -> Json:
    if not route.envelope:
        return {str(route.status): {"description": "the answer"}}
    answer = {} if route.answer is None else _voluptuous(route.answer)
    success = {
        "type": "object",
        "properties": {
            "success": {"const": True},
            "data": answer,
            "error": {"type": "null"},
            "meta": {"$ref": "#/components/schemas/Meta"},
        },
    }
    return {
        str(route.status): {"description": "done", "content": {"application/json": {"schema": success}}},
        "default": {"description": "not done", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
    }


def page(found: Json) -> bytes:
    """The document as a page for people, without scripts."""
    sections = [
        _section(method.upper(), path, operation)
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
    ]  # fmt: skip
    return f"{HEAD}{''.join(sections)}</main></body></html>".encode()


HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ohmstead API</title><link rel="icon" href="/page/icon.svg"><link rel="stylesheet" href="/page/page.css"></head>
<body class="docs"><header class="bar"><a class="brand" href="/">Ohmstead</a><a href="/api/v1/openapi.json">openapi.json</a></header>
<main><h1>API</h1>"""


def _section(method: str, path: str, operation: Json) -> str:
    parameters = "".join(map(_item, operation.get("parameters", ())))
    contents = operation.get("requestBody", {}).get("content", {})
    bodies = "".join(
        f"<details><summary>Body, {escape(content)}</summary><pre>{escape(_pretty(found['schema']))}</pre></details>"
        for content, found in contents.items()
    )
    return (
        f'<section class="card"><h2><span class="method">{method}</span> <code>{escape(path)}</code></h2>'
        f'<p>{escape(operation["summary"])} <small>scope {escape(operation["x-scope"])}</small></p>'
        f"{f'<ul>{parameters}</ul>' if parameters else ''}{bodies}</section>"
    )


def _item(parameter: Json) -> str:
    required = ", required" if parameter["required"] else ""
    return f"<li><code>{escape(parameter['name'])}</code> ({parameter['in']}{required}) {escape(parameter.get('description', ''))}</li>"


def _pretty(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
