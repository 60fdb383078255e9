from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.core.errors import ConfigError, Unsupported
from ohmstead.core.quantity import UNITS, Kind, Quantities, Quantity, convert


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (1.2, "kW", "W", 1200), (1000, "Wh", "kWh", 1), (3.6, "MJ", "kWh", 1), (60_000, "Wmin", "kWh", 1), (212, "°F", "°C", 100),
        (273.15, "K", "°C", 0), (0.98, "ratio", "%", 98), (1, "m3", "L", 1000), (5, "kvar", "VAr", 5000), (7, "", "", 7),
    ],
)  # fmt: skip
def test_units_convert(value: float, unit: str, to: str, expected: float) -> None:
    assert convert(value, unit, to) == pytest.approx(expected)


def test_what_cannot_be_converted_says_so() -> None:
    with pytest.raises(Unsupported, match="unknown unit 'furlong'; known are .*kWh"):
        convert(1, "furlong", "W")
    with pytest.raises(Unsupported, match="W cannot be turned into kWh"):
        convert(1, "W", "kWh")


@given(st.floats(-1e9, 1e9), st.sampled_from(sorted(UNITS)))
def test_a_conversion_and_its_way_back_is_nothing(value: float, unit: str) -> None:
    canonical = UNITS[unit][0]
    assert convert(convert(value, unit, canonical), canonical, unit) == pytest.approx(value, abs=1e-6)


def test_every_quantity_has_a_known_unit_and_a_sane_range() -> None:
    quantities = Quantities()
    assert len(quantities) == len(list(quantities)) > 60
    for quantity in quantities.values():
        assert UNITS[quantity.unit][0] == quantity.unit, "the unit is the canonical one"
        assert quantity.low < quantity.high
        assert quantity.description
    assert quantities["power_l3"].kind is Kind.GAUGE
    assert quantities["energy_import_t2"].kind is Kind.COUNTER


def test_a_plugin_adds_a_quantity_but_never_changes_one() -> None:
    ozone = Quantity("ozone", "ppm", Kind.GAUGE, "ozone in the air", 0, 100)
    quantities = Quantities([ozone])
    quantities.add(ozone)
    assert quantities["ozone"] is ozone
    with pytest.raises(ConfigError, match="'power' is already declared as 'active power, signed' in W"):
        quantities.add(Quantity("power", "kWh", Kind.COUNTER, "energy"))
