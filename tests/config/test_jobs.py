"""The jobs of a whole house: each is listed with how they went, and each can be run by name."""

from __future__ import annotations

import json

from tests.config.conftest import Write
from tests.config.test_cli import command
from tests.config.test_house import running
from tests.fakes.house import until

EXPECTED = {"offline", "digests", "retention", "backup", "backup-between", "rollups", "bills", "health", "audit", "notifications"}


async def test_every_job_is_listed_and_run_by_name(folder: Write) -> None:
    there = folder("backup: {}\ndevices: {D1: {}}\n")
    async with running(there) as house:
        await until(lambda: all(entry.next_ms or entry.job.went for entry in house.parts.jobs._entries.values()))
        found = {job["name"]: job for job in json.loads((await command(there, "jobs", "--json")).output)}
        assert found.keys() >= EXPECTED
        assert all(job["next"] for job in found.values())
        assert (found["offline"]["last"]["result"], found["offline"]["schedule"]) == ("ok", "by itself")
        for name in sorted(EXPECTED):
            ran = json.loads((await command(there, "jobs", "run", name, "--json")).output)["last"]
            assert (ran["result"], ran["error"]) == ("ok", None), (name, ran)
            assert ran["took_s"] >= 0
        assert "by itself" in (await command(there, "jobs")).output
