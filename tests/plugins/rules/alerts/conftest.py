"""A house with alert rules on each engine in turn, and on SQLite alone for what no database has a say in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.alerted_house import AlertedHouse


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[AlertedHouse]:
    async with AlertedHouse(storage_url, tmp_path) as house:
        yield house


@pytest.fixture
async def home(sqlite_url: str, tmp_path: Path) -> AsyncIterator[AlertedHouse]:
    async with AlertedHouse(sqlite_url, tmp_path) as house:
        yield house
