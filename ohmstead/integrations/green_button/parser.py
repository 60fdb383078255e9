"""An Atom feed of ESPI read as a stream: memory stays the same however large the file is, and nothing outside it is touched.

Elements are known by their local names, whatever prefix or namespace a utility gives them. What is unknown is passed
over. Refused are: a DOCTYPE (so that there are no entities but the five of XML), nesting, texts and tags without end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pyexpat import ExpatError, ParserCreate, XMLParserType
from typing import Any, Protocol
from xml.etree.ElementTree import Element, TreeBuilder

from ohmstead.core.errors import Invalid
from ohmstead.integrations.green_button.stage import UNKNOWN

DEPTH = 64  # levels of nesting
LONGEST = 1 << 20  # bytes of a text, tag or comment
MOST_NAMES = 10_000  # different names of elements and attributes
MOST_NODES = 20_000  # elements in one description
RECORDS = frozenset(("UsagePoint", "MeterReading", "ReadingType", "LocalTimeParameters", "UsageSummary", "ElectricPowerUsageSummary"))
MEASURED = frozenset((0, 14, 17, 18, 19))  # valid, raw, validated, verified, revenue quality
_LEVELS = {"value": 1, "start": 2, "duration": 2, "quality": 2}  # where the parts of an IntervalReading stand in it
_TOO_DEEP = f"elements are nested more than {DEPTH} levels deep"
_INTEGER = re.compile(r"[+-]?[0-9]{1,15}")  # Int48

Links = list[tuple[str, str]]


class Taker(Protocol):
    """What is told of a feed, in the order of the file."""

    def block(self) -> None:
        """A block of readings begins."""

    def block_starts(self, start_s: int) -> None:
        """The running block says where it begins."""

    def reading(self, start_s: int, duration_s: int, value: int, estimated: bool) -> None:
        """A reading of the running block; UNKNOWN for an instant or duration that it does not say."""

    def mistake(self, text: str) -> None:
        """A reading that makes no sense, and why."""

    def entry(self, records: list[Element], links: Links, title: str) -> None:
        """An entry ended: the descriptions it held, its links as (rel, href), its title."""


class _Local(dict[str, str]):
    """Local names by the names of the file."""

    def __missing__(self, name: str) -> str:
        local = name.rpartition(":")[2]
        self[name] = local
        return local


class Parser:
    """Reads one feed and tells a Taker."""

    def __init__(self, taker: Taker) -> None:
        self._taker = taker
        self._local = _Local()
        self._texts: list[str] = []
        self._depth = self._base = self._nodes = 0
        self._path: list[str] = []
        self._links: Links = []
        self._title = ""
        self._records: list[Element] = []
        self._tree = TreeBuilder()
        self._fields: dict[str, int] = {}
        self._doubt = False
        self._expat: XMLParserType = ParserCreate()
        self._expat.buffer_text = True
        self._expat.CharacterDataHandler = self._texts.append
        self._expat.StartDoctypeDeclHandler = self._doctype
        self._handle(self._start, self._end)

    def read(self, chunks: Iterable[bytes]) -> None:
        """Read it to its end. Invalid with the line where it is no such file."""
        fed = 0
        try:
            for chunk in chunks:
                self._expat.Parse(chunk, False)
                fed += len(chunk)
                self._bounded(fed)
            self._expat.Parse(b"", True)
        except (ExpatError, ValueError, LookupError) as error:  # the latter two: an encoding nobody knows
            raise Invalid(f"line {self._expat.CurrentLineNumber}: this is no well-formed XML: {error}") from None

    def _bounded(self, fed: int) -> None:
        if fed - self._expat.CurrentByteIndex > LONGEST + (1 << 19) or sum(map(len, self._texts)) > LONGEST:
            raise self._wrong(f"a text, tag or comment is longer than {LONGEST >> 20} MiB")
        if len(self._expat.intern) > MOST_NAMES:
            raise self._wrong(f"there are more than {MOST_NAMES:,} different names")

    def _wrong(self, text: str) -> Invalid:
        return Invalid(f"line {self._expat.CurrentLineNumber}: {text}")

    def _doctype(self, *_: Any) -> None:
        raise self._wrong("a DOCTYPE, which no Green Button file has; entities could make the file grow without end, or reach for others")

    def _handle(self, start: Callable[[str, dict[str, str]], None], end: Callable[[str], None]) -> None:
        self._expat.StartElementHandler, self._expat.EndElementHandler = start, end

    def _deeper(self) -> None:
        self._depth += 1
        self._texts.clear()
        if self._depth > DEPTH:
            raise self._wrong(_TOO_DEEP)

    # The feed: entries, their titles and links, blocks.

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._deeper()
        local = self._local[name]
        self._path.append(local)
        if local == "IntervalReading":
            self._base, self._fields, self._doubt = self._depth, {}, False
            self._handle(self._reading_start, self._reading_end)
        elif local in RECORDS:
            self._base, self._tree, self._nodes = self._depth, TreeBuilder(), 0
            self._tree.start(local, {})
            self._handle(self._record_start, self._record_end)
        elif local == "IntervalBlock":
            self._taker.block()
        elif local == "link":
            self._links.append((attributes.get("rel", ""), attributes.get("href", "")))
        elif local == "entry":
            self._links, self._records, self._title = [], [], ""

    def _end(self, name: str) -> None:
        self._depth -= 1
        local = self._path.pop()
        inside = self._path[-1] if self._path else ""
        if local == "title" and inside == "entry":
            self._title = self._text()
        elif local == "start" and inside == "interval" and self._path[-2:-1] == ["IntervalBlock"]:
            self._taker.block_starts(self._integer(self._text()))
        elif local == "entry":
            self._taker.entry(self._records, self._links, self._title)

    def _text(self) -> str:
        return "".join(self._texts).strip()

    # A description: small, and kept whole.

    def _record_start(self, name: str, attributes: dict[str, str]) -> None:
        self._deeper()
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise self._wrong(f"one {self._path[-1]} has more than {MOST_NODES:,} elements")
        self._tree.start(self._local[name], {})

    def _record_end(self, name: str) -> None:
        self._tree.data(self._text())
        self._texts.clear()
        self._tree.end(self._local[name])
        self._depth -= 1
        if self._depth < self._base:
            self._path.pop()
            self._records.append(self._tree.close())
            self._handle(self._start, self._end)

    # A reading: there are millions of them, so nothing is called for them that could be left out.

    def _reading_start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        del self._texts[:]
        if self._depth > DEPTH:
            raise self._wrong(_TOO_DEEP)

    def _reading_end(self, name: str) -> None:
        level = self._depth - self._base
        self._depth -= 1
        if level == 0:
            self._path.pop()
            self._handle(self._start, self._end)
            self._reading()
        elif _LEVELS.get(local := self._local[name]) == level:
            texts = self._texts
            text = texts[0] if len(texts) == 1 else "".join(texts)
            number = int(text) if len(text) < 16 and text.isdecimal() and text.isascii() else self._integer(text.strip())
            self._fields[local] = number
            if level == 2 and local == "quality" and number not in MEASURED:
                self._doubt = True
        del self._texts[:]

    def _reading(self) -> None:
        fields = self._fields
        if "value" not in fields:
            self._taker.mistake(f"line {self._expat.CurrentLineNumber}: a reading without a value")
            return
        self._taker.reading(fields.get("start", UNKNOWN), fields.get("duration", UNKNOWN), fields["value"], self._doubt)

    def _integer(self, text: str) -> int:
        if _INTEGER.fullmatch(text) is None:
            raise self._wrong(f"expected a whole number of at most 15 digits, not {text[:40]!r}")
        return int(text)
