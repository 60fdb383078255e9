"""A house with an audit log on each engine in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.audited_house import AuditedHouse


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[AuditedHouse]:
    async with AuditedHouse(storage_url, tmp_path) as house:
        yield house
