"""Ohmstead's own topics: `devices/{id}/telemetry`, `/readings` and `/status`, and `green-energy/{source}/generation`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ohmstead.core.errors import Rejected
from ohmstead.core.ingest import Batch, Ingest
from ohmstead.core.model import DeviceStatus, Status
from ohmstead.integrations.native.payloads import STATUS, TELEMETRY, status, telemetry
from ohmstead.plugins.protocols.mqtt import Message, Mqtt

READINGS = ("devices/+/telemetry", "devices/+/readings", "green-energy/+/generation")
STATUSES = "devices/+/status"
SOURCE = "mqtt"
QOS = 2  # whatever the sender chose

Report = Callable[[Status, str], None]


class Topics:
    """Takes messages in. What arrives in one turn of the event loop goes to ingest as one batch."""

    _ingest: Ingest

    def __init__(self, report: Report) -> None:
        self.messages = 0
        self._report = report
        self._batch: Batch | None = None
        self._taken: list[Message] = []

    def listen(self, ingest: Ingest, mqtt: Mqtt) -> None:
        """Subscribe for the life of the house."""
        self._ingest = ingest
        for topic in READINGS:
            mqtt.subscribe(topic, self._readings, QOS)
        mqtt.subscribe(STATUSES, self._status, QOS)

    def _readings(self, message: Message) -> None:
        telemetry(self._collect(message), _device(message), message.payload, message.retain)

    def _status(self, message: Message) -> None:
        self.status(self._collect(message), _device(message), message.payload)

    def status(self, batch: Batch, device: str, raw: bytes) -> None:
        """Pass a device's word on; also replays one that was refused."""
        try:
            said = status(raw, device)
            if said.status is not DeviceStatus.OFFLINE:
                batch.feed(device)
            self._report(said, device)
        except Rejected as refusal:
            batch.refuse(str(refusal), raw, device, device, STATUS)

    def _collect(self, message: Message) -> Batch:
        self.messages += 1
        if self._batch is None:
            self._batch = self._ingest.batch(SOURCE, TELEMETRY)
            asyncio.get_running_loop().call_soon(self._send)
        self._taken.append(message)
        return self._batch

    def _send(self) -> None:
        batch, self._batch = self._batch, None
        taken, self._taken = self._taken, []
        assert batch is not None

        def settled(error: Exception | None) -> None:
            if error is None:
                for message in taken:
                    message.ack()

        batch.on_settled(settled)
        self._ingest.send(batch)


def _device(message: Message) -> str:
    return message.topic.split("/", 2)[1]
