"""Instants in queries and their answers: ISO 8601 with an offset outside, milliseconds inside."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import voluptuous as vol

from ohmstead.core.clock import EARLIEST_MS, LATEST_MS, Clock, to_ms
from ohmstead.core.errors import Invalid

DAY_MS = 86_400_000


def instant(value: Any) -> int:
    """An aware instant, as milliseconds since 1970; from before or after all calendars it is their first or last."""
    try:
        return min(max(to_ms(datetime.fromisoformat(value)), EARLIEST_MS), LATEST_MS)
    except (TypeError, ValueError, OverflowError):
        raise vol.Invalid("expected an instant with its offset, such as 2026-02-07T11:26:00Z (in a URL write + as %2B)") from None


def span(start_ms: int | None, end_ms: int | None, clock: Clock) -> tuple[int, int]:
    """From start to end, the end not included; the end is now unless given, the start a day before it. Invalid when turned round."""
    end = clock.now_ms() + 1 if end_ms is None else end_ms
    start = end - DAY_MS if start_ms is None else start_ms
    if start >= end:
        raise Invalid("start must lie before end", [{"path": "start", "message": "expected an instant before end"}])
    return start, end


def cursor(value: Any) -> int:
    """The cursor of a list in order of time or number."""
    text = str(value)
    if not text.lstrip("-").isdecimal() or len(text) > 18:
        raise vol.Invalid("expected the nextCursor of the page before")
    return int(text)
