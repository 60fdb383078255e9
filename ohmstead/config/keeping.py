"""`backup:` in the YAML: the house backed up by itself, whole every day and its changes between, for as long as wanted."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import voluptuous as vol

from ohmstead.config.backups import subject
from ohmstead.core import validate
from ohmstead.core.clock import from_ms
from ohmstead.core.errors import ConfigError
from ohmstead.core.plugin import Job, Section, hookimpl

if TYPE_CHECKING:
    from ohmstead.config.parts import Parts
    from ohmstead.core.hub import Hub

log = logging.getLogger(__name__)

NEVER = "never"
FOLDER = "backups"  # which no backup takes along
STAMP = "%Y%m%dT%H%M%SZ"
NAME = re.compile(r"ohmstead-(\d{8}T\d{6}Z)(?:-since-(\d{8}T\d{6}Z))?\.backup")  # the second: of the full one that an increment needs


def time_of_day(value: Any) -> tuple[int, int]:
    """Hour and minute of a time such as 02:00."""
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", value) if isinstance(value, str) else None
    if match is None:
        raise vol.Invalid("expected a time of day such as 02:00")
    return int(match[1]), int(match[2])


def a_day_or_more(value: Any) -> float:
    """A time span of a day or more, in seconds."""
    length = validate.duration(value)
    if length < 86_400:
        raise vol.Invalid("expected a day or more, such as 30d")
    return length


SCHEMA = {
    vol.Optional("folder", description="where to; data/backups unless given. Better another disk"): validate.text,
    vol.Optional("at", default="02:00", description="when the daily one is made, in the house's time zone"): time_of_day,
    vol.Optional("every", default="6h", description='how often what changed since, between; "never": only the daily one'):
        validate.one_of("1h", "2h", "3h", "4h", "6h", "8h", "12h", NEVER),
    vol.Optional("keep", default="30d", description="how long they are kept; the newest always is"): a_day_or_more,
    vol.Optional("passphrase", description="seal them with it; a text, better a !secret"): validate.text,
}  # fmt: skip


class KeepingPlugin:
    """Backups on a schedule, as a plugin like anyone's. Without `backup:` there are none."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._given: Mapping[str, Any] | None = None

    @hookimpl
    def ohmstead_sections(self, hub: Hub) -> list[Section]:
        """`backup:`."""
        return [Section("backup", SCHEMA, self.apply, "backups that are made by themselves; none without this part",
                        problems=self._problems)]  # fmt: skip

    @hookimpl
    def ohmstead_jobs(self, hub: Hub) -> list[Job]:
        """One a day, and those between."""
        if self._given is None:
            return []
        (hour, minute), every = self._given["at"], self._given["every"]
        jobs = [Job("backup", self.full, cron=f"{minute} {hour} * * *", description="back up the whole house")]
        if every != NEVER:
            step = int(every.removesuffix("h"))
            hours = ",".join(str(each % 24) for each in range(hour + step, hour + 24, step))
            cron = f"{minute} {hours} * * *"
            jobs.append(Job("backup-between", self.increment, cron=cron, description="back up what changed since the last full one"))
        return jobs

    async def apply(self, given: Mapping[str, Any] | None) -> None:
        """Put the section in force."""
        self._given = given

    def _folder(self, given: Mapping[str, Any]) -> Path:
        hub = self._parts.hub
        return hub.config_dir / given["folder"] if "folder" in given else hub.data_dir / FOLDER

    def _problems(self, sections: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
        """A folder whose backups would all be part of the next one."""
        given = sections.get("backup")
        if given is None:
            return
        folder, hub = self._folder(given).resolve(), self._parts.hub
        inside = any(folder.is_relative_to(top.resolve()) for top in (hub.config_dir, hub.data_dir))
        if inside and FOLDER not in folder.parts:
            yield (("folder",), f"every backup would take along those before it; choose another place, or call the folder {FOLDER}")

    async def full(self) -> str:
        """Back up everything; the file. ConfigError."""
        return await self._make(await self._place(), None)

    async def increment(self) -> str:
        """Back up what changed since the newest full backup, or everything where that one does not serve; the file. ConfigError."""
        folder = await self._place()
        full = await asyncio.to_thread(newest_full, folder)
        if full is not None:
            try:
                return await self._make(folder, full)
            except ConfigError as error:
                log.warning("%s; a full backup is made instead", error)
        return await self._make(folder, None)

    async def _place(self) -> Path:
        assert self._given is not None
        folder = self._folder(self._given)
        await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        return folder

    async def _make(self, folder: Path, full: Path | None) -> str:
        """Make one, read it again, then delete those that are too old."""
        from ohmstead.plugins.storage.backup import backup

        assert self._given is not None
        clock, stamp = self._parts.hub.clock, f"{from_ms(self._parts.hub.clock.now_ms()):{STAMP}}"
        since = "" if full is None else f"-since-{_stamps(full)[0]}"
        target = folder / f"ohmstead-{stamp}{since}.backup"
        manifest = await backup(subject(self._parts), target, clock, self._given.get("passphrase"), full)
        gone = await asyncio.to_thread(prune, folder, clock.now(), self._given["keep"])
        log.info("backup %s is made and verified: %d rows; %d old ones are deleted", target, sum(manifest.rows.values()), gone)
        return str(target)


def newest_full(folder: Path) -> Path | None:
    """The newest backup made by this house that is no increment."""
    fulls = [path for path in folder.iterdir() if (match := NAME.fullmatch(path.name)) and match[2] is None]
    return max(fulls, key=_stamps, default=None)


def prune(folder: Path, now: datetime, keep_s: float) -> int:
    """Delete backups made by this house longer ago than that, but never the newest, nor what one that stays needs; how many."""
    made = sorted((path for path in folder.iterdir() if NAME.fullmatch(path.name)), key=_stamps)
    kept = [path for path in made if path is made[-1] or (now - _made_at(path)).total_seconds() <= keep_s]
    needed = {_stamps(path)[1] for path in kept}
    old = [path for path in made if path not in kept and _stamps(path)[0] not in needed]
    for path in old:
        path.unlink()
    return len(old)


def _made_at(path: Path) -> datetime:
    return datetime.strptime(_stamps(path)[0], STAMP).replace(tzinfo=UTC)


def _stamps(path: Path) -> tuple[str, str]:
    """When a backup was made, and the full one it needs: an increment's, empty for a full one."""
    match = NAME.fullmatch(path.name)
    assert match is not None
    return match[1], match[2] or ""
