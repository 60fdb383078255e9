"""A house with a ledger whose raw readings leave into the archive, on each engine in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.archived_house import ArchivedHouse


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[ArchivedHouse]:
    async with ArchivedHouse(storage_url, tmp_path) as house:
        yield house


@pytest.fixture
async def sqlite_house(sqlite_url: str, tmp_path: Path) -> AsyncIterator[ArchivedHouse]:
    async with ArchivedHouse(sqlite_url, tmp_path) as house:
        yield house
