"""Decides which of the notices that wait for one address go out now, in how many messages, and until when others wait.

Pure: facts in, decisions out.
"""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.plugins.people.hours import Quiet, digest_ms

HOUR_MS = 3_600_000
BURST = 5  # more than these at once are one message
SPACING_MS = 60_000  # between messages of critical notices once the hour's share is used up
DIGESTED = ("low", "medium")  # severities that wait for a digest
QUIET, DIGEST, RATE = "quiet", "digest", "rate"
COLLECTED = "collected"  # it waited for a digest, whose hour has come


class Waiting(msgspec.Struct, frozen=True):
    """One notice in the outbox; `held` says why it waited before."""

    id: int
    kind: str
    severity: str
    held: str | None = None

    @property
    def critical(self) -> bool:
        """Whether it passes quiet hours and digests."""
        return self.severity == "critical"


class Wishes(msgspec.Struct, frozen=True):
    """When somebody wants messages at an address, and how many an hour at most."""

    zone: ZoneInfo
    rate: int
    quiet: Quiet | None = None
    digest: str = "off"


class Send(msgspec.Struct, frozen=True):
    """These notices go out in one message."""

    ids: tuple[int, ...]


class Hold(msgspec.Struct, frozen=True):
    """These wait."""

    ids: tuple[int, ...]
    until_ms: int
    why: str


def plan(waiting: Sequence[Waiting], wishes: Wishes, sent: Sequence[int], now_ms: int) -> list[Send | Hold]:
    """What becomes of all that is due, each in exactly one decision. `sent` are the instants of the last hour's messages."""
    quiet_ms = wishes.quiet.until_ms(now_ms, wishes.zone) if wishes.quiet is not None else None
    digests = wishes.digest != "off"
    digested = [each for each in waiting if digests and _may_wait(each)]
    rest = [each for each in waiting if not (digests and _may_wait(each))]
    quieted = [each for each in rest if quiet_ms is not None and not each.critical]
    ready = [each for each in rest if quiet_ms is None or each.critical]
    found: list[Send | Hold] = []
    if digested:
        found.append(Hold(_ids(digested), digest_ms(now_ms, wishes.digest, wishes.zone), DIGEST))
    if quieted and quiet_ms is not None:
        found.append(Hold(_ids(quieted), quiet_ms, QUIET))
    return found + _within_rate(ready, wishes.rate, sorted(sent), now_ms)


def _may_wait(each: Waiting) -> bool:
    return each.severity in DIGESTED and each.kind != "report" and each.held is None


def _within_rate(ready: Sequence[Waiting], rate: int, sent: Sequence[int], now_ms: int) -> list[Send | Hold]:
    critical, others = [each for each in ready if each.critical], [each for each in ready if not each.critical]
    left = rate - len(sent)
    if left > 0:
        return [*_messages(critical, left), *_messages(others, left - min(left, len(critical)))]
    found: list[Send | Hold] = []
    if critical:
        free_ms = sent[-1] + SPACING_MS
        found.append(Send(_ids(critical)) if free_ms <= now_ms else Hold(_ids(critical), free_ms, RATE))
    if others:
        found.append(Hold(_ids(others), sent[len(sent) - rate] + HOUR_MS, RATE))
    return found


def _messages(some: Sequence[Waiting], left: int) -> list[Send | Hold]:
    """What was held goes together; of the others each alone, unless they are many."""
    fresh = [each for each in some if each.held is None]
    held = [each for each in some if each.held is not None]
    if len(fresh) + (1 if held else 0) > min(BURST, max(left, 1)):
        return [Send(_ids(some))]
    return [*([Send(_ids(held))] if held else []), *(Send((each.id,)) for each in fresh)]


def _ids(some: Sequence[Waiting]) -> tuple[int, ...]:
    return tuple(each.id for each in some)
