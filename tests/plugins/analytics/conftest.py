"""A house with analytics on each engine in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.analysed_house import AnalysedHouse


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[AnalysedHouse]:
    async with AnalysedHouse(storage_url, tmp_path) as house:
        yield house
