"""The language of a line: examples and errors of the reference, and laws that hold for every line."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ohmstead.integrations.line_protocol import grammar
from ohmstead.integrations.line_protocol.grammar import Malformed
from ohmstead.integrations.line_protocol.parser import Mistake, Parser, portions

NAME = st.text(st.characters(exclude_characters="\\\n\r", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda text: not text.startswith("#") and text.strip() == text)  # fmt: skip
STRING = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=20)
VALUE = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**63 - 1), st.booleans(), STRING,
)  # fmt: skip
STAMP = st.one_of(st.none(), st.integers(-9_223_372_036_854_775_806, 9_223_372_036_854_775_806))


def escape(text: str, characters: str) -> str:
    return re.sub(f"([{characters}])", r"\\\1", text)


def compose(measurement: str, tags: dict[str, str], fields: dict[str, grammar.Value], stamp: int | None) -> str:
    head = ",".join([escape(measurement, ", "), *(f"{escape(k, ',= ')}={escape(v, ',= ')}" for k, v in tags.items())])
    body = ",".join(f"{escape(k, ',= ')}={grammar._literal(v)}" for k, v in fields.items())
    return f"{head} {body}" + ("" if stamp is None else f" {stamp}")


@given(NAME, st.dictionaries(NAME, NAME, max_size=3), st.dictionaries(NAME, VALUE, min_size=1, max_size=3), STAMP)
@example("a b,c", {"x=y": "1, 2"}, {"q r": 'say "hi" \\ \\\\'}, 1)
def test_what_is_written_by_the_rules_is_read_back(measurement, tags, fields, stamp) -> None:
    head, found, at = grammar.read(compose(measurement, tags, fields, stamp))
    assert (head.measurement, head.tags, at) == (measurement, tags, stamp)
    assert {k: (type(v), v) for k, v in found.items()} == {k: (type(v), v) for k, v in fields.items()}


@given(st.text(st.sampled_from("ab,= \\\"#-+.0123456789eEiutf_\t\r\x1cé²"), max_size=30))
@example("m f=1_0 1")
@example("m f=+1 1")
@example("m f=1 ²")
@example("m f= 1 1")
@example("m f=nan 1")
@example("m f=٣ 1")
def test_the_quick_way_reads_the_same_language(line: str) -> None:
    for text in (line, f"m {line} 1", f"m,{line} f=1 1", f"{line} f=1 1", f"m f={line} 5"):
        fields, mistakes = Parser("ms").parse([text])
        careful = Parser("ms")._careful(text, 1)
        assert (fields, mistakes) == (([], [careful]) if isinstance(careful, Mistake) else (careful, []))
        assert [type(value) for _, _, value, _, _ in fields] == [type(value) for _, _, value, _, _ in careful] if fields else True


@given(st.binary(max_size=200))
def test_nothing_breaks_the_parser(raw: bytes) -> None:
    for first, lines in portions(raw):
        _, mistakes = Parser().parse(lines, first)
        assert all(isinstance(m, Mistake) and m.column >= 1 for m in mistakes)


@pytest.mark.parametrize(
    ("line", "tags", "fields", "stamp"),
    [
        ("weather,location=us-midwest temperature=82 1465839830100400200", {"location": "us-midwest"}, {"temperature": 82.0}, 1465839830100400200),
        ("m f=1", {}, {"f": 1.0}, None),
        ("m f=1  ", {}, {"f": 1.0}, None),
        ("  m  f=1   7 ", {}, {"f": 1.0}, 7),
        ("m a=12i,b=12u,c=-1.2e+78,d=.5,e=1.", {}, {"a": 12, "b": 12, "c": -1.2e78, "d": 0.5, "e": 1.0}, None),
        ('m a=t,b=FALSE,c="true",d=True', {}, {"a": True, "b": False, "c": "true", "d": True}, None),
        (r'm f="a \"b\" \\ \\\ \n, = #"', {}, {"f": '"'.join(("a ", "b", r" \ \\ \n, = #"))}, None),
        (r"m\ 1\,x,a\=b=c\ d f\,g=1", {"a=b": "c d"}, {"f,g": 1.0}, None),
        (r"m\x,a=C:\dir f=1", {"a": r"C:\dir"}, {"f": 1.0}, None),
        ("m,ort=Köln größe=1 -5", {"ort": "Köln"}, {"größe": 1.0}, -5),
    ],
)  # fmt: skip
def test_examples(line: str, tags: dict[str, str], fields: dict[str, grammar.Value], stamp: int | None) -> None:
    head, found, at = grammar.read(line)
    assert (head.tags, found, at) == (tags, fields, stamp)


@pytest.mark.parametrize(
    ("line", "reason", "column"),
    [
        ("mymeas,mytag=1 myfield=91 abc123", "bad timestamp", 27),
        ("m f=1 1 2", "bad timestamp", 7),
        ("m f=1 1.5", "bad timestamp", 7),
        ("m", "missing fields", 2),
        ("m ", "missing fields", 3),
        ("m,a=b", "missing fields", 6),
        (",a=b f=1", "missing measurement", 1),
        ("m, f=1", "missing tag key", 3),
        ("m,a f=1", "missing tag value", 4),
        ("m,a= f=1", "missing tag value", 4),
        ("m,a=b=c f=1", "invalid tag format", 6),
        ("m,a=1,a=2 f=1", "duplicate tags", 10),
        ("m =1", "missing field key", 3),
        ("m f=", "missing field value", 5),
        ("m f=1,", "invalid field format", 7),
        ("m f", "invalid field format", 4),
        ("m f=1,g", "invalid field format", 8),
        ('m f="a', "unbalanced quotes", 5),
        ('m f="a"b', "invalid field format", 8),
        ("m f=1.1.1", "invalid number", 5),
        ("m f=NaN", "invalid number", 5),
        ("m f=-inf", "invalid number", 5),
        ("m f=Inf", "invalid boolean", 5),
        ("m f=1e999", "invalid number", 5),
        ("m f=1_000", "invalid number", 5),
        ("m f=yes", "invalid boolean", 5),
        ("m f=9223372036854775808i", "unable to parse integer 9223372036854775808: value out of range", 5),
        ("m f=-1u", "unable to parse integer -1: value out of range", 5),
        ('m f="' + "x" * 64_001 + '"', "string longer than 64000 bytes", 5),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_the_words_of_the_reference_with_its_column(line: str, reason: str, column: int) -> None:
    with pytest.raises(Malformed) as caught:
        grammar.read(line)
    assert (caught.value.reason, caught.value.column) == (reason, column)


@pytest.mark.parametrize(
    ("precision", "stamp", "at_ms"),
    [("ns", 1_465_839_830_100_400_200, 1_465_839_830_100), ("n", -1, -1), ("u", 1_999, 1), ("us", 2_000, 2), ("ms", 7, 7),
     ("s", 7, 7000), ("m", 2, 120_000), ("h", 2, 7_200_000)],
)  # fmt: skip
def test_timestamps_become_milliseconds(precision: str, stamp: int, at_ms: int) -> None:
    for line in (f"m f=1 {stamp}", f'm f="1" {stamp}'):
        assert [at for _, _, _, at, _ in Parser(precision).parse([line])[0]] == [at_ms]


def test_a_time_that_64_bits_cannot_say_is_a_mistake() -> None:
    parser = Parser("h")
    fields, mistakes = parser.parse(["m f=1 1", "m f=1 9999999999999", "m f=1,g=1 9999999999999"])
    assert len(fields) == 1
    assert len(mistakes) == 2
    assert mistakes[0].reason.startswith("time outside range")


def test_comments_and_empty_lines_are_passed_over() -> None:
    fields, mistakes = Parser().parse(["# m f=1 1", "", "   ", "m f=1 1\r", "  # x", "m f=2 2"])
    assert [line for _, _, _, _, line in fields] == [4, 6]
    assert not mistakes


def test_what_is_no_utf8_is_no_name_we_know() -> None:
    [(_, lines)] = portions(b"m f=1 1\nm \xff=1 1\n")
    assert Parser().parse(lines)[0][1][1] == "\ufffd"


def test_portions_are_bounded_and_number_their_lines() -> None:
    raw = "\n".join(f"m f={n} {n}" for n in range(1, 12_001)).encode()
    numbered = [(first + i, line) for first, lines in portions(raw) for i, line in enumerate(lines)]
    assert numbered == list(enumerate(raw.decode().split("\n"), 1))
    assert max(len(lines) for _, lines in portions(raw)) <= 2000


def test_a_field_is_written_so_that_it_reads_the_same() -> None:
    for value in (1.5, 3, True, False, 'a "b" \\', math.pi):
        head, fields, at = grammar.read(grammar.write(r"m\ x,t=a\,b", "f g", value, 42))
        assert (head.measurement, head.tags, fields, at) == ("m x", {"t": "a,b"}, {"f g": value}, 42)
