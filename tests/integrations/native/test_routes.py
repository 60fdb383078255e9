"""Ohmstead's own JSON over HTTP: handlers called as the web server calls them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ohmstead.core.clock import iso
from ohmstead.core.errors import Conflict, Forbidden, Invalid, Rejected, Unavailable
from ohmstead.core.hub import Hub
from ohmstead.core.model import Person
from ohmstead.core.route import Call, Route
from ohmstead.integrations.native import Native
from ohmstead.integrations.native.payloads import instant_ms
from ohmstead.web.intake import Intake
from tests.fakes.house import MemoryStore, OpenRegistry, small_house

OWNER = Person("owner", frozenset("*"))
D1 = Person("D1", frozenset({"ingest"}), device="D1")
AT = "2026-11-20T11:26:00Z"
AT_MS = instant_ms(AT)


class House:
    """A hub with the native plugin alone."""

    def __init__(self, folder: Path, period_start: Any = None) -> None:
        self.hub: Hub
        self.store: MemoryStore
        self.registry: OpenRegistry
        self.hub, self.store, self.registry = small_house(folder)
        self.native = Native(self.registry.report, period_start)
        self.routes: dict[str, Route] = {route.path: route for route in self.native.ohmstead_routes(self.hub)}

    async def post(self, path: str, body: Any, who: Person = OWNER, headers: Mapping[str, str] = {}, **names: str) -> dict[str, Any]:
        route = self.routes[path]
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        reply = await route.handler(Call(who, names, body=Intake(route).body(raw), headers=headers, raw=raw))
        assert reply.status == 202
        return dict(reply.data)

    @property
    def values(self) -> dict[str, float | str]:
        return {row.series.address: row.value for row in self.store.rows}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_every_route_takes_what_may_ingest_and_answers_202(house: House) -> None:
    assert {(r.method, r.scope, r.status) for r in house.routes.values()} == {("POST", "ingest", 202)}
    assert set(house.routes) == {"/ingest", "/telemetry", "/telemetry/batch", "/sensors/readings/batch", "/devices/{id}/energy/readings"}


async def test_a_sample_of_current_and_voltage_gives_power(house: House) -> None:
    body = {"ts": AT, "current": 0.85, "voltage": 230, "attributes": {"phase": "L2", "sample_ms": 100}}
    assert await house.post("/ingest", body, D1, {"x-device-id": "D1"}) == {"accepted": 1, "rejected": 0, "items": []}
    assert house.values == {"D1.current_l2": 0.85, "D1.voltage_l2": 230.0, "D1.power_l2": pytest.approx(195.5)}


async def test_the_sampling_time_of_a_sample_is_noted_with_each_of_its_values(house: House) -> None:
    await house.post("/ingest", {"ts": AT, "current": 1, "voltage": 230, "attributes": {"sample_ms": 99.6}}, D1)
    notes = house.store.batches[-1].notes
    assert {(note.series.quantity, note.at_ms, note.sampled_ms) for note in notes} == {(q, AT_MS, 100) for q in ("current", "voltage", "power")}
    with pytest.raises(Invalid, match="sample_ms must be a number of milliseconds from 0 to 86400000, not -1"):
        await house.post("/ingest", {"ts": AT, "current": 1, "attributes": {"sample_ms": -1}}, D1)


async def test_further_keys_of_a_sample_are_quantities_too(house: House) -> None:
    answer = await house.post("/ingest", {"ts": AT, "current": 1, "temperature": 40, "colour": 1}, D1)
    assert answer == {"accepted": 1, "rejected": 0, "items": [{"index": 0, "reason": "unknown quantity 'colour'", "quantity": "colour"}]}
    assert house.values == {"D1.current": 1.0, "D1.temperature": 40.0}


async def test_what_a_sensor_says_beside_its_energy(house: House) -> None:
    body = {"readings": [sensor(AT_MS, quality_flag="estimated"), sensor(AT_MS + 900_000, quality_flag=2, colour=1)]}
    answer = await house.post("/sensors/readings/batch", body)
    assert (answer["accepted"], answer["rejected"], len(answer["items"])) == (2, 0, 1)
    assert answer["items"][0]["reason"].startswith("unknown key 'colour'")
    assert [(note.at_ms, note.flags) for note in house.store.batches[-1].notes] == [(AT_MS, "estimated"), (AT_MS + 900_000, "2")]


async def test_a_sample_with_its_own_power_and_without_phase(house: House) -> None:
    await house.post("/ingest", {"ts": AT, "current": 1, "voltage": 230, "power": 200}, OWNER, {"x-device-id": "D7"})
    assert house.values == {"D7.current": 1.0, "D7.voltage": 230.0, "D7.power": 200.0}


@pytest.mark.parametrize(
    ("body", "headers", "error", "reason"),
    [
        ({"ts": AT, "current": 1}, {}, Invalid, "header X-Device-ID is missing"),
        ({"ts": AT, "current": 1, "attributes": {"phase": "L4"}}, {"x-device-id": "D1"}, Invalid, "attributes.phase must be L1, L2 or L3"),
        ({"ts": AT, "current": "1"}, {"x-device-id": "D1"}, Invalid, "the body is not right"),
        ({"ts": 17, "current": 1}, {"x-device-id": "D1"}, Invalid, "the body is not right"),
        ({"ts": "2026-11-20T11:26:00", "current": 1}, {"x-device-id": "D1"}, Invalid, "has no zone"),
        ({"ts": AT}, {"x-device-id": "D1"}, Invalid, "there is no reading in it"),
        ({"ts": AT, "current": 1, "device_id": "D2"}, {"x-device-id": "D1"}, Invalid, "device_id 'D2' is not the sender 'D1'"),
        (b"{", {"x-device-id": "D1"}, Invalid, "the body is not JSON"),
        (b"[" * 50_000, {"x-device-id": "D1"}, Invalid, "."),
    ],
)
async def test_a_sample_that_cannot_be_taken(house: House, body: Any, headers: dict[str, str], error: type[Rejected], reason: str) -> None:
    with pytest.raises(error, match=reason):
        await house.post("/ingest", body, OWNER, headers)
    assert house.store.rows == []


async def test_a_device_writes_for_itself_alone(house: House) -> None:
    item = {"device_id": "D2", "timestamp": AT, "power": 1}
    for path, body, names in (
        ("/telemetry", item, {}),
        ("/devices/{id}/energy/readings", {"timestamp": AT, "power": 1}, {"id": "D2"}),
        ("/devices/{id}/energy/readings", [{"timestamp": AT, "power": 1}], {"id": "D2"}),
    ):
        with pytest.raises(Forbidden, match="secret of device 'D1', which writes for itself alone"):
            await house.post(path, body, D1, **names)
    with pytest.raises(Forbidden):
        await house.post("/ingest", {"ts": AT, "current": 1}, D1, {"x-device-id": "D2"})
    answer = await house.post("/telemetry/batch", {"readings": [item, {"timestamp": AT, "power": 2}]}, D1)
    assert answer == {"accepted": 1, "rejected": 1, "items": [{"index": 0, "reason": "device_id 'D2' is not the sender 'D1'"}]}
    assert house.values == {"D1.power": 2.0}


async def test_a_batch_takes_the_good_and_names_the_bad(house: House) -> None:
    readings = [
        {"device_id": "D1", "timestamp": AT, "power": 1, "voltage": 230},
        {"device_id": "D1", "power": 1},
        "what?",
        {"device_id": "D2", "timestamp": AT, "power": 1, "colour": "red"},
        {"device_id": "D3", "timestamp": AT, "power": "1"},
        {"device_id": "stranger", "timestamp": AT, "power": 1},
    ]
    assert await house.post("/telemetry/batch", {"readings": readings}) == {
        "accepted": 2,
        "rejected": 4,
        "items": [
            {"index": 1, "reason": "timestamp is missing"},
            {"index": 2, "reason": "expected an object of quantities, not 'what?'"},
            {"index": 3, "reason": "unknown quantity 'colour'", "quantity": "colour"},
            {"index": 4, "reason": "power must be a number, not '1'", "quantity": "power"},
            {"index": 5, "reason": "device 'stranger' is unknown"},
        ],
    }
    assert house.values == {"D1.power": 1.0, "D1.voltage": 230.0, "D2.power": 1.0}
    assert len(house.store.letters) == 5


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"readings": 5}', b"{}", b"\xff"])
async def test_an_unreadable_batch_is_a_400(house: House, body: bytes) -> None:
    for path in ("/telemetry/batch", "/sensors/readings/batch"):
        with pytest.raises(Invalid):
            await house.post(path, body)


async def test_ten_thousand_at_once_and_no_more(house: House) -> None:
    items = [{"device_id": "D1", "timestamp": iso(AT_MS + n), "power": n} for n in range(10_001)]
    assert (await house.post("/telemetry/batch", {"readings": items[:-1]}))["accepted"] == 10_000
    for path, body, names in (
        ("/telemetry/batch", {"readings": items}, {}),
        ("/devices/{id}/energy/readings", items, {"id": "D1"}),
        ("/devices/{id}/energy/readings", {"readings": items}, {"id": "D1"}),
    ):
        with pytest.raises(Invalid):
            await house.post(path, body, **names)


async def test_readings_of_one_device_in_three_forms(house: House) -> None:
    item = {"timestamp": AT, "energy_import": 5}
    path = "/devices/{id}/energy/readings"
    assert (await house.post(path, item, D1, id="D1"))["accepted"] == 1
    assert (await house.post(path, [item, item], D1, id="D1"))["accepted"] == 2
    assert (await house.post(path, {"readings": [item]}, D1, id="D1"))["accepted"] == 1
    with pytest.raises(Invalid, match="one reading or a list"):
        await house.post(path, {"readings": 5}, D1, id="D1")


async def test_a_lone_reading_that_is_refused_is_an_error_and_a_dead_letter(house: House) -> None:
    with pytest.raises(Invalid, match="power must be a number") as caught:
        await house.post("/telemetry", {"device_id": "D1", "timestamp": AT, "power": "x"})
    assert caught.value.details == [{"index": 0, "reason": "power must be a number, not 'x'", "quantity": "power"}]
    assert len(house.store.letters) == 1
    answer = await house.post("/telemetry", {"device_id": "D1", "timestamp": AT, "power": "x", "voltage": 230})
    assert (answer["accepted"], answer["rejected"], len(answer["items"])) == (1, 0, 1)


async def test_conflicts_count_as_rejected(house: House) -> None:
    house.store.held = []
    items = [{"device_id": "D1", "timestamp": AT, "power": n} for n in (1, 2)]
    items.append({"device_id": "D1", "timestamp": AT, "power": 1, "voltage": 230})
    items += [{"device_id": "D2", "timestamp": AT, "power": 2}]
    posting = asyncio.ensure_future(house.post("/telemetry/batch", {"readings": items}))
    await asyncio.sleep(0.01)
    (batch,) = house.store.held
    batch.conflicts.append(batch.rows[1])  # as the writer finds it: the first of the two stays
    house.store.release()
    reason = "D1.power has another value at 2026-11-20T11:26:00Z already"
    assert await posting == {"accepted": 3, "rejected": 1, "items": [{"index": 1, "reason": reason, "quantity": "power"}]}


async def test_a_lone_conflict_is_a_409(house: House) -> None:
    house.store.held = []
    posting = asyncio.ensure_future(house.post("/telemetry", {"device_id": "D1", "timestamp": AT, "power": 1}))
    await asyncio.sleep(0.01)
    house.store.held[0].conflicts.extend(house.store.held[0].rows)
    house.store.release()
    with pytest.raises(Conflict, match=r"D1\.power has another value"):
        await posting


async def test_nothing_is_answered_before_the_commit(house: House) -> None:
    house.store.held = []
    posting = asyncio.ensure_future(house.post("/telemetry", {"device_id": "D1", "timestamp": AT, "power": 1}))
    await asyncio.sleep(0.02)
    assert not posting.done()
    house.store.release()
    assert (await posting)["accepted"] == 1


async def test_a_full_storage_is_a_503(house: House) -> None:
    house.store.held, house.store.bound = [], 0
    posting = asyncio.ensure_future(house.post("/telemetry/batch", {"readings": []}))
    await house.hub.clock.advance(6)  # type: ignore[attr-defined]
    with pytest.raises(Unavailable):
        await posting


async def test_a_batch_gives_others_their_turn(house: House) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.ensure_future(other())
    await house.post("/telemetry/batch", {"readings": [{"device_id": "D1", "timestamp": AT, "power": 1}] * 2000})
    running.cancel()
    assert turns > 6


def sensor(at_ms: int, kwh: Any = 0.5, **more: Any) -> dict[str, Any]:
    return {"sensor_id": "S1", "timestamp": iso(at_ms), "value_kwh": kwh, **more}


async def periods(house: House, *items: Any, who: Person = OWNER) -> list[tuple[int, int, float | str]]:
    before = len(house.store.batches)
    await house.post("/sensors/readings/batch", {"readings": list(items)}, who)
    rows = [row for batch in house.store.batches[before:] for row in batch.deltas]
    assert all(row.from_ms is not None for row in rows)
    return [((row.from_ms or 0) - AT_MS, row.at_ms - AT_MS, row.value) for row in rows]


async def test_the_period_of_a_sensor_runs_from_start_else_from_the_reading_before_else_a_quarter_hour(house: House) -> None:
    assert await periods(house, sensor(AT_MS, 1), sensor(AT_MS + 600_000, 2), sensor(AT_MS + 900_000, 3, start=AT, quality_flag="ok")) == [
        (-900_000, 0, 1.0),
        (0, 600_000, 2.0),
        (0, 900_000, 3.0),
    ]
    assert await periods(house, sensor(AT_MS + 960_000)) == [(900_000, 960_000, 0.5)]


async def test_the_same_sensor_reading_again_has_the_same_period(house: House) -> None:
    first = await periods(house, sensor(AT_MS), sensor(AT_MS + 600_000))
    assert (await periods(house, sensor(AT_MS + 600_000))) == first[1:]


async def test_storage_is_asked_for_what_memory_has_not(tmp_path: Path) -> None:
    asked: list[tuple[str, int]] = []

    async def period_start(device: str, end_ms: int) -> int | None:
        asked.append((device, end_ms - AT_MS))
        return AT_MS - 60_000

    house = House(tmp_path, period_start)
    assert await periods(house, sensor(AT_MS)) == [(-60_000, 0, 0.5)]
    assert await periods(house, sensor(AT_MS + 1000)) == [(0, 1000, 0.5)]
    assert await periods(house, sensor(AT_MS - 30_000)) == [(-60_000, -30_000, 0.5)]  # late
    assert asked == [("S1", 0), ("S1", -30_000)]


async def test_sensor_items_that_cannot_be_taken(house: House) -> None:
    items = [
        5,
        {"timestamp": AT, "value_kwh": 1},
        {"sensor_id": 5, "timestamp": AT, "value_kwh": 1},
        {"sensor_id": "S1", "value_kwh": 1},
        sensor(AT_MS, "1"),
        sensor(AT_MS, None),
        sensor(AT_MS, start=iso(AT_MS + 1)),
        sensor(AT_MS, start="later"),
        sensor(AT_MS, quality_flag="\x00"),
        {"sensor_id": "stranger", "timestamp": AT, "value_kwh": 1},
        sensor(AT_MS, 1),
    ]
    answer = await house.post("/sensors/readings/batch", {"readings": items})
    assert (answer["accepted"], answer["rejected"]) == (1, 10)
    assert [item["reason"].split(",")[0].split(";")[0] for item in answer["items"]] == [
        "expected an object with sensor_id",
        "sensor_id is missing",
        "sensor_id must be a text",
        "timestamp is missing",
        "energy must be a number",
        "energy must be a number",
        "energy needs the start of its period",
        'start must be a time such as "2026-02-07T11:26:00Z"',
        "quality_flag must be a text of at most 64 characters",
        "device 'stranger' is unknown",
    ]


async def test_a_sensor_writes_for_itself_alone(house: House) -> None:
    answer = await house.post("/sensors/readings/batch", {"readings": [sensor(AT_MS)]}, D1)
    assert answer["items"] == [{"index": 0, "reason": "sensor_id 'S1' is not the sender 'D1'"}]


async def test_refused_items_are_replayed_with_the_period_they_had(house: House) -> None:
    await periods(house, sensor(AT_MS))
    await house.post("/sensors/readings/batch", {"readings": [sensor(AT_MS + 60_000, 1e9)]})
    (letter,) = house.store.letters
    assert letter.format == "sensor"
    batch = house.hub.ingest.batch("replay", "sensor")
    house.hub.ingest.decoders["sensor"](batch, letter.address, letter.raw.replace(b"1e9", b"1.0").replace(b"1000000000.0", b"1.0"))
    assert [(row.from_ms, row.at_ms, row.value) for row in batch.deltas] == [(AT_MS, AT_MS + 60_000, 1.0)]


async def test_every_dead_letter_can_be_replayed_by_its_format(house: House) -> None:
    await house.post("/telemetry/batch", {"readings": [{"device_id": "stranger", "timestamp": AT, "power": 1}, {"power": 2}]})
    replay: Callable[..., None] = house.hub.ingest.decoders["telemetry"]
    batch = house.hub.ingest.batch("replay", "telemetry")
    for letter in house.store.letters:
        replay(batch, letter.address, letter.raw)
    assert [letter.reason for letter in batch.letters] == [letter.reason for letter in house.store.letters]


async def test_conflicts_of_items_among_unreadable_ones(house: House) -> None:
    house.store.held = []
    items = [5, {"device_id": "D1", "timestamp": "?", "power": 1}, sensor(AT_MS, 1)]
    posting = asyncio.ensure_future(house.post("/sensors/readings/batch", {"readings": items}))
    await asyncio.sleep(0.01)
    (batch,) = house.store.held
    batch.conflicts.extend(batch.deltas)
    house.store.release()
    answer = await posting
    assert (answer["accepted"], answer["rejected"]) == (0, 3)
    assert answer["items"][-1] == {"index": 2, "reason": "S1.energy has another value at 2026-11-20T11:26:00Z already"}
