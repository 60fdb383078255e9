"""A bill's line, opened: down to its slots, and a slot down to its layers, its corrections and the readings it was derived from."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ohmstead.core.clock import iso, to_ms
from ohmstead.core.errors import NotFound, Unavailable
from ohmstead.core.quantity import Kind
from ohmstead.plugins.billing.bill import plain
from ohmstead.plugins.billing.bills import Bills
from ohmstead.plugins.billing.snapshot import Snapshot
from ohmstead.plugins.ledger.layers import interval
from ohmstead.plugins.ledger.sheet import Sheet
from ohmstead.plugins.tariffs.lines import opened
from ohmstead.plugins.tariffs.selection import IMPORT

if TYPE_CHECKING:
    from ohmstead.plugins.ledger.ledger import Ledger
    from ohmstead.plugins.storage.history import History

ENERGY = ("kWh", "m³")
AROUND_MS = 3_600_000  # how far around a slot its readings are shown
MOST_READINGS = 2000


class Opener:
    """Opens bills that are in the books and drafts alike."""

    def __init__(self, bills: Bills, ledger: Ledger, history: History) -> None:
        self._bills, self._ledger, self._history = bills, ledger, history

    async def line(self, bill: str, number: int, after: int, limit: int) -> tuple[dict[str, Any], int | None]:
        """A line with its slots behind the first `after`, and how many to skip for the next page. NotFound.

        An issued bill is opened with the slots and prices that it was issued with.
        """
        body, made_of = await self._bills.opened(bill)
        if not 1 <= number <= len(body["lines"]):
            raise NotFound(f"bill {bill} has lines 1 to {len(body['lines'])}, no line {number}")
        line = body["lines"][number - 1]
        found = await asyncio.to_thread(_slots, body, made_of, line, after, limit + 1)
        return {"bill": bill, **line, "opened": found[:limit]}, after + limit if len(found) > limit else None

    async def slot(self, bill: str, at_ms: int) -> dict[str, Any]:
        """The slot of a bill that an instant lies in: each meter point's layers and corrections, and the readings around it. NotFound."""
        body, made_of = await self._bills.opened(bill)
        start_ms, end_ms = (to_ms(datetime.fromisoformat(body[name])) for name in ("start", "end"))
        if not start_ms <= at_ms < end_ms:
            raise NotFound(f"bill {bill} counts from {body['start']} until {body['end']}, not {iso(at_ms)}")
        zone = ZoneInfo(body["time_zone"])
        points = [await self._point(made_of.sheets[point], point, at_ms, zone) for point in _points(body) if point in self._ledger.points]
        return {"bill": bill, "at": iso(at_ms), "meter_points": points}

    async def _point(self, sheets: Sequence[Sheet], point: str, at_ms: int, zone: ZoneInfo) -> dict[str, Any]:
        billed = _slot_of(sheets, at_ms)
        start_ms, end_ms = (at_ms, at_ms + 1) if billed is None else (_instant(*billed), _instant(*billed) + billed[0].slot_ms)
        layers = await self._ledger.layers(point, start_ms, end_ms)
        readings = [
            await self._readings(address, start_ms, end_ms)
            for binding in self._ledger.points.bindings(point)
            if binding.from_ms < end_ms and (binding.to_ms is None or binding.to_ms > start_ms)
            for address in binding.series()
        ]
        said = {layer.name.lower(): _slot_of(found, start_ms) for layer, found in layers.items()}
        return {
            "meter_point": point, "billed": None if billed is None else shown(*billed, zone), "readings": readings,
            "corrections": [
                {"number": each.number, "kind": each.change.kind, "reason": each.reason}
                for each in await self._ledger.corrected(point, start_ms, end_ms)
            ],
            "layers": {layer: shown(*found, zone) for layer, found in said.items() if found is not None},
        }  # fmt: skip

    async def _readings(self, address: str, start_ms: int, end_ms: int) -> dict[str, Any]:
        device, _, quantity = address.partition(".")
        found = await self._history.find(device, quantity)
        rows: Sequence[tuple[int, object]] = ()
        lost: dict[str, str] = {}
        begin, end = start_ms - AROUND_MS, end_ms + AROUND_MS
        for each in found:
            rows = await self._history.raw(each.key, begin, end, MOST_READINGS, kind=each.kind)
            if each.kind is not Kind.DELTA:
                try:
                    rows = await self._ledger.sent(each.key, begin, end, MOST_READINGS)
                except Unavailable as error:
                    lost = {"lost": str(error)}
        unit = found[0].unit if found else None
        return {"series": address, "unit": unit, "readings": [{"at": iso(at_ms), "value": value} for at_ms, value, *_ in rows], **lost}


def _points(body: Mapping[str, Any], direction: str | None = None) -> list[str]:
    """The meter points that a bill counts, all or those of a direction."""
    return [point for side in ("import", "export") if direction in (None, side) for point in body[side]["meter_points"]]


def _slots(body: Mapping[str, Any], made_of: Snapshot, line: Mapping[str, Any], after: int, count: int) -> list[dict[str, Any]]:
    """A line's slots. Those of a peak show their energy, which by itself has no price."""
    zone, energy = ZoneInfo(body["time_zone"]), line["unit"] in ENERGY
    points = _points(body, line["direction"] or IMPORT)
    scale, pieces = made_of.lines[line["line"] - 1]
    return [
        {
            "start": iso(slot.start_ms), "end": iso(slot.end_ms), "quantity": plain(slot.quantity),
            "unit": line["unit"] if energy else ENERGY[0], "price": plain(slot.price) if energy else None,
            "price_import": slot.told_by or None, "amount": plain(slot.amount) if energy else None,
            "meter_points": [
                {"meter_point": point, **shown(*found, zone)}
                for point in points
                if (found := _slot_of(made_of.sheets[point], slot.start_ms)) is not None
            ],
        }
        for slot in islice(opened(pieces, scale), after, after + count)
    ]  # fmt: skip


def _slot_of(sheets: Sequence[Sheet], at_ms: int) -> tuple[Sheet, int] | None:
    """The sheet and the number in it of the slot that an instant lies in."""
    for sheet in sheets:
        if sheet.start_ms <= at_ms < sheet.end_ms:
            return sheet, (at_ms - sheet.start_ms) // sheet.slot_ms
    return None


def _instant(sheet: Sheet, place: int) -> int:
    return sheet.start_ms + place * sheet.slot_ms


def shown(sheet: Sheet, place: int, zone: ZoneInfo) -> dict[str, Any]:
    """One slot as the API shows intervals."""
    start = _instant(sheet, place)
    cover = sheet.measured_ms[place], sheet.estimated_ms[place], sheet.reset_ms[place]
    return interval(start, start + sheet.slot_ms, sheet.mwh[place], cover, sheet.source[place], zone)
