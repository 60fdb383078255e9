"""An automated house on each engine in turn, and one on SQLite alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.automated_house import AutomatedHouse


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[AutomatedHouse]:
    async with AutomatedHouse(storage_url, tmp_path) as house:
        yield house


@pytest.fixture
async def home(sqlite_url: str, tmp_path: Path) -> AsyncIterator[AutomatedHouse]:
    async with AutomatedHouse(sqlite_url, tmp_path) as house:
        yield house
