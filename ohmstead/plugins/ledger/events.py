"""What the ledger says on the bus."""

from __future__ import annotations

from ohmstead.core.events import Event


class LedgerChanged(Event, frozen=True):
    """Intervals were derived anew and are committed: (meter point, start, end) in milliseconds since 1970, ends outside."""

    changes: tuple[tuple[str, int, int], ...]


class CorrectionApplied(Event, frozen=True):
    """A correction is recorded and carried out. `place` is its series (`device.quantity`) or meter point."""

    number: int
    kind: str
    place: str
    start_ms: int
    end_ms: int
    author: str
    reason: str


class CorrectionUndone(Event, frozen=True):
    """A correction was taken back by `author` for `reason`, and the rest replayed."""

    number: int
    kind: str
    place: str
    start_ms: int
    end_ms: int
    author: str
    reason: str


class FindingOpened(Event, frozen=True):
    """Something the data contradicts, found for the first time or again. `text` says it to people."""

    number: int
    cause: str
    meter_point: str
    start_ms: int
    end_ms: int
    text: str


class FindingClosed(Event, frozen=True):
    """A finding is no longer open; `how` is mended or dismissed, `by` whoever did it."""

    number: int
    cause: str
    meter_point: str
    how: str
    by: str | None
