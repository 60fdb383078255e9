"""Where somebody is reached: the URL of a service, or a plain e-mail address. What is in a URL is secret."""

from __future__ import annotations

import re

LONGEST = 2000
MAIL = "mailto"
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://\S+")
_MAIL = re.compile(r"[^\s@:/<>,;\"]+@([^\s@:/<>,;\"]+)")


def is_address(text: str) -> bool:
    """Whether a text can be one: `scheme://…` or `name@domain`."""
    return len(text) <= LONGEST and (_URL.fullmatch(text) or _MAIL.fullmatch(text)) is not None


def scheme(address: str) -> str:
    """The service: `mailto` for a plain e-mail address, else what stands before the colon."""
    return MAIL if _MAIL.fullmatch(address) else address.partition(":")[0].lower()


def shown(address: str) -> str:
    """The address for people and logs: its service and nothing else; of a plain e-mail address the domain."""
    mail = _MAIL.fullmatch(address)
    if mail is not None:
        return f"•••@{mail[1]}"
    head, colon, _ = address.partition("://")
    return f"{head}://•••" if colon else address
