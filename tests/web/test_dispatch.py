"""The table finds the one operation that answers, and refuses two that claim the same."""

from __future__ import annotations

import pytest

from ohmstead.core.errors import ConfigError, NotFound
from ohmstead.core.route import Call, Route
from ohmstead.web.dispatch import MethodNotAllowed, Table


async def one(call: Call) -> str:
    return "one"


async def other(call: Call) -> str:
    return "other"


def route(method: str, path: str, handler=one, absolute: bool = False) -> Route:
    return Route(method, path, handler, "read", "test", absolute=absolute)


TABLE = Table(
    [
        route("GET", "/devices"), route("POST", "/devices"), route("GET", "/devices/{id}"), route("DELETE", "/devices/{id}"),
        route("GET", "/devices/register"), route("GET", "/devices/{id}/energy/readings"), route("GET", "/devices/{id}/status"),
        route("GET", "/a/{b}/c"), route("GET", "/a/x/d"), route("POST", "/write", absolute=True),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "template", "values"),
    [
        ("GET", "/api/v1/devices", "/api/v1/devices", {}),
        ("HEAD", "/api/v1/devices", "/api/v1/devices", {}),
        ("GET", "/api/v1/devices/D1", "/api/v1/devices/{id}", {"id": "D1"}),
        ("GET", "/api/v1/devices/register", "/api/v1/devices/register", {}),
        ("GET", "/api/v1/devices/D1/energy/readings", "/api/v1/devices/{id}/energy/readings", {"id": "D1"}),
        ("GET", "/api/v1/a/x/c", "/api/v1/a/{b}/c", {"b": "x"}),  # back out of the literal x
        ("GET", "/api/v1/a/x/d", "/api/v1/a/x/d", {}),
        ("POST", "/write", "/write", {}),
    ],
)
def test_finds(method: str, path: str, template: str, values: dict[str, str]) -> None:
    operation, found = TABLE.find(method, path)
    assert (operation.template, dict(found)) == (template, values)


@pytest.mark.parametrize("path", ["/", "", "/devices", "/api/v1/devices/", "/api/v1/devices//status", "/api/v1/devices/D1/x", "/api/v1"])
def test_finds_nothing(path: str) -> None:
    with pytest.raises(NotFound) as error:
        TABLE.find("GET", path)
    assert error.value.status == 404


@pytest.mark.parametrize(
    ("path", "allow"), [("/api/v1/devices", "GET, POST"), ("/api/v1/devices/D1", "DELETE, GET"), ("/write", "POST")]
)
def test_names_the_methods_there_are(path: str, allow: str) -> None:
    with pytest.raises(MethodNotAllowed) as error:
        TABLE.find("PATCH", path)
    assert (error.value.status, error.value.allow) == (405, allow)


def test_clash_names_both() -> None:
    with pytest.raises(ConfigError) as error:
        Table([route("GET", "/devices/{id}"), route("GET", "/devices/{device}", other)])
    assert "GET /api/v1/devices/{device}" in str(error.value) or "GET /api/v1/devices/{id}" in str(error.value)
    assert "test_dispatch.one" in str(error.value)
    assert "test_dispatch.other" in str(error.value)


def test_same_path_by_another_prefix_is_a_clash() -> None:
    with pytest.raises(ConfigError):
        Table([route("GET", "/x"), route("GET", "/api/v1/x", other, absolute=True)])
