"""Keeps other web sites out: they can make a browser call a hub on localhost, or give the hub's address a name of theirs."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from ohmstead.core.errors import Forbidden

# Names that nobody can own on the public internet (RFC 6761, 6762, 8375, ICANN's .internal), so none can be turned on us.
PRIVATE = (".localhost", ".local", ".lan", ".home", ".internal", ".home.arpa", ".test")


class Origins:
    """What hosts the hub goes by, and which pages may talk to it."""

    def __init__(self, host: str, external_url: str | None = None) -> None:
        self._names = {host.lower()}
        self._external = urlsplit(external_url).netloc.lower() if external_url else None
        if external_url:
            self._names.add(urlsplit(external_url).hostname or "")

    def check(self, headers: Mapping[str, str]) -> None:
        """Forbidden for a host we do not go by, or a page that is not ours. What is no browser sends no Origin."""
        authority = headers.get("Host", "").lower()
        if not self._is_ours(_name(authority)):
            raise Forbidden(f"this hub does not go by the name {authority[:100]!r}; state it as web → external_url")
        origin = headers.get("Origin")
        if origin is None:
            if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
                raise Forbidden("this came from another web site")
        elif urlsplit(origin.lower()).netloc not in {authority, self._external} - {None, ""}:
            raise Forbidden(f"this came from another web site: {origin[:100]}")

    def _is_ours(self, name: str) -> bool:
        if name in self._names or ("." not in name and name):
            return True  # a name without a dot is of the local network
        if name.endswith(PRIVATE):
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True


def _name(authority: str) -> str:
    """The host of `host:port`, without a closing dot."""
    if authority.startswith("["):
        return authority.partition("]")[0] + "]"
    return authority.partition(":")[0].rstrip(".")
