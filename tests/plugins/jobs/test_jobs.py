"""Each due time once, late ones once after the hub was down, never two runs of one job at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from ohmstead.core.clock import ManualClock, from_ms
from ohmstead.core.errors import ConfigError, Conflict, NotFound
from ohmstead.core.plugin import Job, hookimpl
from ohmstead.plugins.jobs.schedule import check
from tests.fakes.registered_house import RegisteredHouse

MINUTE = 60


class Work:
    """A job that counts its runs, can fail, and can be held."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.runs: list[datetime] = []
        self.ends = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def run(self) -> int:
        self.runs.append(self.clock.now())
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.ends += 1
        return self.ends

    def job(self, cron: str | None = None, every_s: float | None = None, catch_up: bool = True) -> Job:
        return Job("chore", self.run, cron=cron, every_s=every_s, catch_up=catch_up, description="counts")


async def until(true: Callable[[], object], within_s: float = 30.0) -> None:
    """Wait in real time, because the database takes some."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.005)


async def advance(house: RegisteredHouse, by_s: float, step_s: float = 5.0) -> None:
    """Let time pass in steps, and the database keep up after each."""
    while by_s > 0:
        await house.clock.advance(min(step_s, by_s))
        by_s -= step_s
        await caught_up(house)


async def caught_up(house: RegisteredHouse) -> None:
    """A turn of the jobs makes a few writes, one after the other: be behind each of them."""

    async def nothing(tx: object) -> None:
        """Wait for this one's turn."""

    for _ in range(4):
        await house.jobs.listing()
        await house.storage.write(nothing)


def begin(house: RegisteredHouse, job: Job, zone: str = "UTC") -> None:
    house.jobs.declare([(False, job)], zone)
    house.hub.tasks.start("jobs", house.jobs.work)


async def planned(house: RegisteredHouse) -> None:
    await until(lambda: all(entry.next_ms is not None for entry in house.jobs._entries.values()))
    await caught_up(house)


async def test_it_runs_when_due_and_tells_how_it_went(house: RegisteredHouse) -> None:
    work = Work(house.clock)
    begin(house, work.job(every_s=MINUTE))
    await planned(house)
    [shown] = await house.get("/jobs")
    assert (shown["name"], shown["schedule"], shown["last"]) == ("chore", "every 60 s", None)
    await house.clock.advance(59)
    assert work.runs == []
    await house.clock.advance(1)
    await until(lambda: work.ends == 1)
    await until(lambda: not house.jobs._entries["chore"].running)
    [shown] = await house.get("/jobs")
    assert shown["last"]["result"] == "ok"
    assert datetime.fromisoformat(shown["next"]) > house.clock.now()


async def test_daily_runs_once_on_both_nights(house: RegisteredHouse) -> None:
    work = Work(house.clock)
    house.clock.set(datetime(2026, 12, 1, tzinfo=UTC))
    for start in (datetime(2027, 3, 28, 0, 15, tzinfo=UTC), datetime(2027, 10, 31, 0, 15, tzinfo=UTC)):  # the gap; twice 02:30
        house.clock.set(start)
        work.runs.clear()
        await house.hub.tasks.stop("jobs")
        begin(house, work.job(cron="30 2 * * *", catch_up=False), "Europe/Berlin")
        await planned(house)
        await advance(house, 5400, step_s=300)
        assert len(work.runs) == 1


async def test_missed_runs_are_made_up_for_once(house: RegisteredHouse, storage_url: str, tmp_path: Path) -> None:
    work = Work(house.clock)
    begin(house, work.job(cron="0 3 * * *"))
    await planned(house)
    await house.hub.tasks.stop_all()
    late = ManualClock(house.clock.now_ms() + 10 * 86_400_000)
    async with RegisteredHouse(storage_url, tmp_path, late) as other:
        again = Work(late)
        begin(other, again.job(cron="0 3 * * *"))
        await until(lambda: again.ends == 1)
        await advance(other, 60)
        assert again.ends == 1
        [shown] = await other.get("/jobs")
        assert datetime.fromisoformat(shown["next"]) > late.now()


async def test_one_that_need_not_be_made_up_for_is_not(house: RegisteredHouse, storage_url: str, tmp_path: Path) -> None:
    work = Work(house.clock)
    begin(house, work.job(cron="0 3 * * *", catch_up=False))
    await planned(house)
    await house.hub.tasks.stop_all()
    late = ManualClock(house.clock.now_ms() + 10 * 86_400_000)
    async with RegisteredHouse(storage_url, tmp_path, late) as other:
        again = Work(late)
        begin(other, again.job(cron="0 3 * * *", catch_up=False))
        await planned(other)
        await advance(other, 60)
        assert again.runs == []


