"""One request and what is known of it while it is answered."""

from __future__ import annotations

import random
import re
import time
from typing import Any

from aiohttp.helpers import RequestKey
from aiohttp.web_request import BaseRequest

from ohmstead.core.model import Person
from ohmstead.web.access import NOBODY
from ohmstead.web.dispatch import Operation

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Exchange:
    """A request, its id (the caller's own, where that is sane), when it began, who asks and what for."""

    __slots__ = ("began", "id", "operation", "person", "request")

    def __init__(self, request: BaseRequest) -> None:
        given = request.headers.get("X-Request-ID")
        self.request = request
        self.id = given if given and _REQUEST_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
        self.began = time.perf_counter()
        self.operation: Operation | None = None
        self.person: Person = NOBODY

    @property
    def template(self) -> str:
        """The path of the route, for labels: never the path that was asked for, of which there are endless many."""
        return self.operation.template if self.operation else "(none)"

    @property
    def method(self) -> str:
        """The method of the route, for labels; a client may send any word."""
        return self.operation.route.method if self.operation else "(none)"

    @property
    def address(self) -> str:
        """Where the request came from."""
        return self.request.remote or ""

    def query(self) -> dict[str, Any]:
        """The query as it came: a text for each name, a list of texts for one that is there several times."""
        if not self.request.rel_url.raw_query_string:
            return {}
        found: dict[str, Any] = {}
        for name, value in self.request.rel_url.query.items():
            if name not in found:
                found[name] = value
            elif isinstance(found[name], list):
                found[name].append(value)
            else:
                found[name] = [found[name], value]
        return found


KEY = RequestKey("exchange", Exchange)
