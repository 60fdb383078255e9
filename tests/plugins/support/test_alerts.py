"""Each trouble of the hub becomes an alert that people are told of, and is resolved by itself, on both engines."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from ohmstead.core.clock import ManualClock
from ohmstead.core.durations import BUCKETS_S
from ohmstead.plugins.support.conditions import CONDITIONS
from ohmstead.plugins.support.facts import Facts, Traffic
from ohmstead.plugins.support.watch import Watch
from tests.fakes.alerted_house import AlertedHouse

STEP_S, LONG_S = 15.0, 1815.0
SLOW = (*(1000 if bound == 10.0 else 0 for bound in BUCKETS_S), 0)
BAD = {
    "database": Facts(0, database="away"), "broker": Facts(0, broker="connection refused"), "backlog": Facts(0, backlog=10_001),
    "errors": Facts(0, traffic=Traffic(1000, 20)), "slow": Facts(0, traffic=Traffic(1000, 0, SLOW)), "cpu": Facts(0, cpu=0.81),
    "ram": Facts(0, ram=0.86), "disk": Facts(0, disk=0.91), "sign_ins": Facts(0, sign_ins=10), "jobs": Facts(0, jobs=("backup",)),
}  # fmt: skip


class Watched(AlertedHouse):
    """A house whose watch is shown what a test makes up."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url, folder, ManualClock())
        self.watch, self.so_far = Watch(), Facts(0)

    async def goes_on(self, facts: Facts, for_s: float, until_open: int | None = None) -> list[str]:
        """Look every quarter of a minute, at counts that grow by those of `facts`; the keys of what is open then."""
        for _ in range(round(for_s / STEP_S)):
            await self.clock.advance(STEP_S)  # type: ignore[attr-defined]
            before, more = self.so_far, facts.traffic
            counts = tuple(map(sum, zip(before.traffic.durations, more.durations, strict=True)))
            traffic = Traffic(before.traffic.requests + more.requests, before.traffic.errors + more.errors, counts)
            self.so_far = replace(facts, at_s=self.clock.monotonic(), traffic=traffic, sign_ins=before.sign_ins + facts.sign_ins)
            if not (events := self.watch.look(self.so_far)):
                continue
            for event in events:
                self.bus.publish(event)
            await self.catch_up()
            if until_open is not None and len(await self.open_alerts()) == until_open:
                break
        return [alert["subject"] for alert in await self.open_alerts()]


async def test_every_condition_becomes_an_alert_and_is_resolved(storage_url: str, tmp_path: Path) -> None:
    assert BAD.keys() == {condition.key for condition in CONDITIONS}
    async with Watched(storage_url, tmp_path) as house:
        assert await house.goes_on(Facts(0), LONG_S) == []
        for condition in CONDITIONS:
            key = condition.key
            assert await house.goes_on(BAD[key], LONG_S, until_open=1) == [key]
            [alert] = await house.open_alerts()
            assert (alert["severity"], alert["title"]) == (condition.severity, condition.title)
            assert await house.goes_on(Facts(0), LONG_S, until_open=0) == [], key
        told = [title for condition in CONDITIONS for title in (condition.title, f"Resolved: {condition.title}")]
        assert house.told == told
