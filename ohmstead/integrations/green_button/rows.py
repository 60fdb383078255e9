"""The readings of one channel as exact amounts of periods, or as a display."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ohmstead.core.amount import MOST, half_even
from ohmstead.core.clock import EARLIEST_MS, LATEST_MS, iso
from ohmstead.core.plugin import Found, PeriodRow, RegisterRow
from ohmstead.integrations.green_button.channels import Channel, channels, chosen
from ohmstead.integrations.green_button.feed import Feed
from ohmstead.integrations.green_button.packed import chunks
from ohmstead.integrations.green_button.reading_type import LONGEST_S
from ohmstead.integrations.green_button.stage import UNKNOWN, Staged


def read(path: Path, options: Mapping[str, Any]) -> Iterator[Found]:
    """The periods or registers of the channel that is wanted; the file is read whole before the first of them.

    Invalid for what is no Green Button file, or leaves open which readings are meant.
    """
    feed = Feed.read(chunks(path))
    try:
        yield from feed.mistakes
        by_owner = channels(feed)
        channel = chosen(by_owner, options)
        wanted = [each == channel for each in by_owner]
        make = _Rows(feed, channel, options.get("flow"))
        for staged in feed.stage.rows():
            if wanted[feed.stage.owner(staged.block)]:
                yield make.row(staged)
    finally:
        feed.close()


class _Rows:
    """Turns staged readings of one channel into rows."""

    def __init__(self, feed: Feed, channel: Channel, flow: str | None) -> None:
        self._stage, self._kind = feed.stage, channel.kind
        self._display, self._unit = channel.kind.is_display, channel.kind.unit
        self._over, self._under = channel.kind.factor.as_integer_ratio()
        self._sign = -1 if channel.kind.direction == "net" and flow == "reverse" else 1
        self._net = channel.kind.direction == "net"

    def row(self, staged: Staged) -> Found:
        start_s, duration_s, value = self._start(staged), self._duration(staged), staged.value * self._sign
        if start_s is None or duration_s is None:
            return f"reading {staged.place + 1} of block {staged.block + 1}: neither it nor its ReadingType says its period"
        from_ms, to_ms = start_s * 1000, (start_s + duration_s) * 1000
        if not EARLIEST_MS < from_ms <= to_ms < LATEST_MS or duration_s > LONGEST_S:
            return f"reading {staged.place + 1} of block {staged.block + 1}: {start_s} s for {duration_s} s is no period of this calendar"
        amount = max(value, 0) * self._over if self._net else value * self._over
        if self._under != 1:
            amount = half_even(amount, self._under)
        if not 0 <= amount <= MOST:
            return f"{iso(from_ms)}: {staged.value} is {'negative' if amount < 0 else 'more than 9 TWh'}"
        if self._display:
            return RegisterRow(to_ms, amount, self._unit)
        if from_ms == to_ms:
            return f"{iso(from_ms)}: a period without a length"
        return PeriodRow(from_ms, to_ms, amount, bool(staged.estimated), self._unit)

    def _duration(self, staged: Staged) -> int | None:
        if staged.duration_s != UNKNOWN:
            return staged.duration_s
        return 0 if self._display else self._kind.interval_s

    def _start(self, staged: Staged) -> int | None:
        """As the reading says, else behind those before it in its block."""
        if staged.start_s != UNKNOWN:
            return staged.start_s
        begins, length = self._stage.begins(staged.block), self._kind.interval_s
        return None if begins == UNKNOWN or length is None else begins + staged.place * length

