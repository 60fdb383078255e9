"""Who asks: the owner by token or signed in at the page, a sender by the ingest token, a device by its secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Forbidden, Unauthorized
from ohmstead.core.model import Person
from ohmstead.core.route import ANYONE
from ohmstead.web.guesses import Guesses
from ohmstead.web.tokens import INGEST, OWNER, TokenFile, ingest_token, new_ingest_token, new_owner_token, owner_token

__all__ = ["Access", "ingest_token", "new_ingest_token", "new_owner_token", "owner_token"]

Verify = Callable[[str, str], bool]  # device, secret -> whether it is the device's

NOBODY = Person("nobody")
EVERYTHING = Person("owner", frozenset({"*"}))
SENDER = Person("ingest", frozenset({"ingest"}))
SESSION_S = 30 * 86_400  # how long a sign-in at the page lasts
LOOK_EVERY_S = 1.0  # how often the token files are looked at
FORGOTTEN = 1000  # sign-outs remembered until the next start


class Access:
    """Finds out who sent a request. Everything secret is compared in constant time."""

    def __init__(self, data_dir: Path, clock: Clock, verify: Verify | None = None) -> None:
        self._clock = clock
        self._verify = verify or (lambda device, secret: False)
        self._files = (TokenFile(data_dir / OWNER), TokenFile(data_dir / INGEST))
        self._looked_at = float("-inf")
        self._signed_out: dict[str, None] = {}
        self._key = b""
        self.guesses = Guesses(clock)
        self.sign_ins = Guesses(clock)  # apart, so that a misconfigured sender never locks a person out
        self.generation = 0  # grows with every new owner token: what was let in before must be let in anew
        self.cookie = "ohmstead"
        owner_token(data_dir)
        ingest_token(data_dir)
        self.refresh()

    def refresh(self) -> None:
        """Take up tokens that were replaced on disk."""
        now = self._clock.monotonic()
        if now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        owner, ingest = self._files
        ingest.refresh()
        if owner.refresh():
            self.generation += 1
            self._key = hashlib.blake2b(owner.value, person=b"ohmstead-session", digest_size=32).digest()

    def who(self, headers: Mapping[str, str], address: str, foreign: str | None = None) -> Person:
        """Whoever the credentials belong to, NOBODY without any. Unauthorized for wrong ones, RateLimited for many.

        Credentials that are right always pass, also from an address that guesses: a device with a stale secret must
        not lock out those that share its address, and 256 random bits are not found by trying. `foreign` is a token
        found where the client's own protocol has it; `device:secret` in it stands for a device, `anyone:token` for the token.
        """
        self.refresh()
        secret = headers.get("X-Device-Secret")
        if secret is not None:
            found = self._device(headers.get("X-Device-ID", ""), secret)
        elif foreign is not None:
            found = self._token(foreign)
        elif (authorization := headers.get("Authorization")) is not None:
            scheme, _, token = authorization.partition(" ")
            found = self._token(token.strip()) if scheme.lower() == "bearer" else None
        else:
            return self.signed_in(headers) or NOBODY
        if found is None:
            self.guesses.wrong(address)
            raise Unauthorized("these credentials are not right")
        return found

    def _token(self, token: str) -> Person | None:
        given = token.encode("utf-8", "surrogateescape")
        owner, ingest = self._files
        if hmac.compare_digest(given, owner.value):
            return EVERYTHING
        if hmac.compare_digest(given, ingest.value):
            return SENDER
        user, colon, secret = token.rpartition(":")  # of a device, or anybody's name before one of the tokens
        return (self._device(user, secret) or self._token(secret)) if colon else None

    def _device(self, device: str, secret: str) -> Person | None:
        return Person(device, frozenset({"ingest"}), device) if device and self._verify(device, secret) else None

    def sign_in(self, token: str, address: str) -> str:
        """The value of the cookie for the owner's token, typed into the page's form. Unauthorized or RateLimited."""
        self.refresh()
        self.sign_ins.check(address)
        if not hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._files[0].value):
            self.sign_ins.wrong(address)
            raise Unauthorized("this is not the token")
        ticket = f"{self._clock.now_ms() // 1000 + SESSION_S}.{secrets.token_urlsafe(12)}"
        return f"{ticket}.{self._sign(ticket)}"

    def sign_out(self, headers: Mapping[str, str]) -> None:
        """End the sign-in of this cookie."""
        if self.signed_in(headers) is not None:
            while len(self._signed_out) >= FORGOTTEN:
                del self._signed_out[next(iter(self._signed_out))]
            self._signed_out[self._ticket(headers)] = None

    def signed_in(self, headers: Mapping[str, str]) -> Person | None:
        """The owner, when the cookie is one of ours and still good. A stale one is no guess and not counted."""
        self.refresh()
        cookie = self._ticket(headers)
        ticket, _, signature = cookie.rpartition(".")
        if not ticket or not hmac.compare_digest(signature.encode("utf-8", "surrogateescape"), self._sign(ticket).encode()):
            return None
        if cookie in self._signed_out or int(ticket.partition(".")[0]) < self._clock.now_ms() // 1000:
            return None
        return EVERYTHING

    def _ticket(self, headers: Mapping[str, str]) -> str:
        for pair in headers.get("Cookie", "").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.cookie:
                return value
        return ""

    def _sign(self, ticket: str) -> str:
        digest = hmac.digest(self._key, ticket.encode("utf-8", "surrogateescape"), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def allow(person: Person, scope: str) -> None:
    """Unauthorized for nobody, Forbidden for somebody without that scope; ANYONE is open to all."""
    if scope == ANYONE or person.may(scope):
        return
    if person is NOBODY:
        raise Unauthorized("sign in first: send the owner's token as Authorization: Bearer …")
    raise Forbidden(f"{person.id} may not do this; it takes the scope {scope!r}")
