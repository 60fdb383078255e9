"""When a job is due: cron in the house's zone, exact on nights when the clocks change, or every so many seconds."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from ohmstead.core.clock import from_ms, to_ms
from ohmstead.core.errors import ConfigError
from ohmstead.core.plugin import Job


def text(job: Job) -> str:
    """The schedule for people, and for noticing that it changed: `30 2 * * *` or `every 60 s`."""
    if job.went is not None:
        return "by itself"
    return job.cron if job.cron is not None else f"every {job.every_s:g} s"


def check(job: Job) -> None:
    """ConfigError unless the job has exactly one schedule that can be read and that comes round, or keeps its own time."""
    if sum(each is not None for each in (job.cron, job.every_s, job.went)) != 1:
        raise ConfigError(f"job {job.name}: needs either cron, every_s or went")
    if job.went is not None:
        return
    if job.every_s is not None and job.every_s < 1:
        raise ConfigError(f"job {job.name}: every_s is {job.every_s:g}, the shortest is 1")
    following(job, 0, "UTC")


def following(job: Job, after_ms: int, zone: str) -> int:
    """The first due time later than `after_ms`, milliseconds since 1970. ConfigError for a line nobody can read."""
    if job.cron is None:
        return after_ms + round((job.every_s or 0) * 1000)
    try:
        return cron_after(job.cron, after_ms, zone)
    except ConfigError as error:
        raise ConfigError(f"job {job.name}: {error}") from error


def cron_after(line: str, after_ms: int, zone: str) -> int:
    """The first time a cron line is due later than `after_ms`, milliseconds since 1970.

    Lines at a stated hour are due once on the night an hour is left out (then at the end of the gap) and once on the
    night an hour comes twice (then the first time), as in Debian's cron. ConfigError for a line nobody can read.
    """
    try:
        dues = CronSim(line, from_ms(after_ms).astimezone(ZoneInfo(zone)))
        for due in dues:
            at_ms = to_ms(due)
            if at_ms > after_ms:  # in the hour that comes twice cronsim starts again at its first pass
                return at_ms
    except CronSimError as error:
        raise ConfigError(f"cron {line!r}: {error}") from error
    raise ConfigError(f"cron {line!r} never comes round")
