"""Readings go into a file and come back the same, bit for bit; a digest tells the smallest difference."""

from __future__ import annotations

import struct
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.plugins.ledger.archive import digest
from ohmstead.plugins.ledger.archive.parquet import Parquet, Raw, Series

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SAID = {"sampled_ms": st.none() | st.integers(0, 1 << 40), "flags": st.none() | TEXTS}
NUMBER = st.builds(Raw, st.integers(-(1 << 60), 1 << 60), NUMBERS, **SAID)
TEXT = st.builds(Raw, st.integers(-(1 << 60), 1 << 60), st.none(), TEXTS, **SAID)


def bits(rows: list[Raw]) -> list[tuple[bytes | None, Raw]]:
    return [(None if row.value is None else struct.pack("<d", row.value), row) for row in rows]


@settings(max_examples=10, deadline=None)
@given(st.lists(NUMBER, min_size=1, unique_by=lambda row: row.at_ms), st.lists(TEXT, min_size=1, unique_by=lambda row: row.at_ms))
def test_what_was_written_is_read(tmp_path_factory: object, numbers: list[Raw], texts: list[Raw]) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "any.parquet"  # type: ignore[attr-defined]
    wanted = {7: sorted(numbers, key=lambda row: row.at_ms), 8: sorted(texts, key=lambda row: row.at_ms)}
    parquet = Parquet()
    parquet.write(path, [(Series(key, "meter's", 'energy"'), rows) for key, rows in wanted.items()])
    found = parquet.read(path)
    assert {key: bits(rows) for key, rows in found.items()} == {key: bits(rows) for key, rows in wanted.items()}
    assert [digest.of_readings(rows) for rows in found.values()] == [digest.of_readings(rows) for rows in wanted.values()]
    first = wanted[7][0].at_ms
    assert bits(parquet.read(path, 7, first, first + 1)[7]) == bits(wanted[7][:1])
    assert parquet.read(path, 9, -(1 << 61), 1 << 61) == {}


def test_a_digest_tells_the_smallest_difference() -> None:
    rows = [Raw(1, 0.0), Raw(2, 1.5, flags="estimated")]
    other = [[Raw(1, -0.0), rows[1]], [Raw(1, 5e-324), rows[1]], [rows[0], Raw(2, 1.5)], rows[:1], [Raw(1, 0.0), Raw(3, 1.5, flags="estimated")]]
    assert len({digest.of_readings(each) for each in [rows, *other]}) == 6
    assert digest.of_readings(list(rows)) == digest.of_readings(rows)
