"""Rules: thresholds and whole automation runs against Home Assistant, what 10,000 rules cost ingest, a year replayed.

All in a whole house: storage, ledger, audit log and everything else that listens run beside.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from bench import readings
from bench.machine import free_port
from bench.peer import peer
from bench.private import folder
from bench.row import Beside, Row, rounds, side_by_side
from ohmstead.config import yaml_file
from ohmstead.config.house import House
from ohmstead.core.bus import Bus
from ohmstead.core.clock import Clock
from ohmstead.core.model import Person, Series
from ohmstead.core.quantity import Quantities
from ohmstead.core.route import Call
from ohmstead.core.states import States
from ohmstead.plugins.rules.compare import Comparison
from ohmstead.plugins.rules.watch import Watches
from ohmstead.plugins.storage.storage import Storage
from ohmstead.web.dispatch import API, Table

ROUNDS = rounds(3)
SERIES = 1000
CHANGES = 200
RULES = 10_000
READINGS = 300_000
AUTOMATIONS, RUNS = 100, 200  # each so often
MINUTES = 525_600
START_MS, MINUTE_MS = 1_735_689_600_000, 60_000  # 2025-01-01
HOME_ASSISTANT = "Home Assistant 2024.3.3"

YEAR = """
    WITH RECURSIVE minute (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM minute WHERE n + 1 < ?4)
    INSERT INTO readings SELECT ?1, ?2 + n * ?3, n * 7919 % 1000 + (n % 180 < 30) * 4000 FROM minute
"""
AUTOMATION = """
  rule_{n}:
    trigger: [{{state: meter-{n}.power, above: 1000}}]
    condition: [{{state: battery.soc, at_least: 60}}]
    action: [{{set: {{state: limit_{n}.power, value: 7}}}}]
"""
ALERT = "  rule_{n}: {{device: meter, quantity: power, above: {above}, clear_below: {clear}, for: 5m, notify: []}}\n"


def thresholds() -> float:
    """Sets of states a second, each compared with one threshold; one in a hundred begins or ends to meet it."""
    bus = Bus()
    states, watches = States(bus), Watches(Clock())
    watches.listen(bus)
    series = _series(SERIES)
    for number, one in enumerate(series):
        watches.watch(one.address, watches.gate(str(number), Comparison("above", 1000.0), lambda turn: None))
        states.set(one, 0.0, 0, 0)
    gc.collect()
    start = time.perf_counter()
    for change in range(1, CHANGES + 1):
        value = float(change)
        for number, one in enumerate(series):
            states.set(one, 2000.0 if (number + change) % 100 == 0 else value, change, change)
    return SERIES * CHANGES / (time.perf_counter() - start)


def _series(count: int) -> list[Series]:
    power = Quantities()["power"]
    return [Series(f"meter-{number}", power) for number in range(count)]


@asynccontextmanager
async def house(place: Path, yaml: str) -> AsyncIterator[House]:
    """A whole one that runs."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "configuration.yaml").write_text(f"home: {{time_zone: Europe/Berlin}}\n{yaml}")
    made = House(place, {}, {"port": str(free_port())})
    try:
        await made.open()
        await made.start()
        yield made
    finally:
        await made.stop()


async def automation_runs(place: Path) -> float:
    """Runs a second: each is set off by a reading, asks a condition, and sets a value, which is stored."""
    yaml = "automations:" + "".join(AUTOMATION.format(n=number) for number in range(AUTOMATIONS))
    async with house(place, yaml) as made:
        states, found = made.hub.states, made.parts.rules.automations
        battery = Series("battery", made.hub.quantities["soc"])
        meters = _series(AUTOMATIONS)
        at_ms = made.hub.clock.now_ms() - 3_600_000
        states.set(battery, 80.0, at_ms, at_ms)
        gc.collect()
        start = time.perf_counter()
        for number in range(1, RUNS + 1):
            for power in (2000.0 + number, 0.0):
                at_ms += 1
                for one in meters:
                    states.set(one, power, at_ms, at_ms)
            await asyncio.sleep(0)
        took = time.perf_counter() - start
        runs = sum(each.count for each in found)
        assert runs == AUTOMATIONS * RUNS, f"{runs} runs"
        return runs / took


