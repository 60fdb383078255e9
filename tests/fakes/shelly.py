"""A Shelly of the second generation on 127.0.0.1: status, switch, and digest sign-in written from RFC 7616 alone."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any

from aiohttp import web

PLUG = {  # recorded from a Plug S Gen3, shortened
    "ble": {}, "cloud": {"connected": False},
    "switch:0": {
        "id": 0, "source": "init", "output": True, "apower": 71.3, "voltage": 231.4, "current": 0.31, "freq": 50.0, "pf": 0.98,
        "aenergy": {"total": 12054.321, "by_minute": [120.4, 118.9, 119.2], "minute_ts": 1_700_000_040},
        "ret_aenergy": {"total": 54.321, "by_minute": [0, 0, 0], "minute_ts": 1_700_000_040},
        "temperature": {"tC": 41.5, "tF": 106.7},
    },
    "sys": {"mac": "AABBCCDDEEFF", "time": "12:34", "unixtime": 1_700_000_040, "uptime": 86_400}, "wifi": {"rssi": -58},
}  # fmt: skip


class FakeShelly:
    """Can be asked for a password (`password`), fail (`fail_with`), and lose its nonces (`forget`)."""

    def __init__(self, status: dict[str, Any] | None = None, password: str | None = None, gen: int = 3) -> None:
        self.status = status or PLUG
        self.password = password
        self.gen = gen
        self.fail_with: int | None = None
        self.requests: list[str] = []
        self.denied = 0
        self._nonces: dict[str, int] = {}
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def forget(self) -> None:
        self._nonces.clear()

    async def start(self) -> FakeShelly:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/shelly", self._about)
        app.router.add_get("/rpc/Shelly.GetStatus", self._get_status)
        app.router.add_post("/rpc/Switch.Set", self._switch)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        return self

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> FakeShelly:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(request.path)
        if self.fail_with is not None:
            return web.Response(status=self.fail_with, text="busy", headers={"Retry-After": "17"})
        if self.password is None or request.path == "/shelly" or self._signed(request):
            return await handler(request)
        self.denied += 1
        nonce = secrets.token_hex(8)
        self._nonces[nonce] = 0
        realm = "shellyplugsg3-aabbccddeeff"
        challenge = f'Digest qop="auth", realm="{realm}", nonce="{nonce}", algorithm=SHA-256'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    def _signed(self, request: web.Request) -> bool:
        header = request.headers.get("Authorization", "")
        said = dict(re.findall(r'(\w+)="?([^",]+)"?', header))
        count = int(said.get("nc", "0"), 16)
        if count <= self._nonces.get(said.get("nonce", ""), 1 << 32):
            return False  # an unknown nonce, or a replay
        self._nonces[said["nonce"]] = count
        ha1 = _hash(f"admin:{said['realm']}:{self.password}")
        ha2 = _hash(f"{request.method}:{request.path_qs}")
        return said["response"] == _hash(f"{ha1}:{said['nonce']}:{said['nc']}:{said['cnonce']}:auth:{ha2}")

    async def _about(self, request: web.Request) -> web.Response:
        about = {"name": "Fridge", "id": "shellyplugsg3-aabbccddeeff", "mac": "AABBCCDDEEFF", "model": "S3PL-00112EU", "gen": self.gen,
                 "ver": "1.4.4", "app": "PlugSG3", "auth_en": self.password is not None}  # fmt: skip
        return web.json_response(about)

    async def _get_status(self, request: web.Request) -> web.Response:
        return web.json_response(self.status)

    async def _switch(self, request: web.Request) -> web.Response:
        params = await request.json()
        component = f"switch:{params['id']}"
        if component not in self.status:
            return web.json_response({"code": 404, "message": f"No handler for {component}"}, status=404)
        was = self.status[component]["output"]
        self.status = {**self.status, component: {**self.status[component], "output": params["on"]}}
        return web.json_response({"was_on": was})


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
