from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import voluptuous as vol

from ohmstead.core import validate as v


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (v.text, "x", "x"), (v.text, 12, "12"), (v.number, "1.5", 1.5), (v.number, 2, 2.0), (v.integer(1, 5), "3", 3),
        (v.between(0, 100, "%"), 50, 50.0), (v.boolean, "on", True), (v.boolean, False, False), (v.boolean, "No", False),
        (v.duration, "15m", 900.0), (v.duration, 90, 90.0), (v.duration, "1.5h", 5400.0), (v.duration, "250ms", 0.25), (v.seconds, "30s", 30.0),
        (v.slug, "D1", "D1"), (v.slug, 7, "7"), (v.host, "192.168.1.5", "192.168.1.5"), (v.host, "meter.local", "meter.local"),
        (v.host, "[fe80::1]", "[fe80::1]"), (v.url("http", "https"), "http://a:80/x", "http://a:80/x"), (v.port, 7230, 7230),
        (v.time_zone, "Europe/Berlin", "Europe/Berlin"), (v.currency, "EUR", "EUR"), (v.one_of("a", "b"), "a", "a"),
        (v.list_of(v.text), "x", ["x"]), (v.list_of(v.text), ["x", "y"], ["x", "y"]),
    ],
)  # fmt: skip
def test_good_values(check: Callable[[Any], Any], value: Any, expected: Any) -> None:
    assert check(value) == expected


@pytest.mark.parametrize(
    ("check", "value", "says"),
    [
        (v.text, "", "a text"), (v.text, True, "a text"), (v.number, True, "a number"), (v.number, "x", "a number"), (v.number, "nan", "finite"),
        (v.number, 10**400, "finite"), (v.duration, "9" * 400, "finite"),
        (v.integer(1, 5), 6, "from 1 to 5"), (v.integer(1, 5), 1.5, "whole"), (v.between(0, 100, "%"), 101, "0 to 100 %"), (v.boolean, "maybe", "true or false"),
        (v.duration, "soon", "15m or 2h"), (v.duration, True, "time span"), (v.seconds, "2d", "24h"), (v.slug, "a b", "an id of letters"),
        (v.host, "http://x", "without|host name"), (v.url("http"), "ftp://x", "http://example"), (v.url("http"), "http://x:99999", "address"),
        (v.url("http"), 5, "address"), (v.port, 0, "1 to 65535"), (v.time_zone, "Mars/Base", "Europe/Berlin"), (v.time_zone, "../etc", "time zone"),
        (v.currency, "Euro", "EUR"), (v.one_of("alpha", "beta"), "alpa", 'Did you mean "alpha"'), (v.one_of("only"), "x", "expected only"),
    ],
)  # fmt: skip
def test_bad_values_say_what_would_be_right(check: Callable[[Any], Any], value: Any, says: str) -> None:
    with pytest.raises(vol.Invalid, match=says):
        check(value)


def test_options_fill_in_defaults_and_name_every_mistake() -> None:
    schema = {vol.Required("host", description="where"): v.host, vol.Optional("every", default=5, description="how often"): v.seconds}
    assert v.options(schema, {"host": "a"}) == {"host": "a", "every": 5.0}
    with pytest.raises(vol.MultipleInvalid) as caught:
        v.options(schema, {"evry": 3})
    assert len(caught.value.errors) == 2


def test_did_you_mean_stays_silent_when_nothing_is_near() -> None:
    assert v.did_you_mean("qqqq", ["power"]) == ""
