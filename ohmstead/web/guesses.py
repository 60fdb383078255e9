"""Slows down whoever guesses: so many wrong credentials from one address, then they wait."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from ohmstead.core.clock import Clock
from ohmstead.core.errors import RateLimited

BURST = 10  # wrong ones at once
EVERY_S = 6.0  # and one more each so many seconds
ADDRESSES = 10_000  # remembered; the one longest quiet goes first


class Guesses:
    """Counts wrong credentials by address; a network of IPv6 (/64) is one address."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._empty_at: OrderedDict[str, float] = OrderedDict()  # when an address has its whole burst again

    def wrong(self, address: str) -> None:
        """Take note of a wrong one; RateLimited when there were too many."""
        self.check(address)
        key, now = _network(address), self._clock.monotonic()
        self._empty_at[key] = max(self._empty_at.get(key, now), now) + EVERY_S
        self._empty_at.move_to_end(key)
        if len(self._empty_at) > ADDRESSES:
            self._empty_at.popitem(last=False)

    def check(self, address: str) -> None:
        """RateLimited when the address had its share of wrong ones."""
        wait_s = self._empty_at.get(_network(address), 0.0) - self._clock.monotonic() - (BURST - 1) * EVERY_S
        if wait_s > 0:
            raise RateLimited("too many wrong credentials; wait a little", wait_s)


def _network(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else address
