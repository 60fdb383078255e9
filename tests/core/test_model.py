from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ohmstead.core.model import Person, Reading, Series, is_slug
from ohmstead.core.quantity import Quantities


def test_nonsense_is_refused_at_birth() -> None:
    for value in (float("nan"), float("inf"), float("-inf")):
        with pytest.raises(ValueError, match="is no number"):
            Reading("power", value)
    with pytest.raises(ValueError, match="without a zone"):
        Reading("power", 1.0, at=datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="without a zone"):
        Reading("energy", 1.0, at=datetime(2026, 1, 1, tzinfo=UTC), start=datetime(2025, 1, 1))
    assert Reading("switch", "on").value == "on"


def test_ids() -> None:
    assert all(map(is_slug, ("D1", "heat-pump_2", "a" * 64)))
    assert not any(map(is_slug, ("", "-x", "a" * 65, "a.b", "a/b", "ä", "a b", "a\n")))


def test_a_series_has_an_address_and_its_own_range() -> None:
    series = Series("heatpump", Quantities()["power"], high=3000.0)
    assert series.address == "heatpump.power"
    assert (series.low, series.high) == (-10e6, 3000.0)
    assert repr(series) == "Series(heatpump.power)"


def test_scopes() -> None:
    assert Person("owner", frozenset({"*"})).may("write")
    assert Person("D1", frozenset({"ingest"}), device="D1").may("ingest")
    assert not Person("D1", frozenset({"ingest"})).may("read")
