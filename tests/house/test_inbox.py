"""A register leaps; the owner finds it in the inbox, books it in one call, and takes that back, also after a kill."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.fakes.running import RunningHub

START = datetime(2026, 3, 28, 23, tzinfo=UTC)  # local midnight
NAMED = """
meter_points:
  m1: {role: grid_import}
tariffs:
  day_and_night:
    currency: EUR
    vat: 19
    components:
      - {type: time_of_use, windows: [{name: day, price: 0.40, hours: 6-22}, {name: night, price: 0.20, hours: 22-6}]}
      - {type: standing, price: 0.10, per: day}
contracts:
  home: {import: m1, tariff: day_and_night, start: 2026-03-01}
"""


async def told(hub: RunningHub, *words: str) -> Any:
    """What `ohmstead` answers as JSON."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ohmstead", "-c", str(hub.folder), *words, "--json", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, error = await process.communicate()
    assert process.returncode == 0, said + error
    return json.loads(said)


async def post(hub: RunningHub, hours: range) -> None:
    """1 kWh an hour, and 800 more in the fifth."""
    readings = [
        {"device_id": "m1", "timestamp": (START + timedelta(hours=hour)).isoformat(), "energy_import": 100 + hour + 800 * (hour > 4)}
        for hour in hours
    ]
    async with hub.client() as session, session.post("/api/v1/telemetry/batch", json={"readings": readings}) as answer:
        assert answer.status == 202, await answer.text()


async def day(hub: RunningHub) -> str:
    """The energy of the day."""
    span = {"start": "2026-03-29", "end": "2026-03-30", "resolution": "day"}
    [found] = await hub.get("/meter-points/m1/intervals", **span)
    return str(found["kwh"])


async def ask(hub: RunningHub, path: str, body: Any = None, **query: str) -> Any:
    """The data a POST answers."""
    async with hub.client() as session, session.post(f"/api/v1{path}", json=body or {}, params=query) as answer:
        found = await answer.json()
        assert answer.status < 300, found
        return found["data"]


async def test_a_leap_is_found_booked_and_taken_back(hub: Callable[..., RunningHub]) -> None:
    house = hub(NAMED)
    await house.start()
    await post(house, range(24))
    deadline = time.monotonic() + 20
    while await day(house) != "22.000000":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    await ask(house, "/jobs/findings/run")
    [finding] = await told(house, "findings")
    assert (finding["cause"], finding["kwh"]) == ("suspect", "801.000000")
    # between 5:00 and 6:00, at the price of the night: 801 × 0.20
    assert [(each["contract"], each["currency"], Decimal(each["amount"])) for each in finding["money"]] == [("home", "EUR", Decimal("160.2"))]
    effect = (await ask(house, f"/findings/{finding['id']}/accept", dry_run="true"))["effect"]
    assert [(each["before_kwh"], each["after_kwh"]) for each in effect["meter_points"]] == [("22.000000", "823.000000")] * 2
    # 31 days × 0.10, by night 4 hours before 5:00 (the one from 2:00 is skipped) and 2 after 22:00, by day 16: 3.10 + 1.20 + 6.40
    [money] = effect["money"]
    assert [Decimal(money[name]) for name in ("before", "after", "difference")] == [Decimal(each) for each in ("10.7", "170.9", "160.2")]
    assert (money["contract"], money["currency"]) == ("home", "EUR")
    assert await day(house) == "22.000000"
    void = {"kind": "interval-scale", "meter_point": "m1", "start": "2026-03-29T12:00:00+02:00", "end": "2026-03-29T14:00:00+02:00", "factor": "0.5"}
    [money] = (await ask(house, "/corrections/preview", void))["money"]
    assert [Decimal(money[name]) for name in ("before", "after")] == [Decimal("10.7"), Decimal("10.3")]  # one of two kWh less, at 0.40
    shown = await told(house, "findings", "dismiss", str(finding["id"]), "--reason", "no", "--dry-run")
    assert shown["status"] == "open"
    assert [each["id"] for each in await told(house, "findings")] == [finding["id"]]
    done = await told(house, "findings", "accept", str(finding["id"]), "--reason", "the charger was tested")
    assert (done["finding"]["status"], await day(house)) == ("closed", "823.000000")
    house.kill()
    await house.start()
    assert await day(house) == "823.000000"
    [made] = await house.get("/corrections")
    assert (made["kind"], made["reason"], made["author"]) == ("confirm", "the charger was tested", "owner")
    house.stop()
    await told(house, "corrections", "undo", "1", "--reason", "it was not")  # nobody runs: the house is opened for it
    await house.start()
    assert await day(house) == "22.000000"
    await ask(house, "/jobs/findings/run")
    assert [each["id"] for each in await house.get("/findings", status="open")] == [finding["id"]]
