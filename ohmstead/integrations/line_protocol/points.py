"""Fields into readings: the tag `device_id`, else `device`, else the measurement is the device; fields are quantities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ohmstead.core.errors import Invalid, Rejected
from ohmstead.core.ingest import Batch, Feed
from ohmstead.integrations.line_protocol import grammar
from ohmstead.integrations.line_protocol.grammar import Head, Value
from ohmstead.integrations.line_protocol.parser import PRECISIONS, Field, Mistake, Parser, portions

FORMAT = "line_protocol"
TOLD = 20  # mistakes that an answer names


class Outcome(msgspec.Struct):
    """What became of the lines of one message."""

    taken: int = 0  # fields
    refused: set[int] = msgspec.field(default_factory=set)  # lines of which something was refused
    reasons: list[str] = msgspec.field(default_factory=list)  # the first few
    malformed: list[Mistake] = msgspec.field(default_factory=list)  # the first few
    feeds: dict[str, Feed] = msgspec.field(default_factory=dict)  # by what comes before the fields
    strangers: dict[str, str] = msgspec.field(default_factory=dict)  # the same: why there is none

    def refuse(self, line: int, reason: str) -> None:
        """A field of that line was refused."""
        self.refused.add(line)
        if len(self.reasons) < TOLD:
            self.reasons.append(reason)

    def mistake(self, mistakes: Iterable[Mistake]) -> None:
        """Remember the first few lines that are none."""
        self.malformed += [m for m, _ in zip(mistakes, range(TOLD - len(self.malformed)), strict=False)]


def take(batch: Batch, fields: Sequence[Field], outcome: Outcome) -> None:
    """Add fields to a batch. What is refused becomes a dead letter: a line of its own, with its time."""
    before = batch.size
    if not _take_plain(batch, fields, outcome.feeds):
        _take_each(batch, fields, outcome)
    outcome.taken += batch.size - before


def _take_plain(batch: Batch, fields: Sequence[Field], feeds: Mapping[str, Feed]) -> bool:
    """Add them all at once; False, and none is added, when one is of a feed not looked for yet, or no plain number."""
    now_ms = batch.now_ms
    try:
        offered = [(feeds[head.text], name, value, now_ms if at_ms is None else at_ms) for head, name, value, at_ms, _ in fields]
    except KeyError:
        return False
    return batch.add_plain(offered)


def _take_each(batch: Batch, fields: Iterable[Field], outcome: Outcome) -> None:
    for head, name, value, at_ms, line in fields:
        feed = outcome.feeds.get(head.text) or _feed(batch, head, outcome)
        if at_ms is None:
            at_ms = batch.now_ms
        reason = outcome.strangers[head.text] if feed is None else batch.add(feed, name, value, at_ms)
        if reason is not None:
            outcome.refuse(line, _put_aside(batch, head, name, value, at_ms, reason))


def _feed(batch: Batch, head: Head, outcome: Outcome) -> Feed | None:
    """The feed of the device; None, and among the strangers why, when it has none."""
    if head.text in outcome.strangers:
        return None
    if "time" in head.tags:
        outcome.strangers[head.text] = f'input tag "time" on measurement "{head.measurement}" is invalid'
        return None
    try:
        feed = outcome.feeds[head.text] = batch.feed(head.device)
    except Rejected as refusal:
        outcome.strangers[head.text] = str(refusal)
        return None
    return feed


def _put_aside(batch: Batch, head: Head, name: str, value: Value, at_ms: int, reason: str) -> str:
    line = grammar.write(head.text, name, value, at_ms * 1_000_000)
    batch.refuse(reason, line.encode(), "ns", head.device[:64])
    if (value.__class__ in (str, bool) and "must be a number" in reason) or "is a text" in reason:
        kind = {str: "string", bool: "boolean", int: "integer", float: "float"}[value.__class__]
        other = "string" if "is a text" in reason else "float"
        return (
            f'field type conflict: input field "{name}" on measurement "{head.measurement}" is type {kind}, '
            f"already exists as type {other}"
        )
    return f'input field "{name}" on measurement "{head.measurement}": {reason}'


def put_aside_lines(batch: Batch, mistakes: Iterable[Mistake], precision: str) -> None:
    """Keep lines that are none; the precision is what a replay needs beside them."""
    for mistake in mistakes:
        batch.refuse(f"column {mistake.column}: {mistake.reason}", mistake.text.encode(), precision)


def decode(batch: Batch, address: str, raw: bytes) -> None:
    """Replay refused lines; `address` is the precision of their timestamps. Invalid for an unknown precision."""
    if address not in PRECISIONS:
        raise Invalid(f"precision {address[:20]!r} is unknown; expected one of {', '.join(PRECISIONS)}")
    parser, outcome = Parser(address), Outcome()
    for first, lines in portions(raw):
        fields, mistakes = parser.parse(lines, first)
        take(batch, fields, outcome)
        put_aside_lines(batch, mistakes, address)
