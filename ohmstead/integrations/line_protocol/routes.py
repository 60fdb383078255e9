"""The write API of InfluxDB 1.x and 2.x, as far as senders use it. A 204 means committed.

Of the same bad batch, 1.x keeps the good lines and answers 400; 2.x keeps none when a line is no line protocol (400)
and the good ones when only values are refused (422). Source: InfluxDB 1.x and 2.x API references.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs

from ohmstead.core.errors import Forbidden, Invalid, Rejected, Unavailable
from ohmstead.core.hub import Hub
from ohmstead.core.model import Person
from ohmstead.core.route import Call, Handler, Reply, Route
from ohmstead.integrations.line_protocol.parser import PRECISIONS, Field, Mistake, Parser, portions
from ohmstead.integrations.line_protocol.points import FORMAT, Outcome, put_aside_lines, take

VERSION = "1.8.10-ohmstead"  # clients look at the leading number to choose their dialect
MAX_BODY = 4_000_000
AT_ONCE = 4  # bodies that are parsed at the same time
ROOM_WITHIN_S = 5.0
Portion = tuple[list[Field], list[Mistake]]
OnError = Callable[[Exception], Reply]


class Routes:
    """The operations, and what they share."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._turns = asyncio.Semaphore(AT_ONCE)

    def all(self) -> list[Route]:
        """Every operation of the two dialects."""
        return [
            _route("POST", "/write", self.write_old, old_error, "Write line protocol (InfluxDB 1.x)", 204),
            _route("POST", "/api/v2/write", self.write_new, new_error, "Write line protocol (InfluxDB 2.x)", 204),
            _route("GET", "/ping", ping, old_error, "Whether writing is possible (InfluxDB)", 204),
            _route("HEAD", "/ping", ping, old_error, "Whether writing is possible (InfluxDB)", 204),
            _route("GET", "/query", query, old_error, "Answer the questions that InfluxDB 1.x senders ask first"),
            _route("POST", "/query", query, old_error, "Answer CREATE DATABASE, which InfluxDB 1.x senders send first"),
        ]

    async def write_old(self, call: Call) -> Reply:
        """1.x: good lines are kept whatever the others are."""
        precision = _precision(call)
        outcome = Outcome()
        async with self._turns:
            await self._store(call.who, _parsed(call.raw, precision), outcome, precision)
        if not outcome.malformed and not outcome.refused:
            return Reply(status=204)
        reason = "\n".join([*map(str, outcome.malformed), *outcome.reasons])
        if outcome.taken or outcome.refused:
            reason = f"partial write: {reason} dropped={len(outcome.refused)}"
        return _answer({"error": reason, **_places(outcome)}, 400)

    async def write_new(self, call: Call) -> Reply:
        """2.x: all lines must be line protocol, else nothing is written."""
        precision = _precision(call)
        outcome = Outcome()
        async with self._turns:
            portions_ = await _whole(call.raw, precision, outcome)
            if outcome.malformed:
                return _answer({"code": "invalid", "message": "\n".join(map(str, outcome.malformed)), **_places(outcome)}, 400)
            await self._store(call.who, portions_, outcome, precision)
        if not outcome.refused:
            return Reply(status=204)
        reason = "\n".join(outcome.reasons)
        message = f"failure writing points to database: partial write: {reason} dropped={len(outcome.refused)}"
        return _answer({"code": "unprocessable entity", "message": message}, 422)

    async def _store(self, who: Person, found: Iterable[Portion], outcome: Outcome, precision: str) -> None:
        """Take portion by portion, giving way to others between them, and commit them together: their sender waits for all."""
        ingest = self._hub.ingest
        if who.device is not None:
            found = _only(who.device, list(found))
        await ingest.room(ROOM_WITHIN_S)
        batch = ingest.batch(f"line protocol:{who.id}", FORMAT)
        for fields, mistakes in found:
            take(batch, fields, outcome)
            put_aside_lines(batch, mistakes, precision)
            outcome.mistake(mistakes)
            await asyncio.sleep(0)
        if batch.size:
            await ingest.store(batch)
        for number, row in enumerate(batch.conflicts, 1):
            outcome.refuse(-number, f"{row.series.address} has another value at that time already")


def _route(method: str, path: str, handler: Handler, on_error: OnError, summary: str, status: int = 200) -> Route:
    return Route(
        method, path, handler, "ingest", summary, takes="bytes", absolute=True, envelope=False, status=status,
        max_body=MAX_BODY, on_error=on_error, sign_in=token, tags=("InfluxDB",),
    )  # fmt: skip


