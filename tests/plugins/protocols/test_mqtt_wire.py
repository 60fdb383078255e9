"""The bytes and the filters of MQTT, by laws."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.plugins.protocols.mqtt.filters import covers, matches, problem
from ohmstead.plugins.protocols.mqtt.frames import Frames, Malformed, Publish, acknowledgement, complete, publish

LEVEL = st.sampled_from(["a", "b", "", "$x"])
TOPIC = st.lists(LEVEL, min_size=1, max_size=4).map("/".join).filter(bool)
FILTER = st.tuples(st.lists(st.sampled_from(["a", "b", "", "+", "$x"]), min_size=1, max_size=3), st.booleans()).map(
    lambda made: "/".join([*made[0], *(["#"] if made[1] else [])])
).filter(bool)  # fmt: skip


def length(n: int) -> bytes:
    out = bytearray()
    while True:
        n, low = divmod(n, 128)
        out.append(low | (0x80 if n else 0))
        if not n:
            return bytes(out)


def encode(message: Publish, v5: bool) -> bytes:
    mid = message.mid.to_bytes(2, "big") if message.qos else b""
    properties = b"\x05\x26\x00\x00\x00\x00" if v5 else b""  # an empty user property
    body = len(message.topic).to_bytes(2, "big") + message.topic + mid + properties + message.payload
    return bytes([0x30 | message.qos << 1 | message.retain]) + length(len(body)) + body


MESSAGE = st.tuples(st.binary(max_size=20), st.binary(max_size=300), st.integers(0, 2), st.booleans(), st.integers(1, 65535)).map(
    lambda m: Publish(m[0], m[1], m[2], m[3], m[4] if m[2] else 0)
)


@given(st.lists(MESSAGE, max_size=8), st.lists(st.integers(1, 50), min_size=1), st.booleans())
def test_messages_are_found_however_the_stream_is_cut(messages: list[Publish], cuts: list[int], v5: bool) -> None:
    stream = b"".join(encode(message, v5) for message in messages)
    frames, found, at, turn = Frames(), [], 0, 0
    while at < len(stream):
        piece = stream[at : at + cuts[turn % len(cuts)]]
        found += [publish(first, body, v5) for first, body in frames.feed(piece)]
        at, turn = at + len(piece), turn + 1
    assert found == messages


@pytest.mark.parametrize("size", [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
def test_lengths_of_one_to_four_bytes(size: int) -> None:
    frames = Frames()
    packet = b"\x30" + length(size) + b"x" * size
    assert list(frames.feed(packet[:3])) == ([(0x30, b"")] if size == 0 else [])
    if size:
        assert list(frames.feed(packet[3:] + b"\xd0\x00")) == [(0x30, b"x" * size), (0xD0, b"")]


def test_a_length_of_five_bytes_is_no_mqtt() -> None:
    with pytest.raises(Malformed):
        list(Frames().feed(b"\x30\xff\xff\xff\xff\x01"))


@given(st.binary(max_size=40), st.integers(0, 15), st.booleans())
def test_any_bytes_are_a_message_or_malformed(body: bytes, flags: int, v5: bool) -> None:
    try:
        message = publish(0x30 | flags, body, v5)
    except Malformed:
        return
    assert message.qos in (0, 1, 2)
    assert len(message.topic) + len(message.payload) <= len(body)


@given(st.binary(max_size=200))
def test_any_stream_is_cut_or_malformed(stream: bytes) -> None:
    with suppress(Malformed):
        list(Frames().feed(stream))


def test_acknowledgements() -> None:
    assert acknowledgement(1, 0x0102) == b"\x40\x02\x01\x02"
    assert acknowledgement(2, 0x0102) == b"\x50\x02\x01\x02"
    assert complete(b"\x01\x02\x00") == b"\x70\x02\x01\x02"
    with pytest.raises(Malformed):
        complete(b"\x01")


@pytest.mark.parametrize(
    ("wanted", "topic", "yes"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("+/+", "/", True),
        ("a//b", "a/b", False),
    ],
)
def test_what_a_filter_asks_for(wanted: str, topic: str, yes: bool) -> None:
    assert matches(wanted, topic) is yes


@given(FILTER, FILTER, TOPIC)
def test_a_wider_filter_asks_for_all_that_a_narrower_one_does(wide: str, narrow: str, topic: str) -> None:
    if covers(wide, narrow) and matches(narrow, topic):
        assert matches(wide, topic)


@given(FILTER)
def test_a_filter_covers_itself_and_is_one(made: str) -> None:
    assert covers(made, made)
    assert problem(made) is None


@pytest.mark.parametrize("wrong", ["", "a/#/b", "a#", "#a", "a+/b", "a\0b", "x" * 65_536])
def test_what_is_no_filter(wrong: str) -> None:
    assert problem(wrong) is not None


def test_a_packet_that_its_taker_stumbles_over_takes_no_other_along() -> None:
    frames, packet = Frames(), bytes((0x30, 5, 0, 1)) + b"tab"

    def stumble(data: bytes) -> None:
        for _ in frames.feed(data):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stumble(packet + packet + packet[:4])
    assert list(frames.feed(packet[4:])) == [(0x30, packet[2:])] * 2
