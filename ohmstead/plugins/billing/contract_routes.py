"""`/contracts`: what is billed."""

from __future__ import annotations

from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import iso
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.billing.contract import Contract
from ohmstead.plugins.billing.contracts import Contracts, plain
from ohmstead.plugins.billing.schemas import CONTRACT

PAGE: dict[Any, Any] = {
    vol.Optional("limit", default=100, description="at most so many"): validate.integer(1, 1000),
    vol.Optional("cursor", description="nextCursor of the page before"): validate.slug,
}


class ContractRoutes:
    """The operations on contracts."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        made = {vol.Required("id", description="letters, digits, _ and -, at most 64"): validate.slug, **CONTRACT}
        tags = ("contracts",)
        return [
            Route("GET", "/contracts", self.listing, "read", "Contracts, in order of their ids", query=PAGE, tags=tags),
            Route("POST", "/contracts", self.make, "write", "Make a contract", body=made, status=201, tags=tags),
            Route("GET", "/contracts/{id}", self.one, "read", "One contract", tags=tags),
            Route("PUT", "/contracts/{id}", self.change, "write", "Describe a contract anew", body=CONTRACT, tags=tags),
            Route("DELETE", "/contracts/{id}", self.remove, "write", "Remove a contract; its issued bills stay", tags=tags),
        ]

    async def listing(self, call: Call) -> Reply:
        """A page of contracts."""
        rest = [each for each in self._contracts if each.id > call.query.get("cursor", "")]
        limit = call.query["limit"]
        more = rest[limit - 1].id if len(rest) > limit else None
        return Reply([self._shown(each) for each in rest[:limit]], next_cursor=more)

    async def one(self, call: Call) -> dict[str, Any]:
        """One contract."""
        return self._shown(self._contracts.get(call.path["id"]))

    async def make(self, call: Call) -> Reply:
        """A new contract."""
        given = {key: value for key, value in call.body.items() if key != "id"}
        return Reply(self._shown(await self._contracts.add(call.body["id"], given)), status=201)

    async def change(self, call: Call) -> dict[str, Any]:
        """Other options for a contract of the API."""
        return self._shown(await self._contracts.change(call.path["id"], call.body))

    async def remove(self, call: Call) -> dict[str, Any]:
        """Forget a contract of the API."""
        await self._contracts.remove(call.path["id"])
        return {"id": call.path["id"], "removed": True}

    def _shown(self, found: Contract) -> dict[str, Any]:
        return {
            "id": found.id, **plain(self._contracts.options(found.id)), "name": found.name, "location": found.location,
            "currency": found.currency, "time_zone": found.zone, "origin": found.origin,
            "starts_at": None if found.start_ms is None else iso(found.start_ms),
            "ends_at": None if found.end_ms is None else iso(found.end_ms),
            "problems": [{"path": option, "message": text} for option, text in self._contracts.problems(found)],
        }  # fmt: skip
