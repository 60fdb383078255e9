"""Backups that make themselves: what the section asks for, and files that can be put back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ohmstead.config.backups import is_sealed
from ohmstead.config.keeping import STAMP, newest_full, prune
from ohmstead.core.errors import ConfigError
from tests.config.conftest import Write
from tests.config.test_cli import command, run
from tests.config.test_house import READING, ask, running

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = READING | {"timestamp": "2026-02-07T12:00:00Z", "power": 21.5}


async def schedules(house: Any) -> dict[str, str]:
    return {job["name"]: job["schedule"] for job in (await ask(house, "GET", "/jobs"))["data"] if job["name"].startswith("backup")}


async def test_a_day_of_backups_and_one_put_back(folder: Write, tmp_path: Path) -> None:
    there = folder("backup: {passphrase: !secret sesame}\ndevices: {D1: {}}\n", secrets_yaml="sesame: open sesame\n")
    async with running(there) as house:
        assert await schedules(house) == {"backup": "0 2 * * *", "backup-between": "0 8,14,20 * * *"}
        await ask(house, "POST", "/telemetry", json=READING)
        ran = (await ask(house, "POST", "/jobs/backup/run"))["data"]
        assert (ran["last"]["result"], ran["last"]["took_s"] > 0) == ("ok", True)
        [file] = (house.hub.data_dir / "backups").iterdir()
        assert (is_sealed(file), file.stat().st_mode & 0o777) == (True, 0o600)
        await ask(house, "POST", "/telemetry", json=LATER)
        assert "ok" in (await command(there, "jobs", "run", "backup-between")).output
        [between] = set((house.hub.data_dir / "backups").iterdir()) - {file}
        assert between.name.endswith(f"-since-{file.name.removeprefix('ohmstead-')}")
        assert between.stat().st_size < file.stat().st_size / 2, "it holds what changed"
    for source, value in ((file, 195.9), (between, 21.5)):
        elsewhere = tmp_path / source.name
        restored = await asyncio.to_thread(run, elsewhere, "restore", str(source), input="open sesame\n")
        assert "restored" in restored.output
        async with running(elsewhere) as house:
            assert (await ask(house, "GET", "/states?device=D1"))["data"][0]["value"] == value
            assert (await ask(house, "GET", "/audit/verify"))["data"]["ok"], "the key came along"
    alone = tmp_path / between.name
    between.rename(alone / between.name)
    with pytest.raises(ConfigError, match=f"only what changed since {file.name}"):
        await asyncio.to_thread(run, tmp_path / "nowhere", "restore", str(alone / between.name), input="open sesame\n")


async def test_an_increment_that_has_nothing_to_stand_on_is_a_full_one(folder: Write, caplog: pytest.LogCaptureFixture) -> None:
    async with running(folder("backup: {every: 1h}\n")) as house:

        async def between() -> str:
            ran = (await ask(house, "POST", "/jobs/backup-between/run"))["data"]["last"]
            assert ran["result"] == "ok", ran
            return max((house.hub.data_dir / "backups").iterdir(), key=lambda path: path.stat().st_mtime_ns).name

        assert "since" not in await between(), "there was none yet"
        full = newest_full(house.hub.data_dir / "backups")
        full.with_name("ohmstead-20260101T000000Z.backup").write_bytes(full.read_bytes()[:-99])
        full.unlink()
        assert "since" not in await between()
        assert "a full backup is made instead" in caplog.text


@pytest.mark.parametrize(("yaml", "expected"), [
    ("", {}),
    ("backup: {every: never, at: '23:30'}\n", {"backup": "30 23 * * *"}),
    ("backup: {every: 8h, at: '20:15'}\n", {"backup": "15 20 * * *", "backup-between": "15 4,12 * * *"}),
])  # fmt: skip
async def test_schedules(folder: Write, yaml: str, expected: dict[str, str]) -> None:
    async with running(folder(yaml)) as house:
        assert await schedules(house) == expected


@pytest.mark.parametrize(("yaml", "said"), [
    ("backup: {at: '25:00'}\n", "time of day"), ("backup: {keep: 2h}\n", "a day or more"), ("backup: {every: 5h}\n", "every"),
    ("backup: {folder: kept}\n", "those before it"), ("backup: {folder: data/kept}\n", "those before it"),
])  # fmt: skip
async def test_mistakes(folder: Write, yaml: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        async with running(folder(yaml)):
            raise AssertionError("it runs")


async def test_a_backup_that_fails_shows(folder: Write, tmp_path: Path) -> None:
    (tmp_path / "full").write_text("no folder")
    there = folder(f"backup: {{folder: {tmp_path / 'full'}}}\n")
    async with running(there) as house:
        ran = (await ask(house, "POST", "/jobs/backup/run"))["data"]
        assert (ran["last"]["result"], "FileExistsError" in ran["last"]["error"]) == ("failed", True)
        assert house.parts.jobs.failing == ["backup"]


def test_pruning_keeps_the_newest_and_what_it_did_not_make(tmp_path: Path) -> None:
    for days in range(40):
        (tmp_path / f"ohmstead-{NOW - timedelta(days=days):{STAMP}}.backup").touch()
    (tmp_path / "mine.backup").touch()
    assert prune(tmp_path, NOW, 30 * 86_400) == 9
    assert len(list(tmp_path.iterdir())) == 32
    assert prune(tmp_path, NOW + timedelta(days=400), 30 * 86_400) == 30
    assert {path.name for path in tmp_path.iterdir()} == {"mine.backup", f"ohmstead-{NOW:{STAMP}}.backup"}


def test_pruning_keeps_what_an_increment_needs(tmp_path: Path) -> None:
    full, since = f"ohmstead-{NOW:{STAMP}}.backup", f"ohmstead-{NOW + timedelta(hours=18):{STAMP}}-since-{NOW:{STAMP}}.backup"
    newer = f"ohmstead-{NOW + timedelta(days=1):{STAMP}}.backup"
    for name in (full, since, newer):
        (tmp_path / name).touch()
    assert newest_full(tmp_path) == tmp_path / newer
    assert prune(tmp_path, NOW + timedelta(days=30, hours=1), 30 * 86_400) == 0
    assert prune(tmp_path, NOW + timedelta(days=30, hours=19), 30 * 86_400) == 2
    assert [path.name for path in tmp_path.iterdir()] == [newer]
