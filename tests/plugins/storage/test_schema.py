"""Migrations: from nothing, only when due, never backwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from ohmstead.core.bus import Bus
from ohmstead.core.clock import ManualClock
from ohmstead.core.errors import ConfigError, Unavailable
from ohmstead.core.plugin import Tables
from ohmstead.plugins.storage import schema
from ohmstead.plugins.storage.engine import locate
from ohmstead.plugins.storage.storage import Storage
from ohmstead.plugins.storage.tables import metadata

MIGRATION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = {revision!r}, {down!r}
def upgrade():
    op.create_table("pets_{revision}", sa.Column("id", sa.Integer, primary_key=True))
"""


def a_feature(folder: Path, versions: int) -> Tables:
    folder.mkdir(exist_ok=True)
    for number in range(1, versions + 1):
        down = f"{number - 1:04}" if number > 1 else None
        (folder / f"{number:04}_pets.py").write_text(MIGRATION.format(revision=f"{number:04}", down=down))
    return Tables("pets", folder, after=("storage",))


async def opened(url: str, folder: Path, *tables: Tables) -> set[str]:
    storage = Storage(url, folder, ManualClock(), Bus())
    await storage.open(tables)
    try:
        async with storage.read() as conn:
            return set(await conn.run_sync(lambda sync: __import__("sqlalchemy").inspect(sync).get_table_names()))
    finally:
        await storage.close()


def test_the_newest_file_is_alembics_head() -> None:
    folder = schema.OWN.migrations
    assert ScriptDirectory(str(folder), version_locations=[str(folder)]).get_current_head() == schema.head(folder)


async def test_a_new_database_has_every_table_with_its_columns(empty_url: str, tmp_path: Path) -> None:
    assert set(metadata.tables).issubset(await opened(empty_url, tmp_path))
    storage = Storage(empty_url, tmp_path, ManualClock(), Bus())
    await storage.open()
    async with storage.read() as conn:
        for table in metadata.tables.values():
            await conn.execute(table.select())  # names every column
    await storage.close()


async def test_a_feature_brings_its_own_and_grows(empty_url: str, tmp_path: Path) -> None:
    assert "pets_0001" in await opened(empty_url, tmp_path, a_feature(tmp_path / "pets", 1))
    assert {"pets_0001", "pets_0002", "schema_pets"} <= await opened(empty_url, tmp_path, a_feature(tmp_path / "pets", 2))


async def test_a_newer_database_is_left_alone(empty_url: str, tmp_path: Path) -> None:
    await opened(empty_url, tmp_path, a_feature(tmp_path / "pets", 2))
    (tmp_path / "pets" / "0002_pets.py").unlink()
    with pytest.raises(ConfigError, match="pets have version 0002, this release knows 0001"):
        await opened(empty_url, tmp_path, a_feature(tmp_path / "pets", 1))


def test_features_come_behind_what_they_need(tmp_path: Path) -> None:
    a, b = Tables("a", tmp_path, after=("b",)), Tables("b", tmp_path)
    assert [tables.feature for tables in schema.in_order([a, b])] == ["storage", "b", "a"]
    with pytest.raises(ConfigError, match="a: they wait"):
        schema.in_order([a])


async def test_alembic_is_imported_only_to_migrate(empty_sqlite_url: str, tmp_path: Path) -> None:
    await opened(empty_sqlite_url, tmp_path)
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom ohmstead.core.bus import Bus\nfrom ohmstead.core.clock import Clock\n"
        "from ohmstead.plugins.storage.storage import Storage\n"
        "async def main():\n s = Storage(sys.argv[1], Path('.'), Clock(), Bus())\n await s.open()\n await s.close()\n"
        "asyncio.run(main())\nprint([m for m in ('alembic', 'asyncpg', 'cryptography') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, empty_sqlite_url], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    storage = Storage("postgresql://x@127.0.0.1:1/x", tmp_path, ManualClock(), Bus())
    with pytest.raises(Unavailable, match="127.0.0.1"):
        await storage.open()
    await storage.close()


@pytest.mark.parametrize("url", ["nonsense", "mysql://x/y", "://"])
def test_a_url_we_cannot_use(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="storage → url"):
        locate(url, tmp_path)


async def test_space_comes_back_to_the_file_system(empty_sqlite_url: str, tmp_path: Path) -> None:
    storage = Storage(empty_sqlite_url, tmp_path, ManualClock(), Bus())
    await storage.open()
    async with storage.read() as conn:
        assert await conn.scalar(text("PRAGMA auto_vacuum")) == 2
        assert await conn.scalar(text("PRAGMA journal_mode")) == "wal"
    await storage.close()
