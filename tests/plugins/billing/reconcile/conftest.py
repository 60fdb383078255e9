"""A house that checks invoices, on each engine in turn or on one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.reconciled_house import ReconciledHouse


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[ReconciledHouse]:
    async with ReconciledHouse(storage_url, tmp_path) as house:
        yield await begun(house)


@pytest.fixture
async def home(sqlite_url: str, tmp_path: Path) -> AsyncIterator[ReconciledHouse]:
    async with ReconciledHouse(sqlite_url, tmp_path) as house:
        yield await begun(house)


async def begun(house: ReconciledHouse) -> ReconciledHouse:
    """A flat tariff whose price changed in 2026, and three months of energy."""
    energy = {"type": "flat", "name": "energy"}
    base = {"type": "standing", "name": "base", "price": "0.331", "per": "day"}
    house.tariff("flat", versions=[
        {"from": "2025-01-01", "components": [{**energy, "price": "0.2517"}, base], "vat": 19},
        {"from": "2026-02-01", "components": [{**energy, "price": "0.2981"}, base], "vat": 19},
    ])  # fmt: skip
    await house.contract()
    house.live("2026-02-01T00:00", "2026-04-10T12:00")
    return house
