"""Registers: values, batches that cover all and bound everything, and templates that say where they are wrong."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.core.errors import ConfigError
from ohmstead.core.quantity import Quantities
from ohmstead.plugins.protocols.registers import Order, Type, decode, plan, template, width

TEMPLATE = {"name": "Meter", "manufacturer": "Me", "model": "M1", "registers": {"power": 0, "frequency": {"at": "0x46"}}}


@pytest.mark.parametrize(
    ("words", "type_", "order", "value"),
    [
        ([0x4366, 0x3333], "float32", "big", 230.2),
        ([0x42F6, 0xCCCD], "float32", "big", 123.4),
        ([0x5225, 0x449A], "float32", "lsw", 1234.567),
        ([0x0900, 0x0000], "int32", "lsw", 2304),
        ([0xFB2E, 0xFFFF], "int32", "lsw", -1234),
        ([0xFFFF, 0xFB2E], "int32", "big", -1234),
        ([0xFFFF, 0xFB2E], "uint32", "big", 0xFFFFFB2E),
        ([0xFB2E], "int16", "big", -1234),
        ([0xFB2E], "uint16", "lsw", 0xFB2E),
        ([1, 2, 3, 4], "uint64", "big", 0x0001000200030004),
        ([4, 3, 2, 1], "uint64", "lsw", 0x0001000200030004),
        ([0xFFFF] * 4, "int64", "big", -1),
    ],
)
def test_values(words: list[int], type_: Type, order: Order, value: float) -> None:
    assert decode(words, type_, order) == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_is_the_decimal_that_stands_for_it(value: float) -> None:
    raw = struct.pack(">f", value)
    decoded = decode(struct.unpack(">2H", raw), "float32")
    assert struct.pack(">f", decoded) == raw
    assert len(f"{decoded:.17g}".lstrip("-").split("e")[0].strip("0.").replace(".", "")) <= 17


def test_not_a_number_stays_so() -> None:
    assert math.isnan(decode([0x7FC0, 0], "float32"))


@given(
    st.lists(st.tuples(st.integers(0, 600), st.sampled_from([1, 2, 4])), min_size=1, max_size=60),
    st.integers(0, 30),
    st.integers(4, 125),
)
def test_batches_cover_everything_within_their_bounds(wanted: list[tuple[int, int]], gap: int, longest: int) -> None:
    requests = plan(wanted, gap, longest)
    for address, count in wanted:
        assert any(first <= address and address + count <= first + length for first, length in requests)
    needed = {address + i for address, count in wanted for i in range(count)}
    for first, length in requests:
        assert length <= longest
        unwanted = [register not in needed for register in range(first, first + length)]
        assert not unwanted[0]
        assert not unwanted[-1]
        assert "1" * (gap + 1) not in "".join(str(int(u)) for u in unwanted)


def test_neighbours_are_one_request() -> None:
    assert plan([(2, 2), (0, 2), (6, 2), (40, 2)], gap=2) == [(0, 8), (40, 2)]


def test_a_template_reads() -> None:
    made = template({**TEMPLATE, "type": "int16", "registers": {"power": 0, "power_factor": {"at": 1, "unit": "ratio", "scale": 0.001},
                                                                "energy_import": {"at": 2, "type": "uint32", "unit": "Wh"}}}, Quantities())  # fmt: skip
    assert made.requests() == [(0, 4)]
    readings = {r.quantity: r.value for r in made.readings({0: 0xFFF6, 1: 985, 2: 1, 3: 2}, Quantities())}
    assert readings == {"power": -10, "power_factor": 98.5, "energy_import": 65.538}


def test_a_register_without_a_number_gives_no_reading() -> None:
    made = template(TEMPLATE, Quantities())
    memory = {0: 0x7FC0, 1: 0, 0x46: 0x4248, 0x47: 0}
    assert [(r.quantity, r.value) for r in made.readings(memory, Quantities())] == [("frequency", 50)]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"registers": {"pwoer": 0}}, "unknown quantity 'pwoer'"),
        ({"registers": {"power": {"at": 0, "typ": "int16"}}}, "typ"),
        ({"registers": {"power": {"at": "here"}}}, "here"),
        ({"type": "float16"}, "float16"),
        ({"function": 7}, "function"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_template_says_where(change: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        template({**TEMPLATE, **change}, Quantities())


def test_widths() -> None:
    assert [width(t) for t in ("int16", "float32", "uint64")] == [1, 2, 4]
