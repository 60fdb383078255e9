"""A device nobody announced posts its registers; the house makes a meter point of it and tells what it measured."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.running import RunningHub

START = datetime(2026, 3, 28, 23, tzinfo=UTC)  # local midnight; the day of it has 23 hours
NAMED = "meter_points:\n  m1: {name: Main meter, role: grid_import}\n"
BOUND = NAMED + "  m2: {role: load, parent: m1, series: m1.power}\n"
WRONG = NAMED + "  m2: {role: load, parent: m3, series: m1.power}\n"


async def command(hub: RunningHub, *words: str) -> tuple[int, str]:
    """What `ohmstead` prints, and its exit code."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ohmstead", "-c", str(hub.folder), *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def told(hub: RunningHub, *words: str) -> Any:
    code, said = await command(hub, *words, "--json")
    assert code == 0, said
    return json.loads(said)


async def post(hub: RunningHub, hours: range) -> None:
    """Registers that rise by 1.5 kWh an hour, read every hour."""
    readings = [
        {"device_id": "m1", "timestamp": (START + timedelta(hours=hour)).isoformat(), "energy_import": 45_321.1 + 1.5 * hour, "power": 1500}
        for hour in hours
    ]
    async with hub.client() as session, session.post("/api/v1/telemetry/batch", json={"readings": readings}) as answer:
        assert answer.status == 202, await answer.text()


async def derived(hub: RunningHub, slug: str, kwh: str) -> dict[str, Any]:
    """The day, once it is derived."""
    deadline = time.monotonic() + 20
    while True:
        points = [point["id"] for point in await hub.get("/meter-points")]
        span = {"start": "2026-03-29", "end": "2026-03-30", "resolution": "day"}
        days = await hub.get(f"/meter-points/{slug}/intervals", **span) if slug in points else [{"kwh": None}]
        if days[0]["kwh"] == kwh:
            return days[0]
        assert time.monotonic() < deadline, f"{slug}: {days}"
        await asyncio.sleep(0.1)


async def test_a_device_posts_registers_and_the_house_counts(hub: Callable[..., RunningHub]) -> None:
    house = hub(NAMED)
    await house.start()
    await post(house, range(13))
    await derived(house, "m1", "18.000000")
    house.kill()
    await house.start()
    await post(house, range(6, 24))  # some again, and the rest
    day = await derived(house, "m1", "34.500000")
    assert day["quality"] == "measured"
    assert (day["covered_s"], day["source"]) == (23 * 3600, "live")
    assert day["start"] == "2026-03-29T00:00:00+01:00"
    consumption, point = await told(house, "meter-points")
    assert consumption["computed_of"] == [{"meter_point": "m1", "sign": 1}]
    assert (point["name"], point["origin"], [binding["automatic"] for binding in point["bindings"]]) == ("Main meter", "yaml", [True])
    slots = await told(house, "intervals", "m1", "--start", "2026-03-29", "--end", "2026-03-30")
    assert len(slots) == 92
    assert {(slot["kwh"], slot["quality"], slot["covered_s"], slot["source"]) for slot in slots} == {("0.375000", "measured", 900, "live")}
    code, said = await command(house, "intervals", "m1", "--start", "2026-03-29", "--end", "2026-03-30", "--resolution", "day")
    assert code == 0
    assert "2026-03-29T00:00:00+01:00  2026-03-30T00:00:00+02:00  34.500000  measured" in said
    code, said = await command(house, "intervals", "m7")
    assert (code, "there is no meter point 'm7'" in said) == (2, True)


async def test_a_reload_takes_meter_points_up_whole_or_not_at_all(hub: Callable[..., RunningHub]) -> None:
    house = hub(NAMED)
    await house.start()
    await post(house, range(24))
    await derived(house, "m1", "34.500000")
    yaml = house.folder / "configuration.yaml"
    base = yaml.read_text().replace(NAMED, "")
    yaml.write_text(base + WRONG)
    code, said = await command(house, "reload")
    assert (code, "meter_points → m2 → parent: there is no meter point 'm3'" in said) == (2, True)
    yaml.write_text(base + BOUND)
    assert (await told(house, "reload"))["changed"] == ["meter_points"]
    await derived(house, "m2", "34.500000")
    code, said = await command(house, "meter-points", "rename", "m2", "Heater")
    assert (code, "meter point 'm2' is defined in the configuration file; change it there" in said) == (2, True)
    yaml.write_text(base)
    assert (await told(house, "reload"))["changed"] == ["meter_points"]
    deadline = time.monotonic() + 20
    while [(point["id"], point["role"], point["origin"]) for point in await house.get("/meter-points")] != [("m1", "load", "auto")]:
        assert time.monotonic() < deadline, await house.get("/meter-points")
        await asyncio.sleep(0.1)
