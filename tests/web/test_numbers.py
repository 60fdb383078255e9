"""Health, readiness, metrics, the access log and the API document."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import voluptuous as vol
from prometheus_client.parser import text_string_to_metric_families

from ohmstead.core.durations import Durations
from ohmstead.core.errors import ConfigError
from ohmstead.core.route import Call, Route
from ohmstead.web.health import Probe
from tests.web.house import House, data, problem


class Item(msgspec.Struct):
    """One reading."""

    sensor_id: str
    value_kwh: float


async def anything(call: Call) -> Any:
    return {}


ROUTES = [
    Route("GET", "/devices/{id}", anything, "read", "One device", query={vol.Optional("tz", description="time zone"): str, vol.Required("n"): int}),
    Route("POST", "/devices", anything, "write", "Make a device", body={vol.Required("id", description="its id"): str, "tags": [str]}, status=201),
    Route("POST", "/items", anything, "ingest", "Take items", body=list[Item], tags=("ingest",), takes="bytes"),
    Route("POST", "/write", anything, "ingest", "Line protocol <b>", takes="bytes", absolute=True, envelope=False),
    Route("GET", "/open", anything, "read", "Any query", answer={"x": int}),
]  # fmt: skip


@pytest.fixture
async def house(tmp_path: Path):
    async with House(tmp_path, ROUTES, log_requests=True) as house:
        yield house


async def test_health_and_ready(house: House) -> None:
    for path in ("/health", "/api/v1/health"):
        async with house.stranger.get(path) as response:
            assert await data(response) == {"status": "ok"}
    down: list[str] = []
    house.web.health.probes += [
        Probe("storage", lambda: down[0] if down else None),
        Probe("broker", lambda: "not connected", required=False),
    ]
    for path in ("/ready", "/api/v1/ready"):
        down.clear()
        async with house.stranger.get(path) as response:
            found = await data(response)
            assert found["ready"]
            assert found["checks"]["broker"] == {"ok": False, "required": False, "message": "not connected"}
        down.append("the disk is full")
        async with house.stranger.get(path) as response:
            assert response.status == 503
            answer = await response.json()
            assert answer["error"]["code"] == "UNAVAILABLE"
            assert answer["data"]["checks"]["storage"]["message"] == "the disk is full"


async def test_metrics(house: House) -> None:
    await house.reading("D1", "power", 1.0)
    house.web.metrics.numbers["devices_online"] = lambda: 3
    durations = Durations()
    durations.add(0.02)
    house.web.metrics.queries = {"readings": durations}
    for path in ("/api/v1/devices/D1?n=1", "/api/v1/devices/D2?n=1", "/nothing/1", "/nothing/2"):
        async with house.client.get(path) as response:
            await response.read()
    async with house.client.request("PATCH", "/nothing/3"), house.client.ws_connect("/api/v1/live"):
        async with house.client.get("/metrics") as response:
            assert response.content_type == "text/plain"
            text = await response.text()
    found = {(s.name, tuple(sorted(s.labels.items()))): s.value for family in text_string_to_metric_families(text) for s in family.samples}
    requests = {key: value for (name, key), value in found.items() if name == "http_requests_total"}
    assert requests[("method", "(none)"), ("route", "(none)"), ("status", "404")] == 3
    assert sum(value for key, value in requests.items() if ("route", "/api/v1/devices/{id}") in key) == 2
    assert found["websocket_active_connections", ()] == 1
    assert found["energy_readings_processed_total", ()] == 1
    assert found["telemetry_messages_total", ()] == 1
    assert found["dead_letters_total", ()] == 0
    assert found["devices_online", ()] == 3
    assert found["queue_jobs_pending", ()] == 0
    assert found["db_query_duration_seconds_count", (("kind", "readings"),)] == 1
    assert found["db_query_duration_seconds_bucket", (("kind", "readings"), ("le", "0.01"))] == 0
    assert found["http_request_duration_seconds_count", (("method", "GET"), ("route", "/api/v1/devices/{id}"))] == 2
    assert found["process_resident_memory_bytes", ()] > 1e6
    assert found["process_cpu_seconds_total", ()] > 0
    assert 0 < found["data_disk_free_bytes", ()] < found["data_disk_total_bytes", ()]


async def test_access_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ohmstead.access")
    async with house.client.get("/api/v1/open?p=hunter2&u=me&db=x&Token=abc") as response:
        request_id = response.headers["X-Request-ID"]
    async with house.stranger.get("/api/v1/open"):
        pass
    one, other = (json.loads(record.message) for record in caplog.records if record.name == "ohmstead.access")
    assert set(one) == {
        "level", "message", "timestamp", "service", "userId", "method", "url", "status", "duration", "ip", "requestId",
    }  # fmt: skip
    assert one["url"] == "/api/v1/open?p=•••&u=•••&db=x&Token=•••"
    assert (one["userId"], one["status"], one["ip"], one["requestId"], one["level"]) == ("owner", 200, "127.0.0.1", request_id, "info")
    assert (other["userId"], other["status"], other["level"]) == (None, 401, "warning")
    assert "hunter2" not in caplog.text
    assert house.token not in caplog.text


async def test_document(house: House) -> None:
    async with house.client.get("/api/v1/openapi.json") as response:
        found = await response.json()
    assert found["openapi"] == "3.1.0"
    device = found["paths"]["/api/v1/devices/{id}"]["get"]
    assert [(p["name"], p["in"], p["required"]) for p in device["parameters"]] == [("id", "path", True), ("tz", "query", False), ("n", "query", True)]
    assert device["parameters"][1]["description"] == "time zone"
    made = found["paths"]["/api/v1/devices"]["post"]
    assert made["requestBody"]["content"]["application/json"]["schema"]["required"] == ["id"]
    assert "201" in made["responses"]
    items = found["paths"]["/api/v1/items"]["post"]
    assert items["requestBody"]["content"]["application/json"]["schema"] == {"type": "array", "items": {"$ref": "#/components/schemas/Item"}}
    assert found["components"]["schemas"]["Item"]["required"] == ["sensor_id", "value_kwh"]
    assert {"deviceId": [], "deviceSecret": []} in items["security"]
    assert found["paths"]["/health"]["get"]["security"] == []
    assert "/" not in found["paths"]
    assert "/login" not in found["paths"]
    ids = [operation["operationId"] for methods in found["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    shown = {(o.template, o.route.method) for o in house.web.table if o.route.tags != ("page",)}
    assert shown == {(path, method.upper()) for path, methods in found["paths"].items() for method in methods}
    for methods in found["paths"].values():
        assert all(operation["summary"] and operation["x-scope"] for operation in methods.values())


async def test_docs_page(house: House) -> None:
    async with house.client.get("/api/docs") as response:
        text = await response.text()
    assert "/api/v1/devices/{id}" in text
    assert "Line protocol &lt;b&gt;" in text
    assert "<b>" not in text
    assert "http://" not in text
    assert "https://" not in text
    async with house.stranger.get("/api/docs") as response:
        assert response.status == 401
        assert 'name="token"' in await response.text()


async def test_routes_are_swapped_whole(house: House) -> None:
    async with house.client.get("/api/v1/openapi.json") as response:
        assert "/api/v1/items" in (await response.json())["paths"]
    with pytest.raises(ConfigError):
        house.web.replace([Route("GET", "/health", anything, "read", "clash")])
    async with house.client.get("/api/v1/open") as response:
        assert response.status == 200
    house.web.replace([Route("GET", "/else", anything, "read", "another")])
    async with house.client.get("/api/v1/open") as response:
        assert (await problem(response))["code"] == "NOT_FOUND"
    async with house.client.get("/api/v1/openapi.json") as response:
        paths = (await response.json())["paths"]
        assert "/api/v1/else" in paths
        assert "/api/v1/items" not in paths


async def test_a_port_that_is_taken(house: House, tmp_path: Path) -> None:
    other = House(tmp_path / "other")
    other.web.port = house.web.port
    with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{house.web.port}"):
        await other.web.start()
    await other.web.stop()
    assert house.web.url == f"http://localhost:{house.web.port}"


def test_importing_the_web_is_cheap() -> None:
    heavy = "{'prometheus_client', 'voluptuous_openapi', 'sqlalchemy', 'alembic', 'cryptography'}"
    code = f"import sys, ohmstead.web.server; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ, timeout=60)
    assert found.stdout.strip() == "[]"
