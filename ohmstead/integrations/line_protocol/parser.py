"""InfluxDB line protocol: text into points.

Most lines need no care: two spaces, no backslash, no quote, numbers. Those are split; everything else goes through the
grammar in `grammar.py`, which also finds out what is wrong and where. Both read the same language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ohmstead.integrations.line_protocol import grammar
from ohmstead.integrations.line_protocol.grammar import Head, Malformed, Value

# Unit of the timestamps -> (factor, divisor) that make milliseconds. Source: InfluxDB 1.x and 2.x write API.
PRECISIONS: Mapping[str, tuple[int, int]] = {
    "n": (1, 1_000_000), "ns": (1, 1_000_000), "u": (1, 1000), "us": (1, 1000), "µ": (1, 1000), "ms": (1, 1),
    "s": (1000, 1), "m": (60_000, 1), "h": (3_600_000, 1),
}  # fmt: skip
# What split(), float() and int() understand and line protocol does not, or what needs the grammar.
_SPECIAL = b'\\"\t\r\x0b\x0c\x1c\x1d\x1e\x1f'
_LARGEST = 1.7976931348623157e308
_LINES, _BYTES = 2000, 64 * 1024  # of one portion: about 2 ms of work; most lines take 60 bytes and more


# One field of a line: who, its name, its value, when in milliseconds (None: not said), and the line, counted from 1.
# A plain tuple, for there are hundreds of thousands a second.
Field = tuple[Head, str, Value, int | None, int]


class Mistake(msgspec.Struct, frozen=True, gc=False):
    """A line that is none: the text, where it stood (both from 1) and what is wrong, in the reference's words."""

    text: str
    line: int
    column: int
    reason: str

    def __str__(self) -> str:
        return f"unable to parse '{self.text}': {self.reason}"


class Parser:
    """Reads the lines of one message. It keeps what comes before the fields, since senders repeat it."""

    def __init__(self, precision: str = "ns") -> None:
        self._factor, self._divisor = PRECISIONS[precision]
        self._heads: dict[str, Head] = {}

    def parse(self, lines: Sequence[str], first: int = 1) -> tuple[list[Field], list[Mistake]]:
        """The fields of these lines, the first of which has the number `first`, and the lines that are none."""
        fields: list[Field] = []
        mistakes: list[Mistake] = []
        append, heads, largest, plain = fields.append, self._heads, _LARGEST, _is_plain(lines)
        instants: dict[str, int] = {}  # senders repeat their timestamps too
        for number, line in enumerate(lines, first):
            try:
                head_text, text, stamp = line.split(" ")
                if "," in text or (not plain and not _is_plain((line,))):
                    raise ValueError(line)
                name, digits = text.split("=")
                value = float(digits)
                if "_" in digits or digits[0] == "+" or not name or not -largest <= value <= largest:
                    raise ValueError(line)
                at_ms = instants.get(stamp)
                if at_ms is None:
                    at_ms = instants[stamp] = self._plain_instant(stamp)
                append((heads.get(head_text) or self._plain_head(head_text), name, value, at_ms, number))
            except ValueError:
                found = self._several(line, number, plain) or self._careful(line, number)
                if isinstance(found, Mistake):
                    mistakes.append(found)
                else:
                    fields += found
        return fields, mistakes

    def _several(self, line: str, number: int, plain: bool) -> list[Field]:
        """A line of several fields that needs no care; empty when it does, or is wrong."""
        try:
            head_text, text, stamp = line.split(" ")
            if not plain and not _is_plain((line,)):
                return []
            at_ms = self._plain_instant(stamp)
            head = self._heads.get(head_text) or self._plain_head(head_text)
            return [(head, name, value, at_ms, number) for name, value in _plain_fields(text).items()]
        except ValueError:
            return []

    def _plain_instant(self, stamp: str) -> int:
        """Milliseconds of a timestamp that needs no care; ValueError when it does, or is wrong."""
        at_ms = int(stamp) * self._factor // self._divisor
        if not stamp.isdigit() or at_ms > grammar.LATEST_MS:
            raise ValueError(stamp)
        return at_ms

    def _plain_head(self, text: str) -> Head:
        """What comes before the fields of a line that needs no care; ValueError when it does, or is wrong."""
        measurement, *pairs = text.split(",")
        if not measurement or measurement[0] == "#":
            raise ValueError(text)
        tags: dict[str, str] = {}
        for pair in pairs:
            key, value = pair.split("=")
            if not key or not value or key in tags:
                raise ValueError(text)
            tags[key] = value
        head = self._heads[text] = Head(text, measurement, tags)
        return head

    def _careful(self, line: str, number: int) -> list[Field] | Mistake:
        line = line.rstrip("\r")
        if not line.strip() or line.lstrip().startswith("#"):
            return []
        try:
            head, fields, stamp = grammar.read(line)
            at_ms = None if stamp is None else grammar.in_range(stamp * self._factor // self._divisor)
        except Malformed as error:
            return Mistake(line, number, error.column, error.reason)
        head = self._heads.setdefault(head.text, head)
        return [(head, name, value, at_ms, number) for name, value in fields.items()]


def _is_plain(lines: Sequence[str]) -> bool:
    text = "".join(lines)
    return text.isascii() and len(raw := text.encode()) == len(raw.translate(None, _SPECIAL))


def _plain_fields(text: str) -> dict[str, Value]:
    """The fields of a line that needs no care; ValueError when it does, or is wrong."""
    fields: dict[str, Value] = {}
    for pair in text.split(","):
        name, digits = pair.split("=")
        if not name:
            raise ValueError(pair)
        if digits[-1:] == "i" and len(digits) < 19 and digits[:-1].isdigit():
            fields[name] = int(digits[:-1])
            continue
        value = float(digits)
        if digits[0] == "+" or "_" in digits or not -_LARGEST <= value <= _LARGEST:
            raise ValueError(pair)
        fields[name] = value
    return fields


def portions(raw: bytes) -> Iterator[tuple[int, list[str]]]:
    """The lines of a message, a bounded number at a time, each portion with the number of its first line.

    What is not UTF-8 comes out as U+FFFD, which is in no name we know.
    """
    number, start = 1, 0
    while start < len(raw):
        end = raw.find(b"\n", start + _BYTES)
        end = len(raw) if end < 0 else end
        lines = raw[start:end].decode("utf-8", "replace").split("\n")
        for at in range(0, len(lines), _LINES):
            yield number + at, lines[at : at + _LINES]
        number, start = number + len(lines), end + 1
