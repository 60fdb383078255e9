"""A house that measured three days of a meter at 1 kW, on each engine in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.corrected_house import CorrectedHouse


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[CorrectedHouse]:
    async with CorrectedHouse(storage_url, tmp_path) as house:
        yield house