async def ingested(place: Path, rules: int, series: int = RULES) -> float:
    """Readings a second, from send to commit, of 10,000 series with so many rules in all, spread over them."""
    clock, bus = Clock(), Bus()
    storage, watches = Storage("sqlite:///bench.db", place, clock, bus), Watches(clock)
    await storage.open()
    way_in, owners = readings.ingest(storage, bus, clock), readings.series(series)
    watches.listen(bus)
    for number in range(rules):
        address = owners[number % len(owners)].address
        watches.watch(address, watches.gate(str(number), Comparison("above", 20_000.0 + number), lambda turn: None))
    made = readings.batches(way_in, readings.rows(owners, READINGS), 1000)
    done = asyncio.Event()
    made[-1].on_settled(lambda error: done.set())
    gc.collect()
    start = time.perf_counter()
    for batch in made:
        if not storage.has_room():
            await storage.room()
        way_in.send(batch)
        await asyncio.sleep(0)
    await done.wait()
    took = time.perf_counter() - start
    await storage.close()
    return READINGS / took


async def replayed(place: Path) -> float:
    """Seconds for a year of one reading a minute under ten rules."""
    async with house(place, "") as made:
        batch = made.hub.ingest.batch("bench", "bench")
        assert batch.add(batch.feed("meter"), "power", 1.0, made.hub.clock.now_ms()) is None
        await made.hub.ingest.store(batch)
        await made.parts.storage.write(_fill)
        rules = "".join(ALERT.format(n=n, above=2000 + 200 * n, clear=1500 + 200 * n) for n in range(10))
        (place / "rules.yaml").write_text(f"alerts:\n{rules}")
        document = {**yaml_file.read_file(place / "rules.yaml").data, "from": "2025-01-01", "to": "2026-01-01"}
        operation, values = Table(made.hub.routes()).find("POST", f"{API}/backtests")
        call = Call(Person("bench"), values, body=operation.intake.body(msgspec.json.encode(document)))
        start = time.perf_counter()
        found = await operation.route.handler(call)
        took = time.perf_counter() - start
        assert all(rule["count"] > 1000 for rule in found["alerts"]), [rule["count"] for rule in found["alerts"]]
        return took


async def _fill(tx: AsyncConnection) -> None:
    """A year of a load that comes and goes."""
    key = (await tx.exec_driver_sql("SELECT id FROM series WHERE device_id = 'meter'")).scalar()
    await tx.exec_driver_sql(YEAR, (key, START_MS, MINUTE_MS, MINUTES))


def _each(work: Callable[[Path], Coroutine[Any, Any, float]]) -> list[float]:
    found = []
    for _ in range(ROUNDS):
        with folder() as place:
            found.append(asyncio.run(work(place)))
    return found


def ruled(what: str, series: int) -> Row:
    """Ingest of so many series with all rules spread over them, beside ingest without any."""
    none, many = _each(lambda place: ingested(place, 0, series)), _each(lambda place: ingested(place, RULES, series))
    beside, ratios = side_by_side("without rules", many, none, 0.8)
    return Row(f"ingest with 10,000 rules, {what}", "readings/s", statistics.median(many), None, (beside,), ratios=ratios)


def measure() -> list[Row]:
    """Five rows."""
    theirs = peer("rules")
    compared = statistics.median(thresholds() for _ in range(ROUNDS))
    runs = statistics.median(_each(automation_runs))
    return [
        Row("a state set and compared with a threshold", "evaluations/s", compared, 300_000,
            (Beside(f"{HOME_ASSISTANT}, numeric_state", theirs.get("thresholds"), 5),)),
        Row("whole automation runs: trigger, condition, a value set", "runs/s", runs, 15_000,
            (Beside(HOME_ASSISTANT, theirs.get("runs"), 3),)),
        ruled("one on each of 10,000 series", RULES),
        ruled("ten on each of 1,000 series", RULES // 10),
        Row("a year of one reading a minute replayed under 10 rules", "s", statistics.median(_each(replayed)), 10, less=True),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in measure():
        print(row.markdown())
