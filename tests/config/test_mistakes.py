"""What voluptuous says, in our words."""

from __future__ import annotations

from typing import Any

import pytest
import voluptuous as vol

from ohmstead.config.mistakes import mistakes, options, without
from ohmstead.core import validate

INNER = {vol.Required("host", description="address"): validate.host, vol.Optional("every", default=5): validate.seconds, "plain": str}
SCHEMA = {
    vol.Optional("one"): INNER,
    vol.Optional("many"): [INNER],
    vol.Optional("either"): vol.Any(INNER, validate.port),
    vol.Optional("both"): vol.All({vol.Optional("a"): int, vol.Optional("b"): float, vol.Optional("c"): bool, vol.Optional("d"): [str]}),
    vol.Optional("nested"): vol.Schema({validate.slug: INNER}),
    vol.Optional("function"): validate.list_of(validate.port),
}


def told(value: Any) -> list[str]:
    return [f"{'/'.join(map(str, mistake.keys))}: {mistake.text}" for mistake in mistakes(SCHEMA, value)[1]]


@pytest.mark.parametrize(("value", "sentence"), [
    ({"won": 1}, 'won: unknown option. Did you mean "one"?'),
    ({"xyzxyz": 1}, "xyzxyz: unknown option. There are both, either, function, many, nested, one"),
    ({"one": {"host": "h", "evry": 1}}, 'one/evry: unknown option. Did you mean "every"?'),
    ({"one": {}}, "one/host: is missing (address)"),
    ({"one": 5}, "one: expected options below it, each on its own line, such as name: value"),
    ({"one": {"host": "h", "plain": 1}}, "one/plain: expected a text"),
    ({"one": {"host": "h", "every": "soon"}}, "one/every: expected a time span such as 30s, 15m or 2h"),
    ({"many": [{"host": "h", "evry": 1}]}, 'many/0/evry: unknown option. Did you mean "every"?'),
    ({"many": 5}, "many: expected a list"),
    ({"nested": {"a": {"host": "h", "evry": 1}}}, 'nested/a/evry: unknown option. Did you mean "every"?'),
    ({"nested": {"a b": {"host": "h"}}}, "nested/a b: expected an id of letters, digits, _ and -, at most 64 characters"),
    ({"both": {"a": "x"}}, "both/a: expected a whole number"),
    ({"both": {"b": "x"}}, "both/b: expected a number"),
    ({"both": {"c": "x"}}, "both/c: expected true or false"),
    ({"both": {"e": "x"}}, "both/e: unknown option. There are a, b, c, d"),
    ({"function": [1, 0]}, "function/1: expected a whole number from 1 to 65535"),
])  # fmt: skip
def test_sentences(value: Any, sentence: str) -> None:
    assert told(value) == [sentence]


def test_all_of_them_at_once() -> None:
    assert len(told({"one": {"evry": 1, "every": "x"}, "many": [{"host": "h"}, {"host": ""}], "z": 1})) == 5


def test_what_is_right_comes_back_with_defaults() -> None:
    assert mistakes(SCHEMA, {"one": {"host": "h"}}) == ({"one": {"host": "h", "every": 5.0}}, [])


def test_a_bare_validator() -> None:
    assert [mistake.text for mistake in mistakes(validate.port, 0)[1]] == ["expected a whole number from 1 to 65535"]


def test_options_at_a_place() -> None:
    assert set(options(SCHEMA, ("either",))) == {"host", "every", "plain"}
    assert set(options(SCHEMA, ("many", 0))) == {"host", "every", "plain"}
    assert options(SCHEMA, ("one", "host")) == {}
    assert options(str, ()) == {}


def test_taking_out_what_is_wrong() -> None:
    value = {"one": {"evry": 1, "host": "h"}, "nested": {"a": {}, "b": {"host": "h"}}, "many": [{"x": 1}]}
    wrong = mistakes(SCHEMA, value)[1]
    assert without(value, wrong) == {"one": {"host": "h"}, "nested": {"b": {"host": "h"}}}
    assert value["one"] == {"evry": 1, "host": "h"}, "the original stays as it is"
