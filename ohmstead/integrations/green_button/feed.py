"""What a feed holds: its descriptions by their links, and its readings put aside."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element

import msgspec

from ohmstead.core.errors import Invalid
from ohmstead.integrations.green_button.parser import Links, Parser
from ohmstead.integrations.green_button.reading_type import ReadingType
from ohmstead.integrations.green_button.stage import Stage

MOST_ENTRIES = 100_000  # different descriptions
MOST_MISTAKES = 1000


class MeterReading(msgspec.Struct, frozen=True):
    """One stream of readings of a usage point: what is linked to it says what its readings are."""

    href: str
    title: str
    related: frozenset[str]


class Owner(msgspec.Struct, frozen=True):
    """What the entry of some blocks names, and the reading type that stood last before it."""

    up: frozenset[str]
    last_type: ReadingType | None


class Feed(msgspec.Struct):
    """Descriptions are kept once, however often the file repeats them; their ids say nothing, for files use them again."""

    stage: Stage = msgspec.field(default_factory=Stage)
    types: dict[str, list[ReadingType]] = msgspec.field(default_factory=dict)  # by their own links; "" for one without
    meters: dict[MeterReading, None] = msgspec.field(default_factory=dict)
    owners: dict[Owner, int] = msgspec.field(default_factory=dict)
    summaries: list[Element] = msgspec.field(default_factory=list)
    mistakes: list[str] = msgspec.field(default_factory=list)
    _last_type: ReadingType | None = None
    _last_meter: MeterReading | None = None

    @classmethod
    def read(cls, chunks: Iterable[bytes]) -> Feed:
        """Read a whole feed; to be closed. Invalid when it is none."""
        feed = cls()
        try:
            Parser(feed).read(chunks)
        except BaseException:
            feed.close()
            raise
        return feed

    def close(self) -> None:
        """Forget the readings."""
        self.stage.close()

    @property
    def all_types(self) -> list[ReadingType]:
        """The different reading types."""
        return list(dict.fromkeys(kind for kinds in self.types.values() for kind in kinds))

    def block(self) -> None:
        self.stage.begin()

    def block_starts(self, start_s: int) -> None:
        self.stage.starts(start_s)

    def reading(self, start_s: int, duration_s: int, value: int, estimated: bool) -> None:
        self.stage.add(start_s, duration_s, value, estimated)

    def mistake(self, text: str) -> None:
        if len(self.mistakes) < MOST_MISTAKES:
            self.mistakes.append(text)

    def entry(self, records: list[Element], links: Links, title: str) -> None:
        links = [(rel, _tidy(href)) for rel, href in links]
        own = {href for rel, href in links if rel == "self" and href}
        for record in records:
            if record.tag == "ReadingType":
                self._type(ReadingType.of(record), own or {""})
            elif record.tag == "MeterReading":
                related = frozenset(href for rel, href in links if rel == "related")
                self._last_meter = MeterReading(min(own, default=""), title, related)
                self.meters[self._last_meter] = None
            elif record.tag.endswith("UsageSummary"):
                self.summaries.append(record)
        owner = Owner(frozenset(href for rel, href in links if rel == "up"), self._last_type)
        if self.stage.own(self.owners.get(owner, len(self.owners))):
            self.owners.setdefault(owner, len(self.owners))
        if len(self.meters) + len(self.types) + len(self.owners) + len(self.summaries) > MOST_ENTRIES:
            raise Invalid(f"the file describes more than {MOST_ENTRIES:,} different things; split it")

    def _type(self, kind: ReadingType, own: set[str]) -> None:
        self._last_type = kind
        for href in own:
            known = self.types.setdefault(href, [])
            if kind not in known:
                known.append(kind)


def _tidy(href: str) -> str:
    """A link without scheme and host, which a utility writes in one place and leaves out in the next. Links are never followed."""
    path = href.partition("://")[2].partition("/")[2] if "://" in href else href
    return path.strip("/")
