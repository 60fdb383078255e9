"""Both engines, and a house on one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.stored_house import StoredHouse


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[StoredHouse]:
    async with StoredHouse(storage_url, tmp_path / "data") as house:
        yield house
