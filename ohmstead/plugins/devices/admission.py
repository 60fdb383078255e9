"""Which devices may register themselves: so many in all, so many a minute, and only those that then send something valid."""

from __future__ import annotations

import logging
from collections import deque

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Forbidden
from ohmstead.plugins.devices.entry import Entry

log = logging.getLogger(__name__)

LIMIT = 1000
PER_MINUTE = 1000  # however high the limit is set, so that new rows never crowd out readings
TRIAL_S = 600.0  # one of which nothing valid comes within this is dropped again


class Admission:
    """Says yes or no to an id nobody knows, in constant memory however many ids come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._minute, self._made = 0, 0
        self._told = False
        self.enabled = True
        self.limit = LIMIT
        self.refused = 0
        self.trials: deque[tuple[float, Entry]] = deque()  # those that nothing proves yet, the oldest first

    def ask(self, device: str, present: int) -> None:
        """Return when `device` may be made beside the `present` ones that made themselves; Forbidden with the reason."""
        if not self.enabled:
            self._refuse(f"unknown device {device!r}: auto-registration is off (registry → auto)")
        if present >= self.limit:
            self._tell()
            self._refuse(f"unknown device {device!r}: {self.limit} devices registered themselves already (registry → auto_limit)")
        minute = int(self._clock.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._made = minute, 0
        if self._made >= PER_MINUTE:
            self._refuse(f"unknown device {device!r}: {PER_MINUTE} devices registered themselves within this minute")
        self._made += 1

    def began(self, entry: Entry) -> None:
        """A device registered itself: its trial begins."""
        self.trials.append((self._clock.monotonic(), entry))

    def failed(self) -> list[Entry]:
        """Those whose trial is over and of which nothing valid came; those that passed are let go."""
        over: list[Entry] = []
        while self.trials and (not self.trials[0][1].unproven or self._clock.monotonic() - self.trials[0][0] > TRIAL_S):
            entry = self.trials.popleft()[1]
            if entry.unproven:
                log.info("device %s sent nothing valid and is dropped again", entry.device.id)
                over.append(entry)
        return over

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        raise Forbidden(reason)

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            log.warning("%d devices registered themselves; further unknown ones are refused (registry → auto_limit)", self.limit)
