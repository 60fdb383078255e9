"""One correction: its number, what it changes, why, who signed it, and whether it was undone."""

from __future__ import annotations

import msgspec

from ohmstead.plugins.ledger.corrections.changes import AnyChange


class Correction(msgspec.Struct, frozen=True):
    """As it was recorded; `undone_*` are None while it is in force. Instants in ms since 1970."""

    number: int
    change: AnyChange
    reason: str
    author: str
    recorded_ms: int
    undone_ms: int | None = None
    undone_by: str | None = None
    undone_reason: str | None = None

    @property
    def active(self) -> bool:
        """Whether it is in force."""
        return self.undone_ms is None
