"""The form of every answer: data or an error in the same envelope."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from ohmstead.core.clock import iso
from ohmstead.core.errors import (
    ConfigError,
    OhmsteadError,
    PluginError,
    RateLimited,
    Refused,
    Rejected,
    Unauthorized,
    Unavailable,
    Unsupported,
)

RETRY_AFTER_S = 5.0
CODES = {
    401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND", 409: "CONFLICT", 429: "RATE_LIMITED",
    502: "UNAVAILABLE", 503: "UNAVAILABLE",
}  # fmt: skip


def _other(value: Any) -> Any:
    """What msgspec does not know by itself."""
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be sent as JSON")


_encode = msgspec.json.Encoder(enc_hook=_other).encode


class Failure(msgspec.Struct, frozen=True):
    """What the caller is told of an error."""

    status: int
    code: str
    message: str
    details: Any = None
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


def encode(data: Any, fields: str | None = None) -> bytes:
    """Data as JSON; `fields` ("a,b") keeps only those of an object, or of each object in a list."""
    if fields:
        data = _only(msgspec.to_builtins(data, enc_hook=_other), set(fields.split(",")))
    return _encode(data)


def _only(data: Any, names: set[str]) -> Any:
    if isinstance(data, list):
        return [_only(item, names) for item in data]
    return {key: value for key, value in data.items() if key in names} if isinstance(data, dict) else data


def etag(*parts: bytes) -> str:
    """The weak ETag of an answer: of its data, not of the envelope's time and request id."""
    return f'W/"{hashlib.blake2b(b"".join(parts), digest_size=12).hexdigest()}"'


def success(data: bytes, request_id: str, now_ms: int, next_cursor: str | None = None) -> bytes:
    """The envelope around data that is JSON already."""
    return b'{"success":true,"data":%b,"error":null,"meta":%b}' % (data, _meta(request_id, now_ms, next_cursor))


def failure(failed: Failure, request_id: str, now_ms: int, data: bytes = b"null") -> bytes:
    """The envelope of an error."""
    error = _encode({"code": failed.code, "message": failed.message, "details": failed.details})
    return b'{"success":false,"data":%b,"error":%b,"meta":%b}' % (data, error, _meta(request_id, now_ms, None))


def _meta(request_id: str, now_ms: int, next_cursor: str | None) -> bytes:
    return _encode({"timestamp": iso(now_ms), "requestId": request_id, "nextCursor": next_cursor})


def failure_of_status(status: int) -> Failure:
    """What a handler means that answers with a status of 400 or more by itself."""
    code = CODES.get(status, "VALIDATION_ERROR" if status < 500 else "INTERNAL_ERROR")
    return Failure(status, code, HTTPStatus(status).phrase)


def failure_of(error: OhmsteadError) -> Failure:
    """What the caller is told of an error that was raised on purpose."""
    match error:
        case RateLimited():
            return Failure(error.status, error.code, str(error), error.details, _retry(error.retry_after_s))
        case Unauthorized():
            return Failure(error.status, error.code, str(error), error.details, {"WWW-Authenticate": 'Bearer realm="Ohmstead"'})
        case Rejected():
            allow = getattr(error, "allow", None)
            return Failure(error.status, error.code, str(error), error.details, {"Allow": allow} if allow else {})
        case Unavailable():
            return Failure(503, "UNAVAILABLE", str(error), headers=_retry(error.retry_after_s or RETRY_AFTER_S))
        case Unsupported():
            return Failure(422, "VALIDATION_ERROR", str(error))
        case ConfigError():
            details = [{"path": "", "message": problem} for problem in error.problems]
            return Failure(400, "VALIDATION_ERROR", "the configuration is wrong", details)
        case Refused():
            return Failure(502, "UNAVAILABLE", str(error))
        case PluginError():
            return Failure(503, "UNAVAILABLE", str(error))
        case _:
            return Failure(500, "INTERNAL_ERROR", str(error))


def _retry(after_s: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(after_s)))}
