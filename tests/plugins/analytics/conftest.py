"""A house with analytics on each engine in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.analysed_house import AnalysedHouse
from tests.fakes.databases import postgres, postgres_url, sqlite_url, storage_url

__all__ = ["house", "postgres", "postgres_url", "sqlite_url", "storage_url"]


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[AnalysedHouse]:
    async with AnalysedHouse(storage_url, tmp_path) as house:
        yield house