def _parsed(raw: bytes, precision: str) -> Iterator[Portion]:
    parser = Parser(precision)
    for first, lines in portions(raw):
        yield parser.parse(lines, first)


async def _whole(raw: bytes, precision: str, outcome: Outcome) -> list[Portion]:
    """Everything parsed, or nothing and the mistakes of the first portion that has any."""
    found: list[Portion] = []
    for portion in _parsed(raw, precision):
        if portion[1]:
            outcome.mistake(portion[1])
            return []
        found.append(portion)
        await asyncio.sleep(0)
    return found


def _only(device: str, found: list[Portion]) -> list[Portion]:
    """The same, when all of it is of that device; Forbidden otherwise."""
    for fields, _ in found:
        for head, _name, _value, _at_ms, line in fields:
            if head.device != device:
                raise Forbidden(f"line {line}: this secret writes device {device} only, not {head.device[:64]!r}")
    return found


def _precision(call: Call) -> str:
    precision = call.query.get("precision") or "ns"
    if precision not in PRECISIONS:
        raise Invalid(f"invalid precision {precision[:20]!r} (use one of {', '.join(PRECISIONS)})")
    return str(precision)


def _places(outcome: Outcome) -> dict[str, Any]:
    """Where the first line that is none went wrong; clients that do not know these keys pass over them."""
    return {"line": outcome.malformed[0].line, "column": outcome.malformed[0].column} if outcome.malformed else {}


async def ping(call: Call) -> Reply:
    """204, or with `verbose` the version."""
    headers = {"X-Influxdb-Version": VERSION, "X-Influxdb-Build": "OSS"}
    if call.query.get("verbose", "0").lower() not in ("", "0", "false"):
        return Reply(json.dumps({"version": VERSION}), headers=headers, content_type="application/json")
    return Reply(status=204, headers=headers)


async def query(call: Call) -> Reply:
    """CREATE DATABASE is done already; there is one database. Nothing else is answered here."""
    form = parse_qs(call.raw.decode("utf-8", "replace")) if call.raw else {}
    text = str(call.query.get("q") or (form.get("q") or [""])[0]).strip()
    result: dict[str, Any] = {"statement_id": 0}
    if text.upper().startswith("SHOW DATABASES"):
        result["series"] = [{"name": "databases", "columns": ["name"], "values": [["ohmstead"]]}]
    elif not text.upper().startswith(("CREATE DATABASE", "CREATE RETENTION POLICY")):
        result["error"] = "InfluxQL is not answered here; ask POST /api/v1/query"
    return _answer({"results": [result]}, 200)


def token(call: Call) -> str | None:
    """The token where InfluxDB's clients put it: `Authorization: Token`, Basic, or `u` and `p` of the query.

    With Basic or `u` and `p` the user is a device and the password its secret, or the password is a token.
    """
    scheme, _, given = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("token", "bearer"):
        return given.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(given, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return ""
    if call.query.get("p"):
        return f"{call.query.get('u', '')}:{call.query['p']}"
    return None


def old_error(error: Exception) -> Reply:
    """An error as 1.x says it."""
    status, message, headers = _told(error, "authorization failed")
    return _answer({"error": message}, status, headers)


def new_error(error: Exception) -> Reply:
    """An error as 2.x says it."""
    status, message, headers = _told(error, "unauthorized access")
    codes = {400: "invalid", 401: "unauthorized", 403: "forbidden", 404: "not found", 413: "request too large",
             429: "too many requests", 503: "unavailable"}  # fmt: skip
    return _answer({"code": codes.get(status, "internal error"), "message": message}, status, headers)


def _told(error: Exception, unauthorized: str) -> tuple[int, str, Mapping[str, str]]:
    wait_s = getattr(error, "retry_after_s", None)
    headers = {"Retry-After": str(max(1, round(wait_s)))} if wait_s else {}
    if isinstance(error, Unavailable):
        return 503, str(error), {"Retry-After": "5", **headers}
    if not isinstance(error, Rejected):
        return 500, "internal error", headers
    return error.status, unauthorized if error.status == 401 else str(error), headers


def _answer(data: Mapping[str, Any], status: int, headers: Mapping[str, str] | None = None) -> Reply:
    shown = {**(headers or {}), "X-Influxdb-Version": VERSION}
    if "error" in data and status >= 400:
        shown["X-Influxdb-Error"] = str(data["error"]).partition("\n")[0][:200].encode("ascii", "replace").decode()
    return Reply(json.dumps(data, ensure_ascii=False) + "\n", status, shown, "application/json")
