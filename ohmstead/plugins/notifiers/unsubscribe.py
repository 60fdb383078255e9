"""The link at the end of a message: a signed token that needs no sign-in and can do nothing but unsubscribe one address."""

from __future__ import annotations

from ohmstead.core.clock import Clock
from ohmstead.core.errors import NotFound, RateLimited
from ohmstead.core.notice import KINDS
from ohmstead.plugins.notifiers.addresses import Addresses, Known
from ohmstead.plugins.people.vault import Vault

PATH = "/notifications/unsubscribe/{token}"
BURST, EVERY_S = 30, 2.0  # wrong tokens at once, and one more each so many seconds, from everybody together


class Unsubscribe:
    """Makes the links and takes them back. `external_url` is how browsers reach the hub; without it there are none."""

    def __init__(self, vault: Vault, addresses: Addresses, clock: Clock) -> None:
        self.external_url: str | None = None
        self._vault, self._addresses, self._clock = vault, addresses, clock
        self._empty_at = 0.0

    def link(self, address_key: str, kind: str) -> str | None:
        """The link for an address and a kind of notice."""
        if self.external_url is None:
            return None
        token = self._vault.signed(f"{address_key}-{kind}")
        return f"{self.external_url.rstrip('/')}/api/v1{PATH.replace('{token}', token)}"

    def kind(self, token: str) -> str:
        """Which kind of notice a token is about. NotFound for one that is not ours, RateLimited for many of those."""
        return self._opened(token)[1]

    async def take(self, token: str) -> str:
        """Unsubscribe; the kind of notice. NotFound, RateLimited."""
        key, kind = self._opened(token)
        if kind not in (await self._addresses.look([key])).get(key, Known()).refused:
            await self._addresses.refuse(key, kind)
        return kind

    def _opened(self, token: str) -> tuple[str, str]:
        """What is right always passes: nobody's guessing keeps others from unsubscribing."""
        key, _, kind = (self._vault.verified(token) or "").partition("-")
        if kind in KINDS:
            return key, kind
        now = self._clock.monotonic()
        wait_s = self._empty_at - now - (BURST - 1) * EVERY_S
        if wait_s > 0:
            raise RateLimited("too many links that are none; wait a little", wait_s)
        self._empty_at = max(self._empty_at, now) + EVERY_S
        raise NotFound("this link is not one of ours; copy all of it")