async def test_nothing_runs_while_the_clock_is_not_trusted(house: RegisteredHouse) -> None:
    right = house.clock.now_ms()
    house.clock.set(1_000)
    work = Work(house.clock)
    begin(house, work.job(every_s=MINUTE))
    await advance(house, 600, step_s=60)
    assert work.runs == []
    house.clock.set(right)
    await advance(house, 60)
    await planned(house)
    await advance(house, 62)
    await until(lambda: work.ends == 1)


async def test_a_clock_set_back_does_not_silence_a_job(house: RegisteredHouse) -> None:
    work, right = Work(house.clock), house.clock.now_ms()
    house.clock.set(right + 365 * 86_400_000)
    begin(house, work.job(every_s=MINUTE))
    await planned(house)
    house.clock.set(right)
    await advance(house, 80)
    await until(lambda: work.ends == 1)


async def test_a_job_never_overlaps_itself(house: RegisteredHouse) -> None:
    work = Work(house.clock)
    work.gate.clear()
    begin(house, work.job(every_s=MINUTE))
    await planned(house)
    await advance(house, 200)
    assert len(work.runs) == 1
    with pytest.raises(Conflict, match="is running"):
        await house.ask("POST", "/jobs/chore/run")
    work.gate.set()
    await until(lambda: work.ends == 1)
    await advance(house, 10)
    assert len(work.runs) == 1  # what passed meanwhile is skipped
    await advance(house, 60)
    await until(lambda: work.ends == 2)


async def test_two_houses_on_one_database_share_the_work(house: RegisteredHouse, storage_url: str, tmp_path: Path) -> None:
    async with RegisteredHouse(storage_url, tmp_path, house.clock) as other:
        works = [Work(house.clock), Work(house.clock)]
        for each, work in zip((house, other), works, strict=True):
            begin(each, work.job(every_s=MINUTE))
            await planned(each)
        for _ in range(10):
            await advance(house, 61)
        assert 9 <= sum(work.ends for work in works) <= 10
        await other.hub.tasks.stop_all()


async def test_a_run_nobody_saw_the_end_of_is_made_again(house: RegisteredHouse, storage_url: str, tmp_path: Path) -> None:
    work = Work(house.clock)
    begin(house, work.job(cron="0 3 * * *"))
    await planned(house)
    await house.jobs._board.claim("chore", "0 3 * * * UTC", house.clock.now_ms(), None, due_only=False)  # what a kill -9 leaves behind
    await house.hub.tasks.stop_all()
    later = ManualClock(house.clock.now_ms() + 5_000)
    async with RegisteredHouse(storage_url, tmp_path, later) as other:
        again = Work(later)
        begin(other, again.job(cron="0 3 * * *"))
        await advance(other, 40)
        assert again.runs == []  # whoever began it may be alive
        await advance(other, 30)
        await until(lambda: again.ends == 1)


async def test_stopping_ends_a_run_and_the_next_start_makes_it_again(house: RegisteredHouse) -> None:
    work = Work(house.clock)
    work.gate.clear()
    begin(house, work.job(every_s=MINUTE))
    await planned(house)
    await house.clock.advance(60)
    await until(lambda: work.runs)
    await house.hub.tasks.stop_all()
    assert (await house.get("/jobs"))[0]["last"]["result"] == "interrupted"
    work.gate.set()
    begin(house, work.job(every_s=MINUTE))
    await until(lambda: work.ends == 1)


async def test_failures_are_logged_once_and_shown(house: RegisteredHouse, caplog: pytest.LogCaptureFixture) -> None:
    work = Work(house.clock)
    work.error = ValueError("no luck")
    begin(house, work.job(every_s=MINUTE))
    await planned(house)
    for runs in (1, 2, 3):
        await advance(house, 61)
        await until(lambda runs=runs: len(work.runs) == runs and not house.jobs._entries["chore"].running)
    [shown] = await house.get("/jobs")
    assert (shown["last"]["result"], shown["last"]["error"]) == ("failed", "ValueError: no luck")
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["job chore failed; further failures of it are not logged"]
    work.error = None
    await advance(house, 61)
    await until(lambda: work.ends == 1)


async def test_running_one_now(house: RegisteredHouse) -> None:
    work = Work(house.clock)
    begin(house, work.job(cron="0 3 1 1 *"))
    await planned(house)
    reply = await house.ask("POST", "/jobs/chore/run")
    assert (reply.status, reply.data["last"]["result"], work.ends) == (200, "ok", 1)
    assert reply.data["next"] == "2027-01-01T03:00:00Z"
    with pytest.raises(NotFound, match="there is no job 'wrok'; there are chore"):
        await house.ask("POST", "/jobs/wrok/run")


