"""Which version applies when, and what was known of it when."""

from __future__ import annotations

import pytest

from ohmstead.core.errors import Conflict, Invalid, NotFound
from tests.fakes.tariffs import BERLIN, ms, priced, registry, sheet, steady, tariff, told

FLAT = "components: [{type: flat, price: %s}]"
TWO = """
versions:
  - {from: 2026-01-01, recorded: "2025-12-01T00:00:00Z", components: [{type: flat, price: 0.30}]}
  - {from: 2026-02-01, recorded: "2025-12-01T00:00:00Z", components: [{type: flat, price: 0.40}]}
  - {from: 2026-01-01, recorded: "2026-03-10T00:00:00Z", components: [{type: flat, price: 0.28}]}
"""


def test_the_latest_recorded_of_those_with_the_greatest_valid_from() -> None:
    used = steady("2026-01-31", "2026-02-02", 1000)
    # known in March: January was mended to 0.28, February is still 0.40
    assert told(priced(TWO, "2026-01-31", "2026-02-02", used)) == ["flat: 24 kWh × 0.28 = 6.72", "flat: 24 kWh × 0.4 = 9.6"]
    # as known on 1 March it was 0.30
    assert told(priced(TWO, "2026-01-31", "2026-02-02", used, known_at_ms=ms("2026-03-01"))) == ["flat: 24 kWh × 0.3 = 7.2", "flat: 24 kWh × 0.4 = 9.6"]


def test_nothing_is_priced_by_what_was_not_known() -> None:
    found = priced(TWO, "2026-01-31", "2026-02-01", steady("2026-01-31", "2026-02-01", 1000), known_at_ms=ms("2025-06-01"))
    assert (found.lines, [each.reason for each in found.unpriced]) == ((), ["no version"])


def test_a_version_may_begin_at_an_instant() -> None:
    # 07:00+01:00: 7 h × 0.10 and 17 h × 0.20
    text = """
    versions:
      - {from: 2026-01-01, components: [{type: flat, price: 0.10}]}
      - {from: "2026-01-05T07:00:00+01:00", components: [{type: flat, price: 0.20}]}
    """
    found = priced(text, "2026-01-05", "2026-01-06", steady("2026-01-05", "2026-01-06", 1000))
    assert told(found) == ["flat: 7 kWh × 0.1 = 0.7", "flat: 17 kWh × 0.2 = 3.4"]
    assert [line.version for line in found.lines] == ["2026-01-01", "2026-01-05T06:00:00Z"]


def test_version_at_an_instant() -> None:
    of = tariff(TWO)
    found = of.version(ms("2026-02-01"), BERLIN)
    assert found is not None
    assert found.name == "2026-02-01"
    assert of.version(ms("2026-02-01") - 1, BERLIN).recorded_ms == ms("2026-03-10T01:00")  # type: ignore[union-attr]
    assert of.version(ms("2025-12-31"), BERLIN) is None


def test_a_version_that_ends_leaves_what_follows_without_a_price() -> None:
    text = "versions: [{from: 2026-01-01, until: 2026-01-02, components: [{type: flat, price: 1}]}]"
    found = priced(text, "2026-01-01", "2026-01-03", steady("2026-01-01", "2026-01-03", 1000))
    assert told(found) == ["flat: 24 kWh × 1 = 24"]
    assert [each.reason for each in found.unpriced] == ["no version"]


def test_the_registry_keeps_yaml_and_api_apart() -> None:
    known = registry()
    made = known.compiled("night", known.check({"currency": "EUR", "components": [{"type": "flat", "price": "0.2"}]}))
    known.put(made)
    assert known.get("night").origin == "api"
    assert "night" in known
    known.remove("night")
    with pytest.raises(NotFound, match="no tariff 'night'"):
        known.get("night")


async def test_what_the_yaml_defines_is_not_changed_over_the_api() -> None:
    known = registry()
    options = known.check({"currency": "EUR", "components": [{"type": "flat", "price": "0.2"}]})
    await known.apply({"day": options})
    with pytest.raises(Conflict, match="is defined in the configuration"):
        known.remove("day")
    with pytest.raises(Conflict, match="is defined in the configuration"):
        known.put(known.compiled("day", options))
    await known.apply({})
    assert "day" not in known


def test_a_grid_zone_has_to_be_chosen() -> None:
    text = "components: [{type: flat, price: 1, grid_zone: north}]"
    with pytest.raises(Invalid, match="choose one of them"):
        priced(text, "2026-01-01", "2026-01-02", sheet(ms("2026-01-01"), [1]))
