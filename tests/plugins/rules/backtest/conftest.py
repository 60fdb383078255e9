"""A replayed house on each engine in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.replayed_house import ReplayedHouse


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[ReplayedHouse]:
    async with ReplayedHouse(storage_url, tmp_path) as house:
        yield house


@pytest.fixture
async def home(sqlite_url: str, tmp_path: Path) -> AsyncIterator[ReplayedHouse]:
    """The same on SQLite alone, for what no database has a say in."""
    async with ReplayedHouse(sqlite_url, tmp_path) as house:
        yield house