async def test_a_new_schedule_is_planned_anew(house: RegisteredHouse) -> None:
    work = Work(house.clock)
    begin(house, work.job(cron="0 3 1 1 *"))
    await planned(house)
    house.jobs.declare([(False, work.job(cron="0 4 1 1 *"))], "Europe/Berlin")
    await advance(house, 15)
    await planned(house)
    assert from_ms(house.jobs._entries["chore"].next_ms or 0) == datetime(2027, 1, 1, 3, tzinfo=UTC)
    assert (await house.get("/jobs"))[0]["next"] == "2027-01-01T03:00:00Z"


async def test_a_reload_during_a_run_changes_nothing_for_it(house: RegisteredHouse) -> None:
    work = Work(house.clock)
    work.gate.clear()
    begin(house, work.job(every_s=MINUTE))
    await planned(house)
    await advance(house, 61)
    house.jobs.declare([(False, work.job(every_s=MINUTE))], "UTC")
    await advance(house, 61)
    assert len(work.runs) == 1
    work.gate.set()
    await until(lambda: work.ends == 1)
    await advance(house, 130)
    assert len(work.runs) >= 2


async def test_the_jobs_of_all_plugins_are_gathered(house: RegisteredHouse) -> None:
    house.start()
    assert {shown["name"] for shown in await house.get("/jobs")} >= {"rollups", "retention", "status-history"}


async def test_a_plugins_bad_schedule_is_its_own_problem(house: RegisteredHouse) -> None:
    async def nothing() -> None:
        """A job that does nothing."""

    class Bad:
        @hookimpl
        def ohmstead_jobs(self, hub: object) -> list[Job]:
            return [Job("bad", nothing, cron="nonsense")]

    house.hub.plugins.add("bad", Bad())
    with pytest.raises(ConfigError, match="job bad"):
        house.jobs.reload(house.hub, "UTC")
    plugin = house.hub.plugins.get("bad")
    assert plugin is not None
    plugin.shipped = False
    house.jobs.reload(house.hub, "UTC")
    assert plugin.quarantined is not None
    assert "bad" not in {job.name for job, _ in await house.jobs.listing()}


async def test_a_foreign_job_runs_on_the_second_loop(house: RegisteredHouse) -> None:
    seen = SimpleNamespace(loop=None)

    async def run() -> None:
        seen.loop = asyncio.get_running_loop()

    house.jobs.declare([(True, Job("foreign", run, cron="0 3 1 1 *"))], "UTC")
    house.hub.tasks.start("jobs", house.jobs.work)
    await planned(house)
    assert (await house.ask("POST", "/jobs/foreign/run")).data["last"]["result"] == "ok"
    assert seen.loop is house.hub.second.loop
    assert seen.loop is not asyncio.get_running_loop()


async def test_a_job_can_be_run_by_hand_before_it_was_planned(house: RegisteredHouse) -> None:
    work = Work(house.clock)
    house.jobs.declare([(False, work.job(cron="0 3 * * *"))], "UTC")
    await (await house.jobs.run("chore"))
    [(_, row)] = await house.jobs.listing()
    assert (len(work.runs), row["result"], row["next_ms"]) == (1, "ok", None)
    house.hub.tasks.start("jobs", house.jobs.work)
    await planned(house)
    [(_, row)] = await house.jobs.listing()
    assert (len(work.runs), row["result"], row["next_ms"] is not None) == (1, "ok", True)


async def test_work_that_keeps_its_own_time_is_shown_and_run_by_hand(house: RegisteredHouse) -> None:
    work, went = Work(house.clock), {"started_ms": 5, "ended_ms": 6, "took_s": 0.001, "result": "ok", "next_ms": 1000}
    house.jobs.declare([(False, Job("sweep", work.run, went=lambda: went))], "UTC")
    house.hub.tasks.start("jobs", house.jobs.work)
    await advance(house, 60)
    assert (work.runs, await house.jobs.listing()) == ([], [(house.jobs._entries["sweep"].job, went)])
    await (await house.jobs.run("sweep"))
    assert len(work.runs) == 1


async def test_a_job_with_two_schedules_is_refused(house: RegisteredHouse) -> None:
    with pytest.raises(ConfigError, match="either cron, every_s or went"):
        check(Job("both", Work(house.clock).run, every_s=5, went=dict))
