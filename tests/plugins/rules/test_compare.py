"""Comparisons: exact at the threshold, over by hysteresis, and refused where they contradict themselves."""

from __future__ import annotations

from typing import Any

import pytest
import voluptuous as vol

from ohmstead.core.quantity import Kind
from ohmstead.plugins.rules import compare
from ohmstead.plugins.rules.compare import Comparison


def stated(**options: Any) -> Comparison:
    found = compare.stated(vol.Schema(compare.SCHEMA)(options))
    assert found is not None
    return found


@pytest.mark.parametrize(("options", "met", "not_met"), [
    ({"above": 50}, (50.1, 1e6), (50.0, -1.0)),
    ({"at_least": 50}, (50.0, 51.0), (49.999,)),
    ({"below": 50}, (49.9,), (50.0, 51.0)),
    ({"at_most": 50}, (50.0,), (50.1,)),
    ({"equals": 50}, (50.0,), (50.0001,)),
    ({"differs": 50}, (49.0,), (50.0,)),
    ({"between": [10, 20]}, (10.0, 15.0, 20.0), (9.9, 20.1)),
])  # fmt: skip
def test_each_word_is_exact_at_its_threshold(options: dict[str, Any], met: tuple[float, ...], not_met: tuple[float, ...]) -> None:
    enters, leaves = stated(**options).enters(), stated(**options).leaves()
    assert [enters(value) for value in met] == [True] * len(met)
    assert [enters(value) for value in not_met] == [False] * len(not_met)
    assert [leaves(value) for value in (*met, *not_met)] == [False] * len(met) + [True] * len(not_met)


@pytest.mark.parametrize(("options", "stays", "ends"), [
    ({"above": 50, "clear_below": 47}, (50.0, 47.0), (46.9,)),
    ({"above": 50.1, "hysteresis": 2.8}, (47.3,), (47.2,)),
    ({"below": 10, "clear_above": 12}, (12.0,), (12.1,)),
    ({"at_most": 10, "hysteresis": 1}, (11.0,), (11.1,)),
    ({"between": [10, 20], "hysteresis": 2}, (8.0, 22.0), (7.9, 22.1)),
])  # fmt: skip
def test_hysteresis_keeps_it_on(options: dict[str, Any], stays: tuple[float, ...], ends: tuple[float, ...]) -> None:
    leaves = stated(**options).leaves()
    assert not any(leaves(value) for value in stays)
    assert all(leaves(value) for value in ends)


@pytest.mark.parametrize(("options", "place", "text"), [
    ({"above": 50, "below": 60}, "below", "expected one comparison, and above is there too; for both ends write between: [low, high]"),
    ({"above": 50, "clear_below": 51}, "clear_below", "expected at most 50"),
    ({"below": 50, "clear_above": 49}, "clear_above", "expected at least 50"),
    ({"above": 50, "clear_above": 55}, "clear_above", "does not go with above"),
    ({"equals": 50, "hysteresis": 1}, "hysteresis", "does not go with equals"),
    ({"clear_below": 3}, "clear_below", "belongs to a comparison"),
    ({"above": 50, "clear_below": 47, "hysteresis": 3}, "clear_below", "says the same as hysteresis"),
    ({"above": "10^999999"}, "above", "expected a number such as 50"),
    ({"above": float("nan")}, "above", "expected a number"),
    ({"above": 1e15}, "above", "expected a number up to"),
    ({"above": "1,5"}, "above", "expected a number"),
    ({"above": True}, "above", "expected a number"),
    ({"between": [20, 10]}, "between", "such as [10, 20]"),
    ({"between": [10]}, "between", "expected both ends"),
    ({"hysteresis": -1, "above": 1}, "hysteresis", "expected 0 or more"),
])  # fmt: skip
def test_nonsense_is_refused_with_what_would_be_right(options: dict[str, Any], place: str, text: str) -> None:
    with pytest.raises(vol.Invalid) as refused:
        stated(**options)
    error = refused.value.errors[0] if isinstance(refused.value, vol.MultipleInvalid) else refused.value
    assert error.path[-1] == place
    assert text in error.msg


def test_texts_are_only_equal_or_not() -> None:
    assert stated(equals="on").fit(Kind.TEXT).enters()("on")
    assert stated(equals=1).fit(Kind.TEXT).value == "1"
    assert stated(equals="21.5").fit(Kind.GAUGE).value == 21.5
    with pytest.raises(ValueError, match="this quantity is a text; use equals or differs"):
        stated(above=5).fit(Kind.TEXT)
    with pytest.raises(ValueError, match="this quantity is a number"):
        stated(equals="on").fit(Kind.GAUGE)


def test_symbols_in_json_are_the_words_of_yaml() -> None:
    for word, symbol in compare.SYMBOLS.items():
        threshold: Any = [1, 2] if word == "between" else 1
        made = stated(**compare.of_json({"comparison": symbol, "threshold": threshold}))
        assert made.word == word
        assert made.json()["comparison"] == symbol
    with pytest.raises(vol.Invalid, match="expected one of >"):
        compare.of_json({"comparison": "=>", "threshold": 1})
    with pytest.raises(vol.Invalid, match="is missing"):
        compare.of_json({"comparison": ">"})
