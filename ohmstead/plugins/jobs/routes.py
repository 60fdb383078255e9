"""`/jobs`: what runs on a schedule, how it went, and running it now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ohmstead.core.clock import iso
from ohmstead.core.plugin import Job
from ohmstead.core.route import Call, Reply, Route
from ohmstead.plugins.jobs.schedule import text

if TYPE_CHECKING:
    from ohmstead.plugins.jobs.jobs import Jobs

PATIENCE_S = 20.0  # how long an answer waits for the end of a run


def routes(jobs: Jobs) -> list[Route]:
    """The operations on jobs."""

    async def listing(call: Call) -> list[dict[str, Any]]:
        return [_shown(job, row, jobs.zone) for job, row in await jobs.listing()]

    async def run(call: Call) -> Reply:
        task = await jobs.run(call.path["name"])
        await asyncio.wait({task}, timeout=PATIENCE_S)
        job, row = next((job, row) for job, row in await jobs.listing() if job.name == call.path["name"])
        return Reply(_shown(job, row, jobs.zone), status=200 if task.done() else 202)

    return [
        Route("GET", "/jobs", listing, "read", "Jobs with their schedule, last run and next run", tags=("jobs",)),
        Route("POST", "/jobs/{name}/run", run, "admin", "Run a job now; 202 when it still runs after 20 s", tags=("jobs",)),
    ]


def _shown(job: Job, row: Mapping[str, Any], zone: str) -> dict[str, Any]:
    last = None
    if row.get("started_ms") is not None:
        last = {"started": iso(row["started_ms"]), "ended": _iso(row["ended_ms"]), "took_s": row["took_s"],
                "result": row["result"], "error": row.get("error")}  # fmt: skip
    return {"name": job.name, "description": job.description, "schedule": text(job), "time_zone": zone,
            "next": _iso(row.get("next_ms")), "last": last}  # fmt: skip


def _iso(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso(at_ms)
