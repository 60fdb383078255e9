"""Taking Ohmstead's own JSON in over HTTP. A 2xx means committed; a bad item never blocks the good ones."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from ohmstead.core.errors import Forbidden, Invalid
from ohmstead.core.hub import Hub
from ohmstead.core.ingest import Batch, show
from ohmstead.core.model import Person
from ohmstead.core.route import Call, Handler, Reply, Route
from ohmstead.integrations.native.outcome import Outcome
from ohmstead.integrations.native.payloads import ITEMS, TELEMETRY, document, put, put_plain
from ohmstead.integrations.native.sensors import Sensors

ROOM_WITHIN_S = 5.0
BREATH = 250  # items decoded before the other tasks get their turn: about a millisecond
MAX_BODY = 4_000_000
PHASES = {name: f"_l{n}" for n, names in ((1, "1 a A l1 L1"), (2, "2 b B l2 L2"), (3, "3 c C l3 L3")) for name in names.split()}


class Attributes(msgspec.Struct):
    """What a sample says of itself."""

    phase: str | int | None = None
    sample_ms: float | None = None


class Sample(msgspec.Struct):
    """One sample of current and voltage; `power` is their product when it is not given. Further keys are quantities too."""

    ts: str
    current: float | None = None
    voltage: float | None = None
    power: float | None = None
    device_id: str | None = None
    attributes: Attributes | None = None


class Readings(msgspec.Struct):
    """A batch. Each item has its device, its time and its values."""

    readings: Annotated[list[Any], msgspec.Meta(max_length=ITEMS)]


class Routes:
    """The operations."""

    def __init__(self, hub: Hub, sensors: Sensors) -> None:
        self._hub, self._sensors = hub, sensors

    def all(self) -> list[Route]:
        """Every operation."""
        return [
            _route("/ingest", self.sample, Sample, "Send a sample of current and voltage"),
            _route("/telemetry", self.single, dict[str, Any], "Send the values of a device at one instant"),
            _route("/telemetry/batch", self.batch, Readings, "Send up to 10,000 readings of any devices"),
            _route("/sensors/readings/batch", self.sensor_batch, Readings, "Send up to 10,000 energies of stated periods"),
            _route("/devices/{id}/energy/readings", self.of_device, dict[str, Any] | list[Any], "Send readings of one device"),
        ]

    async def sample(self, call: Call) -> Reply:
        """`POST /ingest`: the header `X-Device-ID` says who sends."""
        device = call.headers.get("x-device-id") or call.who.device
        if not device:
            raise Invalid("the header X-Device-ID is missing")
        further = {key: value for key, value in document(call.raw).items() if key not in Sample.__struct_fields__}
        return await self._one(call.who, {**further, **item_of(call.body)}, device)

    async def single(self, call: Call) -> Reply:
        """`POST /telemetry`: one item."""
        return await self._one(call.who, call.body, call.who.device)

    async def batch(self, call: Call) -> Reply:
        """`POST /telemetry/batch`: items of any devices the sender may write."""
        return _reply(await self._take(call.who, call.body.readings, call.who.device))

    async def of_device(self, call: Call) -> Reply:
        """`POST /devices/{id}/energy/readings`: an item, a list of them, or a batch."""
        device, items = call.path["id"], call.body
        if isinstance(items, dict):
            if "readings" not in items:
                return await self._one(call.who, items, device)
            items = items["readings"]
        if not isinstance(items, list) or len(items) > ITEMS:
            raise Invalid(f"expected one reading or a list of at most {ITEMS}")
        _only(call.who, device)
        return _reply(await self._take(call.who, items, device))

    async def sensor_batch(self, call: Call) -> Reply:
        """`POST /sensors/readings/batch`: energies of stated periods."""
        items, sender = call.body.readings, call.who.device
        batch, outcome = await self._begin(call.who), Outcome(items, sender)
        for index, item in enumerate(items):
            refusals = await self._sensors.put(batch, item, sender)
            if refusals is not None:
                outcome.refuse(index, refusals)
            if index % BREATH == BREATH - 1:
                await asyncio.sleep(0)
        await self._commit(batch, outcome)
        return _reply(outcome)

    async def _one(self, who: Person, item: dict[str, Any], device: str | None) -> Reply:
        """A lone item: when nothing of it can be taken its sender gets the error itself."""
        _only(who, item.get("device_id", device))
        if device is not None:
            _only(who, device)
        outcome = await self._take(who, [item], device)
        outcome.raise_lone()
        return _reply(outcome)

    async def _take(self, who: Person, items: Sequence[Any], sender: str | None) -> Outcome:
        batch, outcome = await self._begin(who), Outcome(items, sender)
        for first in range(0, len(items), BREATH):
            some = items[first : first + BREATH]
            if sender is not None or not put_plain(batch, some):
                for index, item in enumerate(some, first):
                    refusals = put(batch, item, sender)
                    if refusals is not None:
                        outcome.refuse(index, refusals)
            await asyncio.sleep(0)
        await self._commit(batch, outcome)
        return outcome

    async def _begin(self, who: Person) -> Batch:
        """A batch, once storage takes more; Unavailable when it does not."""
        await self._hub.ingest.room(ROOM_WITHIN_S)
        return self._hub.ingest.batch(f"http:{who.id}", TELEMETRY)

    async def _commit(self, batch: Batch, outcome: Outcome) -> None:
        await self._hub.ingest.store(batch)
        outcome.conflicts(batch.conflicts)


def item_of(sample: Sample) -> dict[str, Any]:
    """The item that a sample stands for; Invalid for a phase nobody knows."""
    attributes = sample.attributes or Attributes()
    suffix = "" if attributes.phase is None else PHASES.get(str(attributes.phase))
    if suffix is None:
        raise Invalid(f"attributes.phase must be L1, L2 or L3, not {show(attributes.phase)}")
    power = sample.power
    if power is None and sample.current is not None and sample.voltage is not None:
        power = sample.current * sample.voltage
    values = {f"current{suffix}": sample.current, f"voltage{suffix}": sample.voltage, f"power{suffix}": power}
    item = {"device_id": sample.device_id, "timestamp": sample.ts, "sample_ms": attributes.sample_ms, **values}
    return {key: value for key, value in item.items() if value is not None}


def _only(who: Person, device: object) -> None:
    if who.device is not None and device is not None and device != who.device:
        raise Forbidden(f"this is the secret of device {who.device!r}, which writes for itself alone")


def _reply(outcome: Outcome) -> Reply:
    return Reply(msgspec.to_builtins(outcome.answer()), status=202)


def _route(path: str, handler: Handler, body: Any, summary: str) -> Route:
    return Route("POST", path, handler, "ingest", summary, body=body, status=202, max_body=MAX_BODY, tags=("Ingest",))
