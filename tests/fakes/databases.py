"""Fixtures of databases, for every test that runs on both engines.

They come with the tables of every feature, as the hub makes them: made once, then copied, for making them takes longer
than most tests. Tests of how tables are made ask for `empty_url`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.postgres import Postgres

ENGINES = ["sqlite", "postgresql"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this test run."""
    server = Postgres(os.environ.get("OHMSTEAD_TEST_POSTGRES"))
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def made_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of SQLite that others are copied from."""
    folder = tmp_path_factory.mktemp("made")
    _make("sqlite:///ohmstead.db", folder)
    return folder / "data" / "ohmstead.db"


@pytest.fixture(scope="session")
def made_database(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database of PostgreSQL that others are copied from."""
    url = postgres.create()
    try:
        _make(url, tmp_path_factory.mktemp("made"))
        yield url
    finally:
        postgres.drop(url)


@pytest.fixture
def sqlite_url(tmp_path: Path, made_file: Path) -> str:
    """A file of SQLite."""
    file = tmp_path / "data" / "ohmstead.db"
    file.parent.mkdir(exist_ok=True)
    shutil.copyfile(made_file, file)
    return f"sqlite:///{file}"


@pytest.fixture
def postgres_url(postgres: Postgres, made_database: str) -> Iterator[str]:
    """A database of PostgreSQL."""
    yield from _while_used(postgres, made_database)


@pytest.fixture(params=ENGINES)
def storage_url(request: pytest.FixtureRequest) -> str:
    """A database of each engine in turn."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """A file of SQLite that is not there yet."""
    return f"sqlite:///{tmp_path / 'data' / 'ohmstead.db'}"


@pytest.fixture
def empty_postgres_url(postgres: Postgres) -> Iterator[str]:
    """A database of PostgreSQL without a table."""
    yield from _while_used(postgres, None)


@pytest.fixture(params=ENGINES)
def empty_url(request: pytest.FixtureRequest) -> str:
    """A database of each engine in turn, without a table."""
    url: str = request.getfixturevalue("empty_sqlite_url" if request.param == "sqlite" else "empty_postgres_url")
    return url


def _while_used(postgres: Postgres, like: str | None) -> Iterator[str]:
    url = postgres.create(like)
    try:
        yield url
    finally:
        postgres.drop(url)


def _make(url: str, folder: Path) -> None:
    from ohmstead.config.parts import Parts

    async def opened() -> None:
        parts = Parts(folder, url, "process")
        await parts.storage.open(parts.contributions.tables())
        await parts.storage.close()

    with ThreadPoolExecutor(1) as thread:  # a loop may be running here
        thread.submit(asyncio.run, opened()).result()
