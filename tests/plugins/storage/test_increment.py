"""An increment and its full backup bring back the house as it was when the increment was made, on either engine."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from ohmstead.core.clock import ManualClock
from ohmstead.core.errors import ConfigError
from ohmstead.plugins.storage import increment
from ohmstead.plugins.storage.backup import House, backup, restore
from ohmstead.plugins.storage.engine import locate
from tests.fakes.stored_house import StoredHouse

T0 = 1_794_000_000_000
CLOCK = ManualClock()


@pytest.fixture
def home(storage_url: str, tmp_path: Path) -> House:
    home = House(locate(storage_url, tmp_path / "data"), tmp_path / "config", tmp_path / "data")
    home.config_dir.mkdir()
    (home.data_dir / "archive").mkdir(parents=True)
    (home.config_dir / "configuration.yaml").write_text("home: {}\n")
    (home.config_dir / "old.yaml").write_text("goes\n")
    (home.data_dir / "archive" / "1.parquet").write_bytes(b"raw" * 9999)
    return home


async def store(home: House, url: str, first: int, count: int) -> None:
    async with StoredHouse(url, home.data_dir, CLOCK) as house:
        await house.store([("d", "power", i / 3, T0 + i * 1000) for i in range(first, first + count)])


async def rows(home: House, url: str) -> list[Any]:
    async with StoredHouse(url, home.data_dir, CLOCK) as house, house.storage.read() as conn:
        return [tuple(row) for row in await conn.execute(text("SELECT at_ms, value FROM readings ORDER BY at_ms"))]


async def change(home: House, url: str) -> None:
    """What increments that trust in growth would miss: late rows, deleted ones, and rows that are other ones now."""
    await store(home, url, -100, 50)
    await store(home, url, 3000, 20)
    async with StoredHouse(url, home.data_dir, CLOCK) as house:
        await house.storage.write(lambda tx: tx.execute(text(f"DELETE FROM readings WHERE at_ms BETWEEN {T0} AND {T0 + 9000}")))
        await house.storage.write(lambda tx: tx.execute(text(f"UPDATE readings SET value = 7 WHERE at_ms = {T0 + 11_000}")))
    (home.config_dir / "old.yaml").unlink()
    (home.config_dir / "new.yaml").write_text("comes\n")


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
async def test_full_and_increment_are_the_house(home: House, storage_url: str, tmp_path: Path, passphrase: str | None) -> None:
    await store(home, storage_url, 0, 3000)
    await backup(home, tmp_path / "full", CLOCK, passphrase)
    await change(home, storage_url)
    then = await rows(home, storage_url)
    made = await backup(home, tmp_path / "inc", CLOCK, passphrase, tmp_path / "full")
    assert {entry.name for entry in made.files} == {"changes.sqlite", "config/new.yaml"}
    assert (tmp_path / "inc").stat().st_size < (tmp_path / "full").stat().st_size / 5
    await store(home, storage_url, 5000, 10)
    (home.data_dir / "archive" / "1.parquet").unlink()
    (home.config_dir / "configuration.yaml").write_text("broken")
    await restore(home, tmp_path / "inc", CLOCK, passphrase)
    assert await rows(home, storage_url) == then
    assert (home.data_dir / "archive" / "1.parquet").read_bytes() == b"raw" * 9999
    assert (home.config_dir / "configuration.yaml").read_text() == "home: {}\n"
    assert (home.config_dir / "new.yaml").exists()


async def test_nothing_without_its_full(home: House, storage_url: str, tmp_path: Path) -> None:
    await store(home, storage_url, 0, 10)
    await backup(home, tmp_path / "full", CLOCK)
    await backup(home, tmp_path / "inc", CLOCK, full=tmp_path / "full")
    (tmp_path / "full").rename(tmp_path / "away")
    with pytest.raises(ConfigError, match="only what changed since full; put that beside it"):
        await restore(home, tmp_path / "inc", CLOCK)
    await store(home, storage_url, 10, 1)
    await backup(home, tmp_path / "full", CLOCK)
    with pytest.raises(ConfigError, match="is not the full backup that inc was made after"):
        await restore(home, tmp_path / "inc", CLOCK)
    raw = bytearray((tmp_path / "away").read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / "full").write_bytes(raw)
    with pytest.raises(ConfigError, match="is damaged"):
        await restore(home, tmp_path / "inc", CLOCK)
    assert not list(home.data_dir.rglob("*before-restore*")), "nothing was touched"


async def test_on_what_no_increment_can_stand(home: House, storage_url: str, tmp_path: Path) -> None:
    await store(home, storage_url, 0, 10)
    await backup(home, tmp_path / "full", CLOCK, "a")
    await backup(home, tmp_path / "inc", CLOCK, "a", tmp_path / "full")
    for full, passphrase, said in (("inc", "a", "an increment itself"), ("full", "b", "wrong passphrase"), ("full", None, "sealed")):
        with pytest.raises(ConfigError, match=said):
            await backup(home, tmp_path / "other", CLOCK, passphrase, tmp_path / full)
    assert not (tmp_path / "other").exists()


PLACES = st.dictionaries(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), st.none() | st.text("xy", max_size=2), max_size=8)


@given(st.tuples(PLACES, st.lists(st.integers(0, 5), unique=True)), st.tuples(PLACES, st.lists(st.integers(0, 5), unique=True)))
@settings(max_examples=40, deadline=None)
def test_full_and_changes_are_now(tmp_path_factory: pytest.TempPathFactory, old: Any, new: Any) -> None:
    folder = tmp_path_factory.mktemp("pair")
    for name, (places, order) in (("full", old), ("now", new)):
        with closing(sqlite3.connect(folder / name)) as con, con:
            con.execute("CREATE TABLE places (k TEXT, n INTEGER, v TEXT, PRIMARY KEY (k, n)) WITHOUT ROWID")
            con.execute('CREATE TABLE "un ique" (id INTEGER PRIMARY KEY AUTOINCREMENT, what INTEGER UNIQUE)')
            con.execute("CREATE TABLE loose (v TEXT)")
            con.executemany("INSERT INTO places VALUES (?, ?, ?)", [(*key, value) for key, value in places.items()])
            con.executemany('INSERT INTO "un ique" (what) VALUES (?)', [(each,) for each in order])
            con.executemany("INSERT INTO loose VALUES (?)", [(each,) for each in order])
    increment.compare(folder / "full", folder / "now", folder / "changes")
    increment.apply(folder / "full", folder / "changes")
    assert increment.compare(folder / "full", folder / "now", folder / "proof") == 0
    assert dump(folder / "full") == dump(folder / "now")


def test_other_tables_are_told(tmp_path: Path) -> None:
    for name in ("full", "now"):
        with closing(sqlite3.connect(tmp_path / name)) as con, con:
            con.execute(f"CREATE TABLE {name}_table (id INTEGER PRIMARY KEY)")
    with pytest.raises(ConfigError, match="other tables"):
        increment.compare(tmp_path / "full", tmp_path / "now", tmp_path / "changes")


def dump(path: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(path)) as con:
        names = [name for (name,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(con.execute(f'SELECT * FROM "{name}"'), key=repr) for name in names}
