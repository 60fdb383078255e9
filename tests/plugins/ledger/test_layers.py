"""Sheets laid together."""

from __future__ import annotations

from array import array

import pytest

from ohmstead.plugins.ledger.layers import add, intervals, join, kwh, quality, resolve
from ohmstead.plugins.ledger.sheet import Layer, Sheet

T = 1_767_600_000_000  # 2026-01-05T08:00Z
FULL = 900_000


def sheet(*slots: tuple[int, int, int, int]) -> Sheet:
    """Slots of mWh, and ms measured, estimated, over a reset."""
    columns = list(zip(*slots, strict=True))
    return Sheet(T, FULL, array("q", columns[0]), *(array("i", column) for column in columns[1:]), bytearray(len(slots)))


def slots(found: Sheet) -> list[tuple[int, ...]]:
    return list(zip(found.mwh, found.measured_ms, found.estimated_ms, found.reset_ms, found.source, strict=True))


def test_terms_cover_what_all_of_them_cover() -> None:
    one = sheet((10, FULL, 0, 0), (10, FULL, 0, 0), (10, FULL, 0, 0), (10, 0, FULL, 0))
    two = sheet((5, FULL, 0, 0), (5, 0, 300_000, 0), (0, 0, 0, 0), (5, 0, 0, FULL))
    assert slots(add([one, two])) == [(15, FULL, 0, 0, 1), (15, 0, 300_000, 0, 1), (0, 0, 0, 0, 0), (15, 0, 0, FULL, 1)]
    assert slots(add([one])) == [(10, FULL, 0, 0, 1)] * 3 + [(10, 0, FULL, 0, 1)]


def test_bindings_cover_one_after_another() -> None:
    one, two = add([sheet((10, 300_000, 0, 0))]), add([sheet((5, 0, 600_000, 0))])
    assert slots(join([one, two])) == [(15, 300_000, 600_000, 0, 1)]
    assert join([one]) is one


def test_the_highest_that_speaks_wins() -> None:
    live = sheet((1, FULL, 0, 0), (1, FULL, 0, 0), (0, 0, 0, 0), (1, FULL, 0, 0))
    manual = sheet((0, 0, 0, 0), (2, 0, FULL, 0), (0, 0, 0, 0), (2, FULL, 0, 0))
    settled = sheet((0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0), (0, 60_000, 0, 0))
    found = resolve({Layer.SETTLED: settled, Layer.LIVE: live, Layer.MANUAL: manual})
    assert slots(found) == [(1, FULL, 0, 0, 1), (2, 0, FULL, 0, 2), (0, 0, 0, 0, 0), (0, 60_000, 0, 0, 3)]
    assert slots(live)[1] == (1, FULL, 0, 0, 0)  # losers stay as they were


@pytest.mark.parametrize(
    ("cover", "word"),
    [((FULL, 0, 0), "measured"), ((FULL - 1, 1, 0), "estimated"), ((FULL - 2, 1, 1), "reset"), ((FULL - 1, 0, 0), "missing"), ((0, 0, 0), "missing")],
)
def test_quality_is_the_worst(cover: tuple[int, int, int], word: str) -> None:
    assert quality(FULL, *cover) == word


def test_an_interval_is_null_only_where_nothing_is_known() -> None:
    found = list(intervals([add([sheet((1_500_001, FULL, 0, 0), (0, 500, 0, 0), (0, 0, 0, 0))])]))
    assert found[0] == {
        "start": "2026-01-05T08:00:00+00:00", "end": "2026-01-05T08:15:00+00:00", "kwh": "1.500001", "quality": "measured", "covered_s": 900, "source": "live",
    }  # fmt: skip
    assert (found[1]["kwh"], found[1]["quality"], found[1]["covered_s"], found[1]["source"]) == ("0.000000", "missing", 0.5, "live")
    assert (found[2]["kwh"], found[2]["quality"], found[2]["covered_s"], found[2]["source"]) == (None, "missing", 0, None)


def test_energy_is_written_exactly() -> None:
    assert [kwh(1), kwh(-100_000), kwh(12_345_678_901_234)] == ["0.000001", "-0.100000", "12345678.901234"]
