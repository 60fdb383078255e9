"""YAML text as nodes with line numbers, and what is wrong with it as one sentence.

The parser of libyaml recurses while it puts nodes together and overruns its stack some ten thousand levels deep, so
the depth is looked at first, event by event.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

MAX_BYTES = 1_000_000
MAX_DEPTH = 40

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C gives the same marks, ten times faster

SENTENCES = (  # part of the parser's words -> ours
    ("mapping values are not allowed",
     'a ":" where none can stand; check the indentation and the line above, put texts that hold ": " in quotes'),
    ("did not find expected key", "this does not fit the indentation of the lines above"),
    ("did not find expected '-' indicator", "this does not fit the list above; check the indentation"),
    ("could not find expected ':'", 'expected "key: value"; check the line above too'),
    ("expected ',' or ']'", "a list that is opened with [ needs its ]"),
    ("expected ',' or '}'", "a mapping that is opened with { needs its }"),
    ("unexpected end of stream", "a quote is opened and never closed"),
    ("unknown escape character", 'a \\ in a text in "…"; write \\\\ or use \'…\''),
    ("undefined alias", "a * that stands for nothing; put texts that begin with * in quotes"),
    ("found another document", "a second --- document; one file holds one"),
)


class Malformed(Exception):
    """What is not YAML; `line` counts from 1."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def compose(raw: bytes) -> yaml.Node | None:
    """The top node, None of an empty file. Malformed."""
    if len(raw) > MAX_BYTES:
        raise Malformed(0, f"is larger than {MAX_BYTES // 1_000_000} MB; is this a configuration?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed(raw.count(b"\n", 0, error.start) + 1, "is not UTF-8; save the file in that encoding") from None
    try:
        _look_at_depth(text)
        loader = Loader(text)
        try:
            return loader.get_single_node()  # type: ignore[no-any-return]
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else 0
        raise Malformed(line, "a character that cannot be seen; remove it") from None
    except yaml.MarkedYAMLError as error:
        raise Malformed(_line(error, text), _sentence(error, text)) from None


def _look_at_depth(text: str) -> None:
    loader, depth = Loader(text), 0
    try:
        while loader.check_event():
            event = loader.get_event()
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise Malformed(event.start_mark.line + 1 if event.start_mark else 0, f"is nested more than {MAX_DEPTH} levels deep")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    finally:
        loader.dispose()


def _line(error: yaml.MarkedYAMLError, text: str) -> int:
    """The line people look for: where the quote was opened, not where the file ends."""
    opened = error.problem is not None and "end of stream" in error.problem
    mark = error.context_mark if opened and error.context_mark else error.problem_mark or error.context_mark
    return 0 if mark is None else min(mark.line, text.count("\n")) + 1


def _sentence(error: yaml.MarkedYAMLError, text: str) -> str:
    words, mark = error.problem or "is not YAML", error.problem_mark
    if "cannot start any token" in words and mark is not None:
        character = text.splitlines()[mark.line][mark.column]
        return "a tab; indent with spaces" if character == "\t" else f"a text cannot begin with {character}; put it in quotes"
    return next((ours for theirs, ours in SENTENCES if theirs in words), words)


_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def scalar(text: str, plain: bool) -> Any:
    """The value of a scalar, `plain` without quotes. Nothing of YAML 1.1 surprises: no, on, 22:30, 0123, 2026-02-07 are texts."""
    if not plain:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 100:  # nobody means a number by that, and Python would take long to read it
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _HEX.fullmatch(text):
        return int(text, 16)
    return float(text) if _FLOAT.fullmatch(text) else text
