"""Every route of the real hub: asks for its scope, keeps other sites out, and takes any nonsense without breaking."""

from __future__ import annotations

import gzip
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.running import RunningHub
from tests.web.test_access import OPEN, SCOPES

CONFIGURATION = "home: {name: Test, time_zone: Europe/Berlin}\n"
NONSENSE = {
    "not json": (b"{nonsense", {}),
    "nothing": (b"", {}),
    "no text": (b"\xff\xfe\x00", {}),
    "deep": (b"[" * 50_000, {}),
    "deep objects": (b'{"a":' * 5_000, {}),
    "numbers": (b"[1e999, -1, 0.1e-400]", {}),
    "nan": (b'{"id": NaN, "readings": [NaN]}', {}),
    "wrong types": (b'{"id": [], "name": {}, "readings": "x", "series": 7, "value": null}', {}),
    "a list": (b'[{"id": 1}]', {}),
    "truncated gzip": (gzip.compress(b'{"id": "x"}' * 100)[:-20], {"Content-Encoding": "gzip"}),
    "no gzip": (b"plain", {"Content-Encoding": "gzip"}),
}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[RunningHub]:
    hub = RunningHub(tmp_path / "config", CONFIGURATION)
    await hub.start()
    yield hub
    assert hub.stop() == 0
    assert "Traceback" not in hub.log.read_text(), hub.log.read_text()


async def operations(hub: RunningHub, owner: aiohttp.ClientSession) -> list[tuple[str, str, dict[str, Any]]]:
    async with owner.get("/api/v1/openapi.json") as response:
        document = await response.json()
    return [(method.upper(), path, found) for path, methods in document["paths"].items() for method, found in methods.items()]


def session(hub: RunningHub, headers: dict[str, str]) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(hub.url, headers=headers, timeout=aiohttp.ClientTimeout(20))


def filled(path: str) -> str:
    return path.replace("{", "").replace("}", "")


async def test_scopes_of_all_routes(hub: RunningHub) -> None:
    ingest = (hub.folder / "data" / "ingest_token").read_text().strip()
    async with session(hub, {"Authorization": f"Bearer {hub.token}"}) as owner, session(hub, {}) as stranger:
        found = await operations(hub, owner)
        assert len(found) > 30
        for method, path, operation in found:
            scope = operation["x-scope"]
            assert scope in SCOPES
            assert (scope == "anyone") == (path in OPEN), path
            if scope == "anyone":
                continue
            async with stranger.request(method, filled(path)) as response:
                assert response.status == 401, (method, path, await response.text())
            foreign = {"Authorization": f"Bearer {hub.token}", "Origin": "https://evil.example"}
            if method not in ("GET", "HEAD") or path.endswith("/live"):
                async with stranger.request(method, filled(path), headers=foreign) as response:
                    assert response.status == 403, (method, path)
            if scope != "ingest":
                async with stranger.request(method, filled(path), headers={"Authorization": f"Bearer {ingest}"}) as response:
                    assert response.status == 403, (method, path)


def queries() -> Iterator[str]:
    yield from ("", "?limit=0", "?limit=x&cursor=%00", "?start=yesterday&end=2026-01-01", "?cursor=%ff&device=../x&quantity=%22", "?fields=,,")


async def test_every_route_takes_nonsense(hub: RunningHub) -> None:
    async with session(hub, {"Authorization": f"Bearer {hub.token}"}) as owner:
        for method, path, operation in await operations(hub, owner):
            if method in ("GET", "HEAD"):
                for query in queries():
                    async with owner.get(filled(path) + query) as response:
                        assert response.status < 500, (path, query, await response.text())
                continue
            if "requestBody" not in operation:
                continue
            for name, (body, headers) in NONSENSE.items():
                async with owner.request(method, filled(path), data=body, headers=headers) as response:
                    assert response.status < 500, (method, path, name, await response.text())
            async with owner.request(method, filled(path), data=io.BytesIO(b'{"x":"' + b"x" * 10_000_000)) as response:
                assert 400 <= response.status < 500, (method, path, await response.text())
        async with owner.get("/ready") as response:
            assert response.status == 200
