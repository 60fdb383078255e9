"""What became of the items of a request: the answer that its sender gets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ohmstead.core.clock import iso
from ohmstead.core.errors import Conflict, Invalid, Rejected
from ohmstead.core.model import Row
from ohmstead.integrations.native.payloads import BESIDE, Refusal, instant_ms


class Answer(msgspec.Struct):
    """`rejected` are the items of which nothing was stored; `items` names everything that was refused."""

    accepted: int
    rejected: int
    items: list[dict[str, Any]]


class Outcome:
    """The refusals of one request, by the index of their item. `sender` is the device of items that name none."""

    def __init__(self, items: Sequence[Any], sender: str | None) -> None:
        self._items, self._sender = items, sender
        self._refusals: dict[int, list[Refusal]] = {}

    def refuse(self, index: int, refusals: Iterable[Refusal]) -> None:
        """Something of an item was not taken."""
        self._refusals.setdefault(index, []).extend(refusals)

    def conflicts(self, rows: Sequence[Row]) -> None:
        """Storage holds another value of these rows already: name their items."""
        if not rows:
            return
        wanted: dict[tuple[str | None, int], list[Row]] = {}
        for row in rows:
            wanted.setdefault((row.series.device, row.at_ms), []).append(row)
        for index, item in enumerate(self._items):
            for row in wanted.get(self._place(item), ()):
                if _holds(item, row):
                    reason = f"{row.series.address} has another value at {iso(row.at_ms)} already"
                    quantity = None if "value_kwh" in item else row.series.quantity  # a sensor's item is one value
                    self.refuse(index, [Refusal(quantity, reason, Conflict(reason))])

    def _place(self, item: Any) -> tuple[str | None, int]:
        try:
            return item.get("device_id") or item.get("sensor_id") or self._sender, instant_ms(item.get("timestamp"))
        except (Rejected, AttributeError):
            return None, 0

    def _lost(self, index: int) -> bool:
        """Whether nothing of the item was stored."""
        refusals = self._refusals[index]
        return refusals[0].quantity is None or len(refusals) >= sum(key not in BESIDE for key in self._items[index])

    def answer(self) -> Answer:
        """The counts, and each refusal."""
        rejected = sum(map(self._lost, self._refusals))
        items = [_named(index, refusal) for index, refusals in sorted(self._refusals.items()) for refusal in refusals]
        return Answer(len(self._items) - rejected, rejected, items)

    def raise_lone(self) -> None:
        """Of a request with a single item, all of which was refused, raise the reason."""
        if 0 in self._refusals and self._lost(0):
            first = self._refusals[0][0]
            error = first.error or Invalid(first.reason)
            error.details = self.answer().items
            raise error


def _holds(item: dict[str, Any], row: Row) -> bool:
    return bool(item.get(row.series.quantity, item.get("value_kwh")) == row.value)


def _named(index: int, refusal: Refusal) -> dict[str, Any]:
    place = {"index": index, "reason": refusal.reason}
    return place if refusal.quantity is None else {**place, "quantity": refusal.quantity}
