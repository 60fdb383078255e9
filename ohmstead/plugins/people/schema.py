"""What may be stated of a person, in the YAML and over the API. No text here repeats an address: it is secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.notice import KINDS
from ohmstead.plugins.people.address import is_address
from ohmstead.plugins.people.hours import DIGESTS, quiet

OWNER = "owner"


def address(value: Any) -> str:
    """A URL of a service or an e-mail address."""
    if isinstance(value, str) and is_address(value):
        return value
    raise vol.Invalid("expected an address: the URL of a service, such as tgram://…, or an e-mail address")


def quiet_hours(value: Any) -> str:
    """Hours of the day, such as 22:00-07:00."""
    try:
        return str(quiet(str(value)))
    except ValueError:
        raise vol.Invalid("expected hours of the day such as 22:00-07:00") from None


def by_kind(item: Any) -> Any:
    """Addresses for every kind of notice, or for each kind its own."""
    some = validate.list_of(item)
    kinds = vol.Schema({vol.Optional(kind): some for kind in KINDS})

    def notify(value: Any) -> Mapping[str, list[str]]:
        if isinstance(value, Mapping):
            return kinds(value)  # type: ignore[no-any-return]
        return dict.fromkeys(KINDS, some(value))

    return notify


def _wishes(item: Any) -> dict[Any, Any]:
    return {
        vol.Optional("notify", description="addresses: one, a list, or lists by kind (alert, offline, recommendation, report, system)"):
            by_kind(item),
        vol.Optional("quiet_hours", description="hours in which only critical notices are sent, such as 22:00-07:00"): quiet_hours,
        vol.Optional("digest", description="daily, weekly or off: notices below high in one message"): validate.one_of(*DIGESTS),
        vol.Optional("time_zone", description="IANA time zone; the house's unless stated"): validate.time_zone,
    }  # fmt: skip


PERSON = {
    vol.Optional("name", description="name of the person"): validate.text,
    vol.Optional("roles", default=[], description="roles, which may be told instead of people, such as manager"):
        validate.list_of(validate.slug),
    **_wishes(address),
}  # fmt: skip

SECTION = {validate.slug: PERSON}

WISHES = {key: vol.Maybe(check) for key, check in _wishes(validate.text).items()}  # over the API; null: as the YAML has it
