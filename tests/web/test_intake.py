"""What does not fit a route is told in words that say what would be right."""

from __future__ import annotations

import pytest
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import Invalid
from ohmstead.core.route import Call, Route
from ohmstead.web.intake import Intake


async def nothing(call: Call) -> None:
    return None


SCHEMA = {vol.Required("id"): validate.slug, vol.Optional("name"): validate.text, vol.Optional("at"): {vol.Optional("lat"): validate.number}}
INTAKE = Intake(Route("POST", "/devices", nothing, "write", "test", body=vol.Schema(SCHEMA), query=SCHEMA))


def test_keys_that_are_unknown_or_missing() -> None:
    with pytest.raises(Invalid) as error:
        INTAKE.body(b'{"naem": "x", "zzzzzz": 1, "at": {"lon": 1}}')
    assert sorted((each["path"], each["message"]) for each in error.value.details) == [
        ("at.lon", "unknown."),
        ("id", "is missing"),
        ("naem", 'unknown. Did you mean "name"?'),
        ("zzzzzz", "unknown."),
    ]


def test_a_key_of_the_query_that_is_unknown() -> None:
    with pytest.raises(Invalid) as error:
        INTAKE.query({"idd": "x", "id": "y"})
    assert error.value.details == [{"path": "idd", "message": 'unknown. Did you mean "id"?'}]
