"""Ohmstead's own JSON: an object whose keys are quantities, with the time of its values; and a device's word on itself.

What cannot be taken becomes a dead letter that can be replayed: one value by itself, an item, or a whole message.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from ohmstead.core.clock import EARLIEST_MS, LATEST_MS, from_ms, to_ms
from ohmstead.core.errors import Invalid, Rejected
from ohmstead.core.ingest import Batch, show
from ohmstead.core.model import DeviceStatus, Status

TELEMETRY, STATUS, SENSOR = "telemetry", "status", "sensor"  # formats of dead letters
BESIDE = frozenset({"timestamp", "device_id", "sample_ms"})  # keys of an item that are no quantities
PLAIN = frozenset({"timestamp", "device_id"})  # those of most items
SAMPLE_MS = 86_400_000  # the longest sampling time that is believed
ITEMS = 10_000  # in one message
WORDS = {"online": DeviceStatus.ONLINE, "offline": DeviceStatus.OFFLINE, "error": DeviceStatus.ERROR}
_JSON: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


class Refusal(NamedTuple):
    """What was not taken of an item, and why. `quantity` None means all of it; `error` is then what a lone sender gets."""

    quantity: str | None
    reason: str
    error: Rejected | None = None


def document(raw: bytes) -> Any:
    """Any JSON; Invalid says what is wrong with it."""
    try:
        return _JSON.decode(raw)
    except RecursionError:
        raise Invalid("nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"not JSON: {error}") from None


def instant_ms(text: Any, name: str = "timestamp") -> int:
    """The instant of an ISO 8601 time with a zone; Invalid for anything else, a number included: nobody knows its unit."""
    if text.__class__ is not str:
        raise Invalid(f"{name} is missing" if text is None else f'{name} must be a time such as "2026-02-07T11:26:00Z", not {show(text)}')
    try:
        at_ms = _parsed(text)
    except ValueError:
        raise Invalid(f'{name} must be a time such as "2026-02-07T11:26:00Z", not {show(text)}') from None
    if at_ms is None:
        raise Invalid(f"{name} {text} has no zone; add Z or an offset such as +01:00")
    if not EARLIEST_MS <= at_ms < LATEST_MS:
        raise Invalid(f"{name} {text} is in no calendar")
    return at_ms


@lru_cache(4096)  # the items of a batch mostly share their instants
def _parsed(text: str) -> int | None:
    at = datetime.fromisoformat(text)
    return None if at.tzinfo is None else to_ms(at)


def telemetry(batch: Batch, device: str, raw: bytes, retained: bool = False) -> None:
    """Take a message of `device`: an item or a list of items. An empty `device`: each item names its own."""
    try:
        given = document(raw)
        if given.__class__ is list and len(given) > ITEMS:
            raise Invalid(f"{len(given)} items; at most {ITEMS} in one message")
    except Invalid as refusal:
        batch.refuse(str(refusal), raw, device, device or None, TELEMETRY)
        return
    if given.__class__ is list:
        for item in given:
            put(batch, item, device or None, retained)
    else:
        put(batch, given, device or None, retained, raw)


def put(batch: Batch, item: Any, device: str | None = None, retained: bool = False, raw: bytes | None = None) -> list[Refusal] | None:
    """Take the values of one item; what was refused, None when that is nothing.

    `device` is who sent it; without one the item names its own. A retained message without a time fills empty states.
    """
    try:
        owner = _owner(item, device)
        if retained and "timestamp" not in item:
            return _seed(batch, item, owner)
        at_ms = instant_ms(item.get("timestamp"))
        sampled_ms = _sampled_ms(item["sample_ms"]) if "sample_ms" in item else None
        feed = batch.feed(owner)
    except Rejected as refusal:
        return [refuse(batch, item, device or "", str(refusal), raw)._replace(error=refusal)]
    refusals: list[Refusal] = []
    add, values = batch.add, 0
    for quantity, value in item.items():
        if quantity not in BESIDE:
            values += 1
            reason = add(feed, quantity, value, at_ms)
            if reason is not None:
                piece = {"device_id": owner, "timestamp": item["timestamp"], quantity: value}
                refusals.append(Refusal(quantity, refuse(batch, piece, owner, reason).reason))
            elif sampled_ms is not None:
                batch.note(feed, quantity, at_ms, sampled_ms)
    if not values:
        return [refuse(batch, item, device or "", "there is no reading in it", raw)]
    return refusals or None


def put_plain(batch: Batch, items: Sequence[Any]) -> bool:
    """Take items as columns, for a fraction of what `put` costs each; False, and none is taken, unless all are as most are.

    That is: each names its device and its time, and has nothing else but numbers of quantities that were heard before.
    """
    try:
        instants = [at_ms for item in items if (at_ms := _parsed(item["timestamp"])) is not None]
        devices = [item["device_id"] for item in items]
        if len(instants) < len(items) or {*map(type, devices)} != {str} or min(map(len, items)) == len(PLAIN):
            return False
        feeds = batch.feeds(devices)
    except (KeyError, TypeError, ValueError, Rejected):
        return False
    return batch.add_plain([
        (feed, quantity, value, at_ms)
        for feed, at_ms, item in zip(feeds, instants, items, strict=True)
        for quantity, value in item.items() if quantity not in PLAIN
    ])  # fmt: skip


def _sampled_ms(value: Any) -> int:
    """For how long an item was sampled, to the millisecond."""
    if value.__class__ not in (int, float) or not 0 <= value <= SAMPLE_MS:
        raise Invalid(f"sample_ms must be a number of milliseconds from 0 to {SAMPLE_MS}, not {show(value)}")
    return round(value)


def _owner(item: Any, device: str | None) -> str:
    """Whose item it is: what it says and who sent it must agree."""
    if item.__class__ is not dict:
        raise Invalid(f"expected an object of quantities, not {show(item)}")
    stated = item.get("device_id", device)
    if stated.__class__ is not str:
        raise Invalid("device_id is missing" if stated is None else f"device_id must be a text, not {show(stated)}")
    if device is not None and stated != device:
        raise Invalid(f"device_id {show(stated)} is not the sender {device!r}")
    return str(stated)


def _seed(batch: Batch, item: dict[str, Any], device: str) -> list[Refusal] | None:
    """Nobody knows when a retained message was sent: it may fill an empty state, and is never stored."""
    feed = batch.feed(device, heard=False)
    refusals = []
    for quantity, value in item.items():
        if quantity != "device_id" and (reason := batch.seed(feed, quantity, value)) is not None:
            refusals.append(Refusal(quantity, refuse(batch, {"device_id": device, quantity: value}, device, reason).reason))
    return refusals or None


def refuse(batch: Batch, item: Any, device: str, reason: str, raw: bytes | None = None, format: str = TELEMETRY) -> Refusal:  # noqa: A002
    """Put an item aside for a replay."""
    batch.refuse(reason, msgspec.json.encode(item) if raw is None else raw, device, device or None, format)
    return Refusal(None, reason)


def status(raw: bytes, device: str) -> Status:
    """A device's word on itself: a bare word, or an object with `status`, `code`, `message`, `timestamp`. Invalid."""
    word = raw.strip().decode("ascii", "replace").strip('"')
    if word in WORDS:
        return Status(WORDS[word], device)
    given = document(raw)
    if given.__class__ is not dict:
        raise Invalid(f"expected online, offline, error or an object with status, not {show(given)}")
    if given.get("device_id", device) != device:
        raise Invalid(f"device_id {show(given['device_id'])} is not the sender {device!r}")
    told, time = given.get("status"), given.get("timestamp")
    if not isinstance(told, str) or told not in WORDS:
        raise Invalid(f"status must be one of {', '.join(WORDS)}, not {show(told)}")
    at = None if time is None else from_ms(instant_ms(time))
    return Status(WORDS[told], device, _text(given, "code"), _text(given, "message"), at)


def _text(given: dict[str, Any], key: str) -> str | None:
    value = given.get(key)
    if value is None or isinstance(value, str):
        return None if value is None else value[:200]
    if isinstance(value, int | float):
        return str(value)
    raise Invalid(f"{key} must be a text, not {show(value)}")
