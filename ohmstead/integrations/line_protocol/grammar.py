"""The grammar of a line, read with care. Source: InfluxDB line protocol reference; errors speak as InfluxDB 1.x does.

`<measurement>[,<tag key>=<tag value>…] <field key>=<field value>[,…] [<timestamp>]`
"""

from __future__ import annotations

import re

import msgspec

Value = float | int | bool | str

LATEST_MS = 9_223_372_036_854  # the last millisecond that 64-bit nanoseconds can say
STRING_LIMIT = 64_000  # bytes

_MEASUREMENT = re.compile(r"(?:\\[, ]|[^, ])*+")
_NAME = re.compile(r"(?:\\[,= ]|[^,= ])*+")  # tag keys, tag values and field keys
_STRING = re.compile(r'"((?:\\.|[^"\\])*+)"', re.DOTALL)
_BARE = re.compile(r"[^, ]*+")
_SPACES = re.compile(r" *+")
_STAMP = re.compile(r"-?[0-9]+ *")
_INTEGER = re.compile(r"(-?[0-9]+)([iu])")
_FLOAT = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_BOOLEANS = {**dict.fromkeys(("t", "T", "true", "True", "TRUE"), True), **dict.fromkeys(("f", "F", "false", "False", "FALSE"), False)}
_UNESCAPE_MEASUREMENT = re.compile(r"\\([, ])")
_UNESCAPE_NAME = re.compile(r"\\([,= ])")
_UNESCAPE_STRING = re.compile(r'\\(["\\])')


class Head(msgspec.Struct, frozen=True):
    """What comes before the fields; `text` is it as written."""

    text: str
    measurement: str
    tags: dict[str, str]

    @property
    def device(self) -> str:
        """The tag `device_id`, else `device`, else the measurement."""
        return self.tags.get("device_id") or self.tags.get("device") or self.measurement


class Malformed(Exception):
    """A line that is no line protocol; `column` counts from 1."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason, self.column = reason, at + 1


def read(line: str) -> tuple[Head, dict[str, Value], int | None]:
    """Head, fields and timestamp (None when there is none) of one line without its end; Malformed otherwise."""
    start = _spaces(line, 0)
    head, at = _head(line, start)
    fields, at = _fields(line, _spaces(line, at))
    at = _spaces(line, at)
    if at == len(line):
        return head, fields, None
    stamp = _STAMP.fullmatch(line, at)
    if stamp is None:
        raise Malformed("bad timestamp", at)
    return head, fields, int(stamp[0])


def in_range(at_ms: int) -> int:
    """The same instant; Malformed when 64-bit nanoseconds cannot say it."""
    if abs(at_ms) > LATEST_MS:
        raise Malformed("time outside range -9223372036854775806 - 9223372036854775806", 0)
    return at_ms


def _spaces(line: str, at: int) -> int:
    return _match(_SPACES, line, at)[1]


def _match(pattern: re.Pattern[str], line: str, at: int) -> tuple[str, int]:
    found = pattern.match(line, at)
    return ("", at) if found is None else (found[0], found.end())


def _head(line: str, start: int) -> tuple[Head, int]:
    measurement, at = _match(_MEASUREMENT, line, start)
    if not measurement:
        raise Malformed("missing measurement", start)
    tags: dict[str, str] = {}
    while line.startswith(",", at):
        key, value, at = _tag(line, at + 1)
        if key in tags:
            raise Malformed("duplicate tags", at)
        tags[key] = value
    if at == len(line):
        raise Malformed("missing fields", at)
    return Head(line[start:at], _UNESCAPE_MEASUREMENT.sub(r"\1", measurement), tags), at


def _tag(line: str, start: int) -> tuple[str, str, int]:
    key, at = _match(_NAME, line, start)
    if not key:
        raise Malformed("missing tag key", start)
    value, end = _match(_NAME, line, at + 1) if line.startswith("=", at) else ("", at)
    if not value:
        raise Malformed("missing tag value", at)
    if line.startswith("=", end):
        raise Malformed("invalid tag format", end)
    return _UNESCAPE_NAME.sub(r"\1", key), _UNESCAPE_NAME.sub(r"\1", value), end


def _fields(line: str, at: int) -> tuple[dict[str, Value], int]:
    if at == len(line):
        raise Malformed("missing fields", at)
    fields: dict[str, Value] = {}
    while True:
        key, end = _match(_NAME, line, at)
        if not line.startswith("=", end):
            raise Malformed("invalid field format", end)
        if not key:
            raise Malformed("missing field key", at)
        value, at = _value(line, end + 1)
        fields[_UNESCAPE_NAME.sub(r"\1", key)] = value
        if not line.startswith(",", at):
            return fields, at
        at += 1


def _value(line: str, start: int) -> tuple[Value, int]:
    if line.startswith('"', start):
        quoted = _STRING.match(line, start)
        if quoted is None:
            raise Malformed("unbalanced quotes", start)
        if not line.startswith((",", " "), quoted.end()) and quoted.end() < len(line):
            raise Malformed("invalid field format", quoted.end())
        if len(quoted[1].encode()) > STRING_LIMIT:
            raise Malformed(f"string longer than {STRING_LIMIT} bytes", start)
        return _UNESCAPE_STRING.sub(r"\1", quoted[1]), quoted.end()
    text, end = _match(_BARE, line, start)
    if not text:
        raise Malformed("missing field value", start)
    return _scalar(text, start), end


def _scalar(text: str, at: int) -> Value:
    if _FLOAT.fullmatch(text):
        value = float(text)
        if value - value == 0.0:
            return value
        raise Malformed("invalid number", at)
    whole = _INTEGER.fullmatch(text)
    if whole is not None:
        return _integer(whole[1], whole[2], at)
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    raise Malformed("invalid number" if text[0] in "0123456789.-nN" else "invalid boolean", at)


def _integer(digits: str, kind: str, at: int) -> int:
    low, high = (-(2**63), 2**63 - 1) if kind == "i" else (0, 2**64 - 1)
    value = int(digits) if len(digits) <= 20 else high + 1
    if not low <= value <= high:
        raise Malformed(f"unable to parse integer {digits[:40]}: value out of range", at)
    return value


def write(head: str, field: str, value: Value, at_ns: int) -> str:
    """One field as a line of its own; `head` is written as it is."""
    key = re.sub(r"([,= ])", r"\\\1", field)
    return f"{head} {key}={_literal(value)} {at_ns}"


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(value)
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
