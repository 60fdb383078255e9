"""Which readings of a feed belong together, what they are, and which of them are wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ohmstead.core.errors import Invalid
from ohmstead.integrations.green_button.feed import Feed, MeterReading, Owner
from ohmstead.integrations.green_button.reading_type import ReadingType


class Channel(msgspec.Struct, frozen=True):
    """One stream of readings: the link and title of its MeterReading (of its blocks when there is none), and its type."""

    href: str
    title: str
    kind: ReadingType

    def __str__(self) -> str:
        return f"{self.href or '(no link)'}{f' “{self.title}”' if self.title else ''}: {self.kind}"


def channels(feed: Feed) -> list[Channel]:
    """The channel of each of the feed's owners, in their order. Invalid when the readings of one could be anything."""
    return [_channel(feed, owner) for owner in feed.owners]


def chosen(found: list[Channel], options: Mapping[str, Any]) -> Channel:
    """The one channel that `flow` and `meter_reading` leave. Invalid, with a list of what is there, for none or several."""
    flow, name = options.get("flow"), options.get("meter_reading")
    fits = [
        channel for channel in dict.fromkeys(found)
        if channel.kind.usable and (flow is None or channel.kind.direction in (flow, "net"))
        and (name is None or name in (channel.href, channel.title))
    ]  # fmt: skip
    if len(fits) == 1 and (flow is not None or fits[0].kind.direction != "net"):
        return fits[0]
    there = "\n".join(f"  {channel}" for channel in dict.fromkeys(found)) or "  nothing"
    if not fits:
        raise Invalid(f"no readings of energy or volume {_wanted(options)}are in the file, which holds:\n{there}")
    raise Invalid(f"choose with --flow forward|reverse or --meter-reading LINK_OR_TITLE; the file holds:\n{there}")


def _wanted(options: Mapping[str, Any]) -> str:
    given = [f"{name.replace('_', '-')} {options[name]}" for name in ("flow", "meter_reading") if name in options]
    return f"with {' and '.join(given)} " if given else ""


def _channel(feed: Feed, owner: Owner) -> Channel:
    meters = [meter for meter in feed.meters if _belongs(owner, meter)]
    if not meters and len(feed.meters) == 1:
        meters = list(feed.meters)
    kind = _kind(feed, owner, meters)
    if not meters:
        return Channel(min(owner.up, default=""), "", kind)
    return Channel(meters[0].href, meters[0].title, kind)


def _belongs(owner: Owner, meter: MeterReading) -> bool:
    return bool(owner.up & meter.related) or any(up == meter.href or (meter.href and up.startswith(f"{meter.href}/")) for up in owner.up)


def _kind(feed: Feed, owner: Owner, meters: list[MeterReading]) -> ReadingType:
    """What is linked, else the only one there is, else, of several with the same link, the one that stood before."""
    linked = list(dict.fromkeys(_linked(feed, meters)))
    if len(linked) == 1:
        return linked[0]
    if len(known := feed.all_types) == 1:
        return known[0]
    if owner.last_type in linked:
        return owner.last_type
    raise Invalid(
        f"the readings under {', '.join(sorted(owner.up)) or 'an entry without links'} belong to none of the file's {len(known)}"
        " ReadingTypes; expected a MeterReading with links to both"
    )


def _linked(feed: Feed, meters: list[MeterReading]) -> Iterator[ReadingType]:
    for meter in meters:
        for href in meter.related:
            yield from feed.types.get(href, ())
