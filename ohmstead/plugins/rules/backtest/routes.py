"""`POST /backtests`: what rules and tariffs would have come to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Invalid
from ohmstead.core.route import Call, Route
from ohmstead.plugins.devices.locations import HOME, Locations
from ohmstead.plugins.ledger.moments import instant_ms, moment
from ohmstead.plugins.rules.alerts.rule import RULE
from ohmstead.plugins.rules.backtest.backtest import Backtest

MOST_DAYS = 1100
MOST = 100  # entries of a part


def options(value: Any) -> Mapping[str, Any]:
    """Options as they stand in the configuration; whoever runs them looks at what is in them."""
    if isinstance(value, Mapping):
        return value
    raise vol.Invalid("expected options as they stand in the configuration")


def few(value: Any) -> Any:
    """At most MOST of them."""
    if len(value) > MOST:
        raise vol.Invalid(f"expected at most {MOST} of them")
    return value


BODY: dict[Any, Any] = {
    vol.Required("from", description="a local day such as 2026-03-01, or an instant with its offset"): moment,
    vol.Required("to", description="where it ends, exclusive: a local day, or an instant with its offset"): moment,
    vol.Optional("alerts", default={}, description="alert rules by id, as they stand in the configuration"):
        vol.All({validate.slug: RULE}, few),
    vol.Optional("automations", default={}, description="automations by id, as they stand in the configuration"):
        vol.All({validate.slug: options}, few),
    vol.Optional("tariffs", default={}, description="tariffs by id, as they stand in the configuration"):
        vol.All({validate.slug: options}, few),
    vol.Optional("contract", description="whose periods are priced again; the home's main contract unless stated"): validate.slug,
}  # fmt: skip


class BacktestRoutes:
    """The one operation."""

    def __init__(self, backtest: Backtest, locations: Locations, clock: Clock) -> None:
        self._backtest, self._locations, self._clock = backtest, locations, clock

    def all(self) -> list[Route]:
        """Every operation, with its schema."""
        words = "What rules, automations and tariffs would have come to in the past"
        return [Route("POST", "/backtests", self.run, "write", words, body=BODY, tags=("rules",))]

    async def run(self, call: Call) -> dict[str, Any]:
        """Run a document against what was recorded."""
        zone = self._locations.zone_of(HOME)
        start_ms, end_ms = instant_ms(call.body["from"], zone), min(instant_ms(call.body["to"], zone), self._clock.now_ms())
        if start_ms >= end_ms:
            raise Invalid(f"nothing lies between {iso(start_ms)} and {iso(end_ms)}; expected a start before the end, in the past")
        if end_ms - start_ms > MOST_DAYS * 86_400_000:
            raise Invalid(f"expected a span of at most {MOST_DAYS} days")
        return await self._backtest.run(call.body, start_ms, end_ms)
