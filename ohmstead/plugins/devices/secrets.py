"""The secrets devices sign in with: shown once, kept as keyed hashes, replaced with a time of grace.

A secret is 256 random bits, so no slow hash is needed: the keyed hash only makes a stolen database useless without the
key file beside it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets as randomness
from collections.abc import Iterable
from pathlib import Path

import msgspec

from ohmstead.core.clock import Clock
from ohmstead.core.key_file import key

GRACE_S = 86_400.0
KEPT = 3  # old secrets of one device that may still be in their grace


class Secret(msgspec.Struct, frozen=True):
    """The keyed hash of one secret, from when it is and until when it works (None: until it is replaced)."""

    digest: str
    created_ms: int
    ends_ms: int | None = None


class Secrets:
    """The secrets of all devices, in memory as hashes; the database is the caller's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = b""
        self._of: dict[str, tuple[Secret, ...]] = {}
        self.grace_s = GRACE_S
        self.max_age_s: float | None = None

    def open(self, key_file: Path, found: Iterable[tuple[str, Secret]]) -> None:
        """Read the key, made on the first start, and take in what the database holds."""
        self._key = key(key_file, "delete it and give every device a new secret")
        for device, secret in found:
            self._of[device] = (*self._of.get(device, ()), secret)

    def verify(self, device: str, secret: str) -> bool:
        """Whether the secret is one of the device's that works now; takes as long for a wrong device as for a wrong secret."""
        return self._find(device, secret) is not None

    def rotated(self, device: str, used: str | None = None, grace_s: float | None = None) -> tuple[str, tuple[Secret, ...]]:
        """A new secret in clear, and all hashes the device has then, newest first; `put` them once they are stored.

        Those before end after the grace. With `used`, given by the device itself, only that one is kept beside the new
        one: an answer that got lost on the way is not kept working.
        """
        clear, now = randomness.token_urlsafe(32), self._clock.now_ms()
        ends = now + round((self.grace_s if grace_s is None else grace_s) * 1000)
        found = self._find(device, used) if used is not None else None
        old = (found,) if found is not None else self._of.get(device, ())
        kept = [Secret(s.digest, s.created_ms, min(ends, self._ends(s) or ends)) for s in old if self._works(s) and ends > now]
        return clear, (Secret(self._digest(clear), now), *kept[:KEPT])

    def put(self, device: str, secrets: tuple[Secret, ...]) -> None:
        """Make these the device's secrets; none forgets the device."""
        if secrets:
            self._of[device] = secrets
        else:
            self._of.pop(device, None)

    def of(self, device: str) -> tuple[Secret, ...]:
        """The device's secrets as they are stored, newest first."""
        return self._of.get(device, ())

    def ends_ms(self, device: str) -> int | None:
        """When the newest secret of the device stops working, or None if it does not."""
        secrets = self._of.get(device, ())
        return self._ends(secrets[0]) if secrets else None

    def _find(self, device: str, secret: str) -> Secret | None:
        digest, found = self._digest(secret), None
        for known in self._of.get(device) or (Secret("0" * 64, 0, 0),):
            if hmac.compare_digest(known.digest, digest) and self._works(known):
                found = known
        return found

    def _works(self, secret: Secret) -> bool:
        ends = self._ends(secret)
        return ends is None or self._clock.now_ms() < ends

    def _ends(self, secret: Secret) -> int | None:
        """When it stops working: as it was told, or a grace after its greatest age."""
        ages = None if self.max_age_s is None else secret.created_ms + round((self.max_age_s + self.grace_s) * 1000)
        return min((end for end in (secret.ends_ms, ages) if end is not None), default=None)

    def _digest(self, secret: str) -> str:
        return hmac.new(self._key, secret.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()
