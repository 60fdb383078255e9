"""Addresses that set automations off: whoever knows the secret end of one may, but not too often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any

from ohmstead.core.clock import Clock
from ohmstead.core.errors import NotFound, RateLimited

PER_MINUTE = 60  # calls of one address
WRONG_PER_MINUTE = 20  # wrong guesses, of all who guess together

Fire = Callable[[Mapping[str, Any]], object]


class Webhooks:
    """Kept by digest, so that no comparison tells anything of a secret by the time it takes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._fires: list[tuple[bytes, Fire]] = []
        self._minute = -1
        self._counts: dict[bytes, int] = {}

    def add(self, secret: str, fire: Fire) -> Callable[[], None]:
        """Fire when somebody calls; returns what ends that."""
        entry = sha256(secret.encode()).digest(), fire
        self._fires.append(entry)
        return lambda: self._fires.remove(entry)

    def call(self, secret: str, facts: Mapping[str, Any]) -> int:
        """Somebody calls; how many automations that set off. NotFound for a wrong secret, RateLimited."""
        digest = sha256(secret[:200].encode()).digest()
        fires = [fire for known, fire in self._fires if compare_digest(known, digest)]
        self._count(digest if fires else b"", PER_MINUTE if fires else WRONG_PER_MINUTE)
        if not fires:
            raise NotFound("there is no such webhook")
        for fire in fires:
            fire(facts)
        return len(fires)

    def _count(self, who: bytes, most: int) -> None:
        minute = int(self._clock.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._counts = minute, {}
        count = self._counts[who] = self._counts.get(who, 0) + 1
        if count > most:
            raise RateLimited("too many calls; wait a minute", 60.0)
