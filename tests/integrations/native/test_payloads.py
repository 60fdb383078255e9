"""Ohmstead's own JSON, decoded: what is taken, what is put aside, and in which form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.core.clock import iso
from ohmstead.core.errors import Invalid
from ohmstead.core.ingest import Batch
from ohmstead.core.model import DeviceStatus
from ohmstead.integrations.native.payloads import ITEMS, Refusal, instant_ms, put, put_plain, status, telemetry
from tests.fakes.house import small_house

AT = "2026-11-20T11:26:00Z"
AT_MS = instant_ms(AT)


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    hub, _, _ = small_house(tmp_path)
    return hub.ingest.batch("test", "telemetry")


def values(batch: Batch) -> dict[str, tuple[int, Any]]:
    return {row.series.address: (row.at_ms, row.value) for row in (*batch.rows, *batch.texts)}


def take(batch: Batch, device: str, message: Any, retained: bool = False) -> None:
    telemetry(batch, device, message if isinstance(message, bytes) else msgspec.json.encode(message), retained)


def test_the_telemetry_of_the_manual(batch: Batch) -> None:
    take(batch, "D1", {"device_id": "D1", "timestamp": AT, "voltage": 230.5, "current": 0.85, "power": 195.9, "temperature": 45.2})
    assert values(batch) == {
        "D1.voltage": (AT_MS, 230.5), "D1.current": (AT_MS, 0.85), "D1.power": (AT_MS, 195.9), "D1.temperature": (AT_MS, 45.2),
    }  # fmt: skip
    assert batch.letters == []


def test_a_reading_and_a_list_of_readings(batch: Batch) -> None:
    take(batch, "M", {"timestamp": AT, "energy_import": 1234.567})
    take(batch, "M", [{"timestamp": "2026-11-20T12:27:00+01:00", "energy_import": 1234.6}, {"timestamp": AT, "switch": "on"}])
    assert [(r.series.address, r.at_ms, r.value) for r in (*batch.rows, *batch.texts)] == [
        ("M.energy_import", AT_MS, 1234.567),
        ("M.energy_import", AT_MS + 60_000, 1234.6),
        ("M.switch", AT_MS, "on"),
    ]


def test_an_unknown_key_is_put_aside_by_itself_and_can_be_replayed(batch: Batch, tmp_path: Path) -> None:
    take(batch, "D1", {"timestamp": AT, "power": 1, "colour": 7})
    assert values(batch) == {"D1.power": (AT_MS, 1.0)}
    (letter,) = batch.letters
    assert (letter.format, letter.address, letter.device, letter.reason) == ("telemetry", "D1", "D1", "unknown quantity 'colour'")
    assert msgspec.json.decode(letter.raw) == {"device_id": "D1", "timestamp": AT, "colour": 7}
    hub, _, _ = small_house(tmp_path)
    again = hub.ingest.batch("replay", "telemetry")
    telemetry(again, letter.address, letter.raw.replace(b"colour", b"power"))
    assert values(again) == {"D1.power": (AT_MS, 7.0)}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"not json", "not JSON"),
        (b"", "not JSON"),
        (b'{"timestamp": "' + AT.encode() + b'", "power": NaN}', "not JSON"),
        (b'{"timestamp": "' + AT.encode() + b'", "power": Infinity}', "not JSON"),
        (b'{"timestamp": "' + AT.encode() + b'", "power": 1e999}', "not JSON"),
        (b'{"a": "\xff\xfe"}', "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"5", "expected an object of quantities, not 5"),
        (b"null", "expected an object of quantities, not None"),
        (b'"online"', "expected an object"),
        ({"power": 1}, "timestamp is missing"),
        ({"timestamp": None, "power": 1}, "timestamp is missing"),
        ({"timestamp": 1_700_000_000, "power": 1}, "timestamp must be a time such as"),
        ({"timestamp": "yesterday", "power": 1}, "timestamp must be a time such as"),
        ({"timestamp": "2026-11-20T11:26:00", "power": 1}, "has no zone"),
        ({"timestamp": AT}, "there is no reading in it"),
        ({"timestamp": AT, "device_id": "D2", "power": 1}, "device_id 'D2' is not the sender 'D1'"),
        ({"timestamp": AT, "device_id": 1, "power": 1}, "device_id must be a text, not 1"),
    ],
)
def test_a_message_that_cannot_be_taken_is_kept_as_it_came(batch: Batch, message: Any, reason: str) -> None:
    raw = message if isinstance(message, bytes) else msgspec.json.encode(message)
    take(batch, "D1", raw)
    (letter,) = batch.letters
    assert reason in letter.reason
    assert letter.raw == raw[:64_000]
    assert not values(batch)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("230", "power must be a number, not '230'"),
        (True, "power must be a number, not True"),
        (None, "power must be a number, not None"),
        ([1], "power must be a number, not [1]"),
        ({"a": {"b": 1}}, "power must be a number, not {'a'"),
        (1e9, "power 1e+09 W is outside"),
    ],
)
def test_a_value_that_cannot_be_taken_leaves_the_others(batch: Batch, value: Any, reason: str) -> None:
    take(batch, "D1", {"timestamp": AT, "power": value, "voltage": 230})
    assert values(batch) == {"D1.voltage": (AT_MS, 230.0)}
    assert batch.letters[0].reason.startswith(reason)


def test_a_number_longer_than_any_float(batch: Batch) -> None:
    take(batch, "D1", b'{"timestamp": "' + AT.encode() + b'", "power": 1' + b"0" * 400 + b"}")
    assert len(batch.letters) == 1
    assert not values(batch)


def test_the_far_future_is_refused(batch: Batch) -> None:
    take(batch, "D1", {"timestamp": iso(batch.now_ms + 3_600_000), "power": 1})
    assert batch.letters[0].reason == "time is 60 min in the future"


def test_a_text_where_a_number_belongs_and_the_other_way_round(batch: Batch) -> None:
    take(batch, "D1", {"timestamp": AT, "switch": 1})
    assert batch.letters[0].reason == "switch is a text, not 1"


def test_a_device_the_house_does_not_take_in(batch: Batch) -> None:
    take(batch, "stranger1", {"timestamp": AT, "power": 1})
    assert batch.letters[0].reason == "device 'stranger1' is unknown"


def test_too_many_items_in_a_message(batch: Batch) -> None:
    take(batch, "D1", [{"timestamp": AT, "power": 1}] * (ITEMS + 1))
    assert batch.letters[0].reason == f"{ITEMS + 1} items; at most {ITEMS} in one message"


def test_a_bad_item_never_blocks_the_good_ones(batch: Batch) -> None:
    take(batch, "D1", [{"timestamp": AT, "power": 1}, 5, {"power": 2}, {"timestamp": AT, "voltage": 230}])
    assert set(values(batch)) == {"D1.power", "D1.voltage"}
    assert [letter.raw for letter in batch.letters] == [b"5", b'{"power":2}']


def test_what_was_retained_without_a_time_fills_an_empty_state_and_is_never_stored(tmp_path: Path) -> None:
    hub, store, registry = small_house(tmp_path)
    batch = hub.ingest.batch("test", "telemetry")
    take(batch, "D1", {"power": 5, "colour": 1}, retained=True)
    hub.ingest.send(batch)
    assert store.rows == []
    assert [(s.series.address, s.value) for s in hub.states] == [("D1.power", 5.0)]
    assert [letter.reason for letter in store.letters] == ["unknown quantity 'colour'"]
    assert registry.heard_of == []  # the broker spoke, not the device
    batch = hub.ingest.batch("test", "telemetry")
    take(batch, "D1", {"power": 6}, retained=True)
    assert [s.value for s in hub.states] == [5.0]


def test_what_was_retained_with_its_own_time_is_a_reading_like_any(batch: Batch) -> None:
    take(batch, "D1", {"timestamp": AT, "power": 5}, retained=True)
    assert values(batch) == {"D1.power": (AT_MS, 5.0)}


def test_an_item_tells_what_was_refused_of_it(batch: Batch) -> None:
    assert put(batch, {"device_id": "D1", "timestamp": AT, "power": 1}) is None
    assert put(batch, {"device_id": "D1", "timestamp": AT, "power": 1, "x": 2}) == [Refusal("x", "unknown quantity 'x'")]
    whole = put(batch, {"timestamp": AT, "power": 1})
    assert whole is not None
    assert (whole[0].quantity, whole[0].reason, type(whole[0].error)) == (None, "device_id is missing", Invalid)


@pytest.mark.parametrize(
    ("raw", "word"), [(b"online", "online"), (b" offline\n", "offline"), (b'"error"', "error"), (b'{"status":"online"}', "online")]
)
def test_a_status_in_every_form(raw: bytes, word: str) -> None:
    said = status(raw, "D1")
    assert (said.status, said.device, said.code, said.message, said.at) == (DeviceStatus(word), "D1", None, None, None)


def test_a_status_with_everything() -> None:
    said = status(b'{"status":"error","code":17,"message":"hot","timestamp":"2026-11-20T11:26:00Z","device_id":"D1"}', "D1")
    assert (said.status, said.code, said.message) == (DeviceStatus.ERROR, "17", "hot")
    assert said.at is not None
    assert said.at.isoformat() == "2026-11-20T11:26:00+00:00"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"maybe", "not JSON"),
        (b'{"status":"maintenance"}', "status must be one of online, offline, error, not 'maintenance'"),
        (b'{"status":["online"]}', "status must be one of"),
        (b"[]", "expected online, offline, error or an object"),
        (b'{"status":"online","device_id":"D2"}', "device_id 'D2' is not the sender 'D1'"),
        (b'{"status":"online","timestamp":"2026-11-20T11:26:00"}', "has no zone"),
        (b'{"status":"online","message":{}}', "message must be a text"),
    ],
)
def test_a_status_that_is_none(raw: bytes, reason: str) -> None:
    with pytest.raises(Invalid, match=reason.replace("[", r"\[")):
        status(raw, "D1")


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_is_in_no_calendar(batch: Batch, time: str) -> None:
    take(batch, "D1", {"timestamp": time, "power": 1.0})
    assert [letter.reason for letter in batch.letters] == [f"timestamp {time} is in no calendar"]
    with pytest.raises(Invalid, match="in no calendar"):
        status(msgspec.json.encode({"status": "online", "timestamp": time}), "D1")


ODD = st.sampled_from(
    [7, "x", [], {}, {"device_id": "D1"}, {"device_id": "D1", "timestamp": AT}, {"device_id": ["D1"], "timestamp": AT, "power": 1},
     {"device_id": 7, "timestamp": AT, "power": 1}, {"device_id": "no slug!", "timestamp": AT, "power": 1}, {"timestamp": AT, "power": 1},
     {"device_id": "D1", "timestamp": "2026-11-20T11:26:00", "power": 1}, {"device_id": "D1", "timestamp": 7, "power": 1},
     {"device_id": "D1", "timestamp": AT, "power": 1, "sample_ms": 5}]
)  # fmt: skip
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, True, None, "on", "1"]))
USUAL = st.fixed_dictionaries(
    {"device_id": st.sampled_from(["D1", "D2"]), "timestamp": st.sampled_from([AT, "2026-11-20T12:27:00+01:00", "3026-11-20T12:27:00Z"])},
    optional={"power": NUMBERS, "energy_import": NUMBERS, "switch": NUMBERS, "energy": NUMBERS, "colour": NUMBERS},
)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The way in of a house that heard two devices already, which are online."""
    hub, _, _ = small_house(tmp_path_factory.mktemp("warm"))
    batch = hub.ingest.batch("test", "telemetry")
    for device in ("D1", "D2"):
        put(batch, {"device_id": device, "timestamp": AT, "power": 1, "energy_import": 1})
        batch.feed(device).online = True
    return hub.ingest


@settings(max_examples=200)
@given(items=st.lists(st.one_of(USUAL, USUAL, USUAL, ODD), min_size=1, max_size=5))
def test_items_taken_as_columns_are_those_taken_one_by_one(warm: Any, items: list[Any]) -> None:
    at_once, one_by_one = (warm.batch("test", "telemetry") for _ in range(2))
    taken = put_plain(at_once, items)
    refused = [put(one_by_one, item) for item in items]
    assert (taken and at_once.rows == one_by_one.rows and refused == [None] * len(items)) or (not taken and at_once.size == 0)


def test_most_batches_are_taken_as_columns(warm: Any) -> None:
    batch = warm.batch("test", "telemetry")
    assert put_plain(batch, [{"device_id": f"D{n % 2 + 1}", "timestamp": AT, "power": n, "energy_import": 0.5} for n in range(10)])
    assert [(row.series.address, row.at_ms, row.value) for row in batch.rows[2:4]] == [
        ("D2.power", AT_MS, 1.0), ("D2.energy_import", AT_MS, 0.5),
    ]  # fmt: skip
    assert type(batch.rows[0].value) is float
