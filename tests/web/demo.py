"""A house with a few days of made-up history, for the browser test and for looking at the page."""

from __future__ import annotations

import math
import random
from typing import Any

from ohmstead.core.clock import iso
from ohmstead.core.events import Announced
from ohmstead.core.route import Call, Reply, Route
from tests.web.house import House

DEVICES = [
    {"id": "grid", "name": "Grid meter", "kind": "meter", "location": "home", "status": "online"},
    {"id": "pv", "name": "Roof PV", "kind": "inverter", "location": "roof", "status": "online"},
    {"id": "battery", "name": "Battery", "kind": "battery", "location": "cellar", "status": "error"},
    {"id": "fridge", "name": "Fridge <b>& co</b>", "kind": "plug", "location": "kitchen", "status": "offline"},
    {"id": "D1", "name": "D1", "kind": "other", "location": None, "status": "unknown"},
]
VALUES = {
    "grid": {"power": -1240.0, "energy_import": 8123.45, "energy_export": 2200.125, "voltage_l1": 230.4},
    "pv": {"power": 3412.0, "energy_total": 10_500.0},
    "battery": {"power": -860.0, "soc": 64.0, "mode": "charging"},
    "fridge": {"power": 61.3, "switch": "on"},
    "D1": {"power": 195.5, "voltage": 230.0, "current": 0.85, "temperature": 40.0},
}
STEP_MS = {"1m": 60_000, "5m": 300_000, "1h": 3_600_000}


class Answers:
    """The routes that the page asks, over the states of a house."""

    def __init__(self) -> None:
        self.house: House | None = None
        self.random = random.Random(7)
        self.alerts: dict[int, Any] = {}

    async def devices(self, call: Call) -> Any:
        return DEVICES

    async def states(self, call: Call) -> Any:
        assert self.house
        return [
            {"device": s.series.device, "quantity": s.series.quantity, "value": s.value, "unit": s.series.unit, "at": iso(s.updated_ms),
             "changed": iso(s.changed_ms), "reported": iso(s.reported_ms), "restored": s.restored}
            for s in self.house.hub.states
        ]  # fmt: skip

    async def listed(self, call: Call) -> Any:
        return list(self.alerts.values())

    async def acknowledge(self, call: Call) -> Any:
        return self.alert(int(call.path["id"]), status="acknowledged", acknowledged_by="owner")

    async def automations(self, call: Call) -> Any:
        plain = {"description": None, "enabled": True, "running": 0, "last_triggered": None, "last_result": None}
        return [{"id": "car", **plain, "name": "Charge the car", "running": 1}, {"id": "shed", **plain, "name": "Shed load", "last_result": "failed"}]

    def alert(self, id_: int, **facts: Any) -> Any:
        """An alert takes a step, and the live socket says so."""
        assert self.house
        before = {"id": id_, "severity": "high", "status": "triggered", "title": f"Alert <i>{id_}</i>", "message": "It is 54 °C.",
                  "acknowledged_by": None, "triggered": iso(self.house.hub.clock.now_ms())}  # fmt: skip
        self.alerts[id_] = {**self.alerts.get(id_, before), **facts}
        self.house.hub.bus.publish(Announced("ALERT", f"{id_}.{self.alerts[id_]['status']}", "D1", self.alerts[id_]))
        return self.alerts[id_]

    async def readings(self, call: Call) -> Any:
        assert self.house
        now, step = self.house.hub.clock.now_ms(), STEP_MS[call.query["resolution"]]
        from datetime import datetime

        start = int(datetime.fromisoformat(call.query["start"]).timestamp() * 1000)
        counter = call.query["quantity"].startswith("energy")
        return Reply([self.point(at, counter) for at in range(start, now, step) if not 0.55 < (at - start) / (now - start) < 0.6])

    def point(self, at_ms: int, counter: bool) -> dict[str, Any]:
        day = at_ms / 86_400_000
        if counter:
            first = day * 24 + 3 * math.sin(day * 2 * math.pi) / 6.28
            return {"start": iso(at_ms), "min": first, "mean": first, "max": first, "first": first, "last": first + 0.9, "count": 10}
        value = 2200 * max(0, math.sin((day % 1) * 2 * math.pi - 1.5)) - 700 + self.random.uniform(-150, 150)
        spread = self.random.uniform(20, 220)
        return {"start": iso(at_ms), "min": value - spread, "mean": value, "max": value + spread, "last": value, "count": 12}

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/devices", self.devices, "read", "Devices"),
            Route("GET", "/states", self.states, "read", "States"),
            Route("GET", "/devices/{id}/energy/readings", self.readings, "read", "Readings"),
            Route("GET", "/alerts", self.listed, "read", "Alerts"),
            Route("GET", "/automations", self.automations, "read", "Automations"),
            Route("POST", "/alerts/{id}/acknowledge", self.acknowledge, "write", "Acknowledge"),
        ]


async def furnish(house: House) -> None:
    """Let every device report once."""
    now = house.hub.clock.now_ms()
    for device, values in VALUES.items():
        batch = house.hub.ingest.batch("demo", "demo")
        for quantity, value in values.items():
            assert batch.add(batch.feed(device), quantity, value, now - (0 if device != "fridge" else 4_000_000)) is None
        await house.hub.ingest.store(batch)
