"""What the `notifications:` section and the API of notifications take."""

from __future__ import annotations

from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.notice import KINDS
from ohmstead.plugins.notifiers.deliveries import STATUSES
from ohmstead.plugins.notifiers.sender import RATE
from ohmstead.plugins.people.address import MAIL, scheme
from ohmstead.plugins.people.schema import WISHES, address


def account(value: Any) -> str:
    """The URL of a mail account."""
    if isinstance(value, str) and "://" in value and scheme(value) in (MAIL, f"{MAIL}s"):
        return address(value)
    raise vol.Invalid("expected the URL of a mail account such as mailtos://user:password@example.org")


def contact(value: Any) -> str:
    """Who a push service writes to when something is wrong: RFC 8292 wants a mailto: or https: URI."""
    if isinstance(value, str) and value.startswith(("mailto:", "https://")):
        return value
    raise vol.Invalid("expected mailto:… or https://…")


SECTION = {
    vol.Optional("email", description="mail account that plain e-mail addresses are written to from, as mailtos://user:password@host"):
        account,
    vol.Optional("webhook_secret", description="signs the bodies of webhooks"): validate.text,
    vol.Optional("push_contact", description="mailto: or https: URI that push services may write to"): contact,
    vol.Optional("rate_limit", default=RATE, description="messages an hour to one address; more are collected"): validate.integer(1, 1000),
}  # fmt: skip

_limit = {
    vol.Optional("limit", default=100, description="at most so many, up to 1,000"): validate.integer(1, 1000),
    vol.Optional("cursor", description="meta.nextCursor of the page before"): validate.text,
}
LIST: dict[Any, Any] = {
    vol.Optional("person", description="only those for this person"): validate.slug,
    vol.Optional("unread", default=False, description="true: only those that nobody has read"): validate.boolean,
    **_limit,
}
WHOSE: dict[Any, Any] = {vol.Optional("person", description="only those for this person"): validate.slug}
DELIVERIES: dict[Any, Any] = {
    vol.Optional("status", description="pending, sent, failed or bounced"): validate.one_of(*STATUSES),
    vol.Optional("recipient", description="only those to this person"): validate.text,
    **_limit,
}
CHOSEN = WISHES
TEST: dict[Any, Any] = {
    vol.Optional("to", default="owner", description="a person, a role, or a plain address"): validate.text,
    vol.Optional("dry_run", default=False, description="true: only show where it would go"): validate.boolean,
}
ADDRESS: dict[Any, Any] = {vol.Optional("kind", description="subscribe to this kind again; without it: use a paused address again"):
                           validate.one_of(*KINDS)}  # fmt: skip


def _key(size: int) -> Any:
    """So many bytes in base64url, with or without padding."""
    digits = -(-size * 4 // 3)
    return vol.All(validate.text, vol.Match(rf"^[A-Za-z0-9_-]{{{digits}}}=*$", msg=f"expected {size} bytes in base64url"))


SUBSCRIPTION: dict[Any, Any] = {
    vol.Optional("person", default="owner", description="whose browser it is"): validate.slug,
    vol.Required("endpoint", description="where the push service takes messages"):
        vol.All(validate.url("https", "http"), vol.Length(max=2000)),
    vol.Required("keys", description="the browser's keys"): {
        vol.Required("p256dh", description="its public key"): _key(65),
        vol.Required("auth", description="its secret"): _key(16),
    },
    vol.Optional("expirationTime", description="ignored"): object,
}  # fmt: skip
