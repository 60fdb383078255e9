"""A house with devices, jobs and history on each engine in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.registered_house import RegisteredHouse


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[RegisteredHouse]:
    async with RegisteredHouse(storage_url, tmp_path) as house:
        yield house
