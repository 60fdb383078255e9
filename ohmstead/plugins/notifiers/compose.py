"""Makes a message of the notices collected in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ohmstead.core.clock import from_ms
from ohmstead.core.notice import SEVERITIES, Attachment, Message
from ohmstead.plugins.notifiers.book import Kept

TITLE, BODY = 200, 20_000  # characters that are sent


def compose(row: Any, kept: Sequence[Kept], files: Sequence[Attachment], zone: Any, unsubscribe: str | None) -> Message:
    """The message of a row of `messages`, with the notices that are named in it; times are shown in `zone`."""
    first = kept[0]
    body, facts, link = (first.body, first.facts, first.link) if row.notices == 1 else (_listed(kept, row.notices, zone), {}, None)
    return Message(
        row.id, row.kind, row.severity, _short(row.title, TITLE), _short(body, BODY), first.at_ms, row.person, facts, link,
        tuple(files), row.notices, row.attempts, row.repeated, unsubscribe,
    )  # fmt: skip


def title(waiting: Sequence[Any]) -> str:
    """The title for rows that have one each: that of the only one, or of the most severe and how many more there are."""
    worst = max(waiting, key=lambda row: (SEVERITIES.index(row.severity), -row.id))
    return str(worst.title) if len(waiting) == 1 else f"{worst.title}, and {len(waiting) - 1} more"


def severity(waiting: Sequence[Any]) -> str:
    """The greatest."""
    return max((str(row.severity) for row in waiting), key=SEVERITIES.index)


def kind(waiting: Sequence[Any]) -> str:
    """That of the most severe."""
    return str(max(waiting, key=lambda row: SEVERITIES.index(row.severity)).kind)


def _listed(kept: Sequence[Kept], notices: int, zone: Any) -> str:
    lines = [f"{from_ms(each.at_ms).astimezone(zone):%d %b %H:%M}  {each.title} ({each.severity})" for each in kept]
    if notices > len(kept):
        lines.append(f"and {notices - len(kept)} more")
    return "\n".join(lines)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
