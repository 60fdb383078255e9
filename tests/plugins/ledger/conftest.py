"""A house with a ledger on each engine in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.metered_house import MeteredHouse


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[MeteredHouse]:
    async with MeteredHouse(storage_url, tmp_path) as house:
        yield house
