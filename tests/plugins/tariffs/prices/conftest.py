"""A book of prices on each engine in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.price_shelf import Shelf, price_shelf


@pytest.fixture
async def shelf(storage_url: str, tmp_path: Path) -> AsyncIterator[Shelf]:
    async with price_shelf(storage_url, tmp_path / "data") as shelf:
        yield shelf
