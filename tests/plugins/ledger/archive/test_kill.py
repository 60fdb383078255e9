"""Killed in the middle of archiving, nothing is lost: the next run ends what was begun."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from tests.fakes.archived_house import ArchivedHouse
from tests.fakes.derived import derived, rebuilt
from tests.fakes.house import until

NIGHT = """
import asyncio, sys
from pathlib import Path
from tests.fakes.archived_house import ArchivedHouse

async def night():
    async with ArchivedHouse(sys.argv[1], Path(sys.argv[2])) as house:
        print("begins", flush=True)
        print(await house.retain(), flush=True)

asyncio.run(night())
"""


async def night(url: str, folder: Path, files: int | None) -> None:
    """A run of the job, killed once there are so many files."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", NIGHT, url, str(folder), stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    assert await asyncio.wait_for(child.stdout.readline(), 30) == b"begins\n"
    if files is not None:
        await until(lambda: len(list((folder / "data" / "archive").rglob("*.parquet"))) >= files, 20)
        child.send_signal(signal.SIGKILL)
    await child.stdout.read()
    await child.wait()


async def test_kill_9_in_the_middle_of_archiving_loses_nothing(storage_url: str, tmp_path: Path) -> None:
    async with ArchivedHouse(storage_url, tmp_path) as house:
        await house.measure()
        before, raw = await derived(house), await house.raw()
    await night(storage_url, tmp_path, 2)
    async with ArchivedHouse(storage_url, tmp_path) as house:
        assert 0 < len(await house.raw()) <= len(raw)
        assert await rebuilt(house) == before
    await night(storage_url, tmp_path, None)
    async with ArchivedHouse(storage_url, tmp_path) as house:
        assert await house.raw() == []
        assert len(house.files()) == 6
        assert await rebuilt(house) == before
