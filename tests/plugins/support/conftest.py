"""A storage that the watch looks at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.stored_house import StoredHouse


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[StoredHouse]:
    async with StoredHouse("sqlite:///ohmstead.db", tmp_path / "data") as house:
        yield house
