"""`GET /telemetry`: the latest readings, or those of a device within a span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import Clock, iso
from ohmstead.core.errors import Invalid
from ohmstead.core.model import Series, State
from ohmstead.core.quantity import Kind
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.history.instant import cursor, span
from ohmstead.plugins.history.live import PAGE, Live, page
from ohmstead.plugins.history.readings import RANGE
from ohmstead.plugins.storage.history import SeriesInfo

if TYPE_CHECKING:
    from ohmstead.plugins.storage.history import History

QUERY: dict[Any, Any] = {
    vol.Optional("device_id", description="only of this device; must be given with start or end"): validate.slug,
    vol.Optional("quantity", description="only of this quantity"): validate.slug,
    **RANGE,
    **PAGE,
}


class Telemetry:
    """Readings of several series in one list: by quantity, then by time."""

    def __init__(self, history: History, live: Live, clock: Clock) -> None:
        self._history, self._live, self._clock = history, live, clock

    def route(self) -> Route:
        """The operation, with its schema."""
        summary = "The latest readings, or with start or end those of a device within that span"
        return Route("GET", "/telemetry", self.page, "read", summary, query=QUERY, tags=("history",))

    async def page(self, call: Call) -> Reply:
        """A page of readings."""
        asked = call.query
        if "start" in asked or "end" in asked:
            return await self._range(call)
        quantity = asked.get("quantity")
        states = (s for s in self._live.of(asked.get("device_id")) if quantity is None or s.series.quantity == quantity)
        return page(call, ((state.series.address, state) for state in states), _latest)

    async def _range(self, call: Call) -> Reply:
        asked = call.query
        if "device_id" not in asked:
            raise Invalid("of which device?", [{"path": "device_id", "message": "is needed with start or end"}])
        start, end = span(asked.get("start"), asked.get("end"), self._clock)
        begin, after = _place(asked.get("cursor"))
        most: int = asked["limit"]
        found: list[tuple[SeriesInfo, int, Any]] = []
        for series in await self._history.find(asked["device_id"], asked.get("quantity")):
            if series.quantity >= begin:
                found += await self._read(series, start, end, most + 1 - len(found), after if series.quantity == begin else None)
            if len(found) > most:
                last = found[most - 1]
                return Reply([_row(*row) for row in found[:most]], next_cursor=f"{last[0].quantity}@{last[1]}")
        return Reply([_row(*row) for row in found])

    async def _read(self, series: SeriesInfo, start: int, end: int, most: int, after: int | None) -> list[tuple[SeriesInfo, int, Any]]:
        if series.kind is Kind.DELTA:
            return [(series, at, value) for _, at, value in await self._history.deltas(series.key, start, end, most, after)]
        return [(series, at, value) for at, value in await self._history.raw(series.key, start, end, most, after, series.kind)]


def _place(given: str | None) -> tuple[str, int | None]:
    """Quantity and instant that a cursor stands for."""
    if given is None:
        return "", None
    quantity, _, at = given.partition("@")
    try:
        return quantity, cursor(at)
    except vol.Invalid as error:
        raise Invalid("the query is not right", [{"path": "cursor", "message": error.msg}]) from None


def _row(series: SeriesInfo | Series, at_ms: int, value: float | str) -> dict[str, Any]:
    return {"device_id": series.device, "quantity": series.quantity, "value": value, "unit": series.unit, "timestamp": iso(at_ms)}


def _latest(state: State) -> dict[str, Any]:
    return _row(state.series, state.updated_ms, state.value)
