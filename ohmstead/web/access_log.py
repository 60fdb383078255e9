"""One line of JSON for every answered request, without the secrets some clients put into the address."""

from __future__ import annotations

import logging

import msgspec
from aiohttp.web_request import BaseRequest

log = logging.getLogger("ohmstead.access")

SECRET = frozenset({"p", "u", "token", "access_token", "api_key", "apikey", "key", "secret", "password", "username"})
BLANK = "•••"


def record(request: BaseRequest, request_id: str, person: str | None, status: int, took_s: float, timestamp: str) -> None:
    """Log it at INFO, WARNING from 400 on, ERROR from 500 on. The message is the JSON text itself."""
    level = logging.INFO if status < 400 else logging.WARNING if status < 500 else logging.ERROR
    if not log.isEnabledFor(level):
        return
    url = blanked(request)
    line = {
        "level": logging.getLevelName(level).lower(), "message": f"{request.method} {url} {status}", "timestamp": timestamp,
        "service": "ohmstead", "userId": person, "method": request.method, "url": url, "status": status,
        "duration": round(took_s * 1000, 3), "ip": request.remote, "requestId": request_id,
    }  # fmt: skip
    log.log(level, "%s", msgspec.json.encode(line).decode())


def blanked(request: BaseRequest) -> str:
    """Path and query, every secret in it blanked."""
    if not request.rel_url.raw_query_string:
        return request.path
    pairs = (f"{name}={BLANK if name.lower() in SECRET else value}" for name, value in request.rel_url.query.items())
    return f"{request.path}?{'&'.join(pairs)}"
