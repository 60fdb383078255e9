"""What happens to a request: found, let in, validated, handled, and answered in one form."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response, StreamResponse

from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Forbidden, OhmsteadError, RateLimited, Unauthorized
from ohmstead.core.events import AccessDenied, OperationDone
from ohmstead.core.model import Person
from ohmstead.core.route import ANYONE, Call, Reply, Route
from ohmstead.web import access_log, body
from ohmstead.web.access import NOBODY, Access, allow
from ohmstead.web.answer import Answers
from ohmstead.web.dispatch import Operation, Table
from ohmstead.web.envelope import Failure
from ohmstead.web.exchange import KEY, Exchange
from ohmstead.web.live import Live
from ohmstead.web.metrics import Metrics
from ohmstead.web.origin import Origins

log = logging.getLogger(__name__)

SAFE = frozenset({"GET", "HEAD"})
CHANGING = frozenset({"write", "admin"})
SOCKET = "socket"  # `takes` of the one route that is a WebSocket


During = Callable[[OperationDone], AbstractContextManager[None]]


def nobody(begun: OperationDone) -> AbstractContextManager[None]:
    """Nobody notes what is done."""
    return nullcontext()


class App:
    """Answers every request from one table of operations."""

    def __init__(
        self, clock: Clock, bus: Bus, access: Access, origins: Origins, live: Live, metrics: Metrics, log_requests: bool
    ) -> None:  # fmt: skip
        self.table = Table(())
        self.during: During = nobody  # notes what is done for as long as it is being done
        self._bus = bus
        self.origins = origins
        self._clock = clock
        self._access = access
        self._live = live
        self._metrics = metrics
        self._answers = Answers(clock)
        self._log_requests = log_requests

    async def handle(self, request: BaseRequest) -> StreamResponse:
        """Answer one request. What no handler raises on purpose goes on to `failed`, through aiohttp."""
        exchange = request[KEY] = Exchange(request)
        try:
            response = await self._respond(exchange)
        except OhmsteadError as error:
            if request.writer.output_size > 0:
                raise  # a stream that broke off: no second answer can follow the first
            self._tell_denied(exchange, error)
            response = self._answers.refusal(exchange, error)
        self._account(exchange, response.status)
        return response

    def _tell_denied(self, exchange: Exchange, error: OhmsteadError) -> None:
        """Say on the bus that somebody was turned away: before the handler, or by it."""
        if not isinstance(error, Unauthorized | Forbidden | RateLimited) or exchange.operation is None:
            return
        person = exchange.person
        who = person.id if person is not NOBODY or _gave_nothing(exchange) else None
        device = exchange.request.headers.get("X-Device-ID") if person is NOBODY else person.device
        scope = exchange.operation.route.scope
        self._bus.publish(AccessDenied(who, device, f"{exchange.method} {exchange.template}", scope, str(error), exchange.address))

    async def _respond(self, exchange: Exchange) -> StreamResponse:
        request = exchange.request
        operation, path = self.table.find(request.method, request.path)
        exchange.operation = operation
        route = operation.route
        if request.method not in SAFE or route.takes == SOCKET:
            self.origins.check(request.headers)
        call = Call(NOBODY, path, exchange.query(), headers=request.headers, request_id=exchange.id, address=exchange.address)
        exchange.person = call.who = self._who(exchange, route, call)
        allow(call.who, route.scope)
        if route.takes == SOCKET:
            return await self._live.serve(request)
        fields = call.query.pop("fields", None) if route.envelope and route.method == "GET" and call.query else None  # type: ignore[attr-defined]
        call.query = operation.intake.query(call.query)
        await self._take_body(request, operation, call)
        if route.scope in CHANGING and route.method not in SAFE:
            return await self._change(exchange, route, call)
        return await self._answers.of(exchange, await route.handler(call), fields)

    async def _change(self, exchange: Exchange, route: Route, call: Call) -> StreamResponse:
        """Carry out what changes something, and tell of it."""
        who, done, address = call.who.id, f"{exchange.method} {exchange.template}", exchange.address
        with self.during(OperationDone(who, done, {**_named(call.body), **call.path}, route.status, address)):
            result = await route.handler(call)
            response = await self._answers.of(exchange, result, None)
            if response.status < 400:
                self._bus.publish(OperationDone(who, done, {**_made(result), **call.path}, response.status, address))
        return response

    def _who(self, exchange: Exchange, route: Route, call: Call) -> Person:
        headers = exchange.request.headers
        if route.scope == ANYONE:
            return self._access.signed_in(headers) or NOBODY
        return self._access.who(headers, exchange.address, route.sign_in(call) if route.sign_in else None)

    async def _take_body(self, request: BaseRequest, operation: Operation, call: Call) -> None:
        route = operation.route
        if route.takes == "stream":
            call.stream = body.stream(request, route.max_body, self._clock)
        elif route.takes == "bytes":
            call.raw = await body.read(request, route.max_body, self._clock)
        elif route.body is not None:
            call.raw = await body.read(request, route.max_body, self._clock)
            call.body = operation.intake.body(call.raw)

    def failed(self, request: BaseRequest, status: int, error: BaseException | None) -> Response:
        """The answer to what is no HTTP, or to what a handler did not mean to raise."""
        exchange: Exchange = request.get(KEY) or Exchange(request)
        if isinstance(error, HttpProcessingError):
            response = self._answers.failure(exchange, Failure(status, "VALIDATION_ERROR", "this is not HTTP as we know it"))
        elif error is None:
            response = self._answers.failure(exchange, Failure(504, "UNAVAILABLE", "this took too long"))
        else:
            log.error("request %s: %s %s failed", exchange.id, exchange.method, exchange.template, exc_info=error)
            told = OhmsteadError(f"something went wrong here; the hub's log has it under request {exchange.id}")
            response = self._answers.refusal(exchange, told)
        response.force_close()
        self._account(exchange, response.status)
        return response

    def _account(self, exchange: Exchange, status: int) -> None:
        took_s = time.perf_counter() - exchange.began
        is_socket = exchange.operation is not None and exchange.operation.route.takes == SOCKET
        self._metrics.request(exchange.method, exchange.template, status, None if is_socket else took_s)
        if self._log_requests:
            person = exchange.person.id if exchange.person is not NOBODY else None
            access_log.record(exchange.request, exchange.id, person, status, took_s, iso(self._clock.now_ms()))


def _gave_nothing(exchange: Exchange) -> bool:
    """Whether a request came without any credentials, which is no guess."""
    assert exchange.operation is not None
    route, headers = exchange.operation.route, exchange.request.headers
    return route.scope != ANYONE and route.sign_in is None and "Authorization" not in headers and "X-Device-Secret" not in headers


def _named(given: Any) -> dict[str, str]:
    """The id that somebody gave to what is to be made."""
    found = given.get("id") if isinstance(given, dict) else None
    return {"id": found} if isinstance(found, str) else {}


def _made(result: Any) -> dict[str, str]:
    """The id of what an operation made or changed, where its answer has one."""
    data = result.data if isinstance(result, Reply) else result
    found = data.get("id") if isinstance(data, dict) else None
    return {"id": str(found)} if isinstance(found, str | int) else {}
