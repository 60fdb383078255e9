"""A bill and its entry in the log are kept together or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ohmstead.config import audited
from ohmstead.core.errors import Unavailable
from ohmstead.plugins.audit.audit import Audit
from ohmstead.plugins.audit.tables import TABLES as AUDIT
from ohmstead.plugins.billing.book import BillBook, Entry, Kept
from ohmstead.plugins.billing.tables import TABLES as BILLING
from ohmstead.plugins.devices.tables import TABLES as DEVICES
from tests.fakes.stored_house import StoredHouse


@pytest.fixture
async def house(storage_url: str, tmp_path: Path) -> AsyncIterator[StoredHouse]:
    house = StoredHouse(storage_url, tmp_path / "data")
    await house.storage.open([DEVICES, BILLING, AUDIT])
    yield house
    await house.storage.close()


def bill(id_: str, status: str) -> Kept:
    return Kept(Entry(id_, "home", 0, 86_400_000, status, None, "EUR", 12_340_000, "00", 5, 6, "sam"), "{}", b"")


async def test_an_issued_bill_is_entered(house: StoredHouse, tmp_path: Path) -> None:
    audit, book = Audit(house.storage, house.clock, tmp_path), BillBook(house.storage)
    await audit.open()
    book.joins.append(partial(audited.bill_issued, audit))
    await book.put(bill("a", "draft"))
    assert await audit.search.find({}, None, 10) == []
    await book.put(bill("a", "issued"))
    await book.put(bill("a", "issued"))
    [entry, _] = await audit.search.find({}, None, 10)
    assert (entry["type"], entry["subject"], entry["who"]) == ("bill.issued", "a", "sam")

    async def fail(tx: Any, issued: Entry) -> None:
        raise Unavailable("not now")

    book.joins.append(fail)
    with pytest.raises(Unavailable):
        await book.put(bill("b", "issued"))
    assert await book.find("b") is None
    assert len(await audit.search.find({}, None, 10)) == 2
    assert (await audit.verify()).ok
