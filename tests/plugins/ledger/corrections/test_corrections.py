"""Corrections over the API, on both engines: what they do, that undoing leaves no byte behind, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from ohmstead.core.clock import iso
from ohmstead.core.errors import Conflict, Invalid, NotFound, Unavailable
from ohmstead.core.events import Event
from ohmstead.core.model import Person
from ohmstead.plugins.ledger.events import CorrectionApplied, CorrectionUndone
from tests.fakes.corrected_house import DAY, HOUR, MINUTE, NOW, T0, CorrectedHouse

SERIES = "grid.energy_import"
DAY1, DAY2, DAY3 = (iso(T0 + n * DAY) for n in (1, 2, 3))
EVERY = [
    {"kind": "void", "series": SERIES, "start": DAY1, "end": DAY2},
    {"kind": "void", "series": SERIES, "instants": [iso(T0 + DAY), iso(T0 + DAY + 30 * MINUTE)]},
    {"kind": "shift", "series": SERIES, "start": DAY1, "end": DAY2, "by_s": 61},
    {"kind": "shift", "series": SERIES, "start": DAY1, "end": DAY2, "by_s": -3601},
    {"kind": "reading-scale", "series": SERIES, "start": DAY1, "end": DAY3, "factor": "1001/1000"},
    {"kind": "set-total", "meter_point": "grid", "start": DAY1, "end": DAY2, "kwh": "30.000001"},
    {"kind": "spread", "meter_point": "grid", "start": DAY1, "end": DAY2, "kwh": 7},
    {"kind": "interval-scale", "meter_point": "grid", "start": DAY1, "end": DAY2, "factor": "1/3"},
    {"kind": "replace", "meter_point": "grid", "start": DAY1, "end": DAY2, "by": "check", "factor": "1.02"},
]


async def test_apply_and_undo_leave_every_byte_as_it_was(house: CorrectedHouse) -> None:
    await house.metered()
    await house.metered("check", kw=2)
    before = await house.derived()
    for change in EVERY:
        made = await house.correct(**change)
        assert await house.derived() != before, change
        await house.ask("POST", f"/corrections/{made['number']}/undo", {"reason": "was right"})
        assert await house.derived() == before, change


async def test_undone_in_any_order_they_leave_every_byte_as_it_was(house: CorrectedHouse) -> None:
    await house.metered()
    await house.metered("check", kw=2)
    before = await house.derived()
    some = [change for change in EVERY if change["kind"] != "shift" and change.get("start") != DAY1]
    numbers = [(await house.correct(**change))["number"] for change in (*some, *EVERY[4:])]
    for number in sorted(numbers, key=lambda number: number * 7 % 11):
        await house.ask("POST", f"/corrections/{number}/undo", {"reason": "was right"})
    assert await house.derived() == before


async def test_a_total_is_there_to_the_last_mwh_and_rolls_up(house: CorrectedHouse) -> None:
    await house.metered()
    await house.correct("set-total", meter_point="grid", start=DAY1, end=DAY2, kwh="30.000001")
    assert await house.kwh("grid", T0 + DAY, T0 + 2 * DAY) == 30.000001
    [day] = (await house.ledger.rollups(["grid"], "day", T0 + DAY, T0 + 2 * DAY))["grid"]
    assert (day.mwh, day.estimated_ms) == (30_000_001, DAY)
    layers = await house.ledger.layers("grid", T0 + DAY, T0 + 2 * DAY)
    assert {layer.name: sum(sum(sheet.mwh) for sheet in sheets) for layer, sheets in layers.items()} == {
        "LIVE": 24_000_000, "MANUAL": 0, "SETTLED": 0, "CORRECTION": 30_000_001,
    }  # fmt: skip


async def test_undo_of_one_replays_the_rest(house: CorrectedHouse) -> None:
    await house.metered()
    first = await house.correct("set-total", meter_point="grid", start=DAY1, end=DAY2, kwh=10)
    second = await house.correct("interval-scale", meter_point="grid", start=DAY1, end=DAY2, factor=2)
    assert await house.kwh("grid", T0 + DAY, T0 + 2 * DAY) == 20
    await house.ask("POST", f"/corrections/{first['number']}/undo", {"reason": "no"})
    assert await house.kwh("grid", T0 + DAY, T0 + 2 * DAY) == 48
    shown = (await house.ask("POST", f"/corrections/{second['number']}/undo", {"reason": "no"}, dry_run="true")).data
    assert [each["after_kwh"] for each in shown["meter_points"]] == ["24.000000", "24.000000"]
    await house.ask("POST", f"/corrections/{second['number']}/undo", {"reason": "no"})
    assert await house.kwh("grid", T0 + DAY, T0 + 2 * DAY) == 24


async def test_what_is_replaced_follows_what_it_is_replaced_by(house: CorrectedHouse) -> None:
    await house.metered()
    await house.metered("check", kw=2)
    await house.correct("replace", meter_point="grid", start=DAY1, end=DAY2, by="check")
    assert await house.kwh("grid") == 24 + 48 + 24
    await house.correct("set-total", meter_point="check", start=DAY1, end=DAY2, kwh=5)
    assert await house.kwh("grid") == 24 + 5 + 24


async def test_a_late_reading_under_a_correction_keeps_it(house: CorrectedHouse) -> None:
    await house.metered(every_ms=HOUR)
    await house.correct("set-total", meter_point="grid", start=DAY1, end=DAY2, kwh=30)
    await house.store_all("grid", "energy_import", [(T0 + DAY + 90 * MINUTE, 126.0)])
    assert await house.kwh("grid", T0 + DAY, T0 + 2 * DAY) == 30
    assert await house.kwh("grid") == 24 + 30 + 24


async def test_void_and_scale_of_readings_below_the_live_layer(house: CorrectedHouse) -> None:
    await house.metered(every_ms=HOUR)
    await house.store_all("grid", "energy_import", [(T0 + DAY + 90 * MINUTE, 60.0)])  # a fall, and it rises again: a glitch
    await house.correct("void", series=SERIES, instants=[iso(T0 + DAY + 90 * MINUTE)])
    assert await house.kwh("grid") == 72
    await house.correct("reading-scale", series=SERIES, start=iso(T0), end=iso(T0 + 4 * DAY), factor="1/2")
    assert await house.kwh("grid") == 36


async def test_a_preview_says_what_applying_does_and_does_nothing(house: CorrectedHouse) -> None:
    await house.metered()
    before = await house.derived()
    change = {"kind": "set-total", "meter_point": "grid", "start": DAY1, "end": DAY2, "kwh": 30}
    shown = (await house.ask("POST", "/corrections/preview", change)).data
    [grid] = [each for each in shown["meter_points"] if each["meter_point"] == "grid"]
    assert grid["days"] == [{"day": DAY1[:10], "before_kwh": "24.000000", "after_kwh": "30.000000"}]
    assert {each["meter_point"] for each in shown["meter_points"]} == {"grid", "consumption"}
    assert await house.derived() == before
    assert await house.get("/corrections") == []
    hour = {**change, "end": iso(T0 + DAY + HOUR), "kwh": 2}
    shown_hour = (await house.ask("POST", "/corrections/preview", hour)).data
    assert shown_hour["meter_points"][0]["days"] == [{"day": DAY1[:10], "before_kwh": "24.000000", "after_kwh": "25.500000"}]  # of the whole day
    dry = await house.ask("POST", "/corrections", {**change, "reason": "x"}, dry_run="true")
    assert dry.data == shown
    assert await house.get("/corrections") == []


async def test_it_is_numbered_signed_and_told(house: CorrectedHouse) -> None:
    await house.metered()
    body = {"kind": "spread", "meter_point": "grid", "start": DAY1, "end": DAY2, "kwh": 1, "reason": " the meter stood "}
    await house.ask("POST", "/corrections", body, who=Person("anna", frozenset({"*"})))
    await house.ask("POST", "/corrections/1/undo", {"reason": "it did not"}, who=Person("bert", frozenset({"*"})))
    [made] = await house.get("/corrections")
    assert (made["number"], made["author"], made["reason"], made["status"]) == (1, "anna", "the meter stood", "undone")
    assert made["undone"] == {"at": iso(NOW), "by": "bert", "reason": "it did not"}
    assert [type(event) for event in house.told] == [CorrectionApplied, CorrectionUndone]
    assert await house.get("/corrections", status="active") == []
    with pytest.raises(Conflict, match="undone by bert already"):
        await house.ask("POST", "/corrections/1/undo", {"reason": "again"})


INTERVALS = {"meter_point": "grid", "start": DAY1, "end": DAY2}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kind": "set-total", **INTERVALS, "kwh": 1, "start": iso(T0 + DAY + 7 * MINUTE)}, "nearest is 2026-11-19T00:00:00Z"),
    ({"kind": "set-total", **INTERVALS, "kwh": 1, "start": iso(T0 + DAY + 8 * MINUTE)}, "nearest is 2026-11-19T00:15:00Z"),
    ({"kind": "set-total", **INTERVALS, "kwh": 1, "end": DAY1}, "the end lies behind the start"),
    ({"kind": "set-total", **INTERVALS, "kwh": 1, "end": iso(T0 + 30 * DAY)}, "has not come yet"),
    ({"kind": "set-total", **INTERVALS, "kwh": 1, "start": "1900-01-01"}, "longer than ten years"),
    ({"kind": "set-total", **INTERVALS, "kwh": "1e999999"}, "expected"),
    ({"kind": "set-total", **INTERVALS, "kwh": "10,5"}, "10.5"),
    ({"kind": "set-total", **INTERVALS, "kwh": "0.0000001"}, "at most 6 decimals"),
    ({"kind": "set-total", **INTERVALS, "kwh": -1}, "expected 0"),
    ({"kind": "set-total", **INTERVALS}, "kwh: missing"),
    ({"kind": "set-total", **INTERVALS, "kwh": 1, "factor": 2}, "factor: a correction of kind set-total takes"),
    ({"kind": "set-total", **INTERVALS, "kwh": 1, "meter_point": "consumption"}, "computed; correct one of grid"),
    ({"kind": "interval-scale", **INTERVALS, "factor": "-1"}, "not negative"),
    ({"kind": "interval-scale", **INTERVALS, "factor": "1/0"}, "over 0"),
    ({"kind": "interval-scale", **INTERVALS, "factor": 2, "start": iso(T0 - 9 * DAY), "end": iso(T0 - 8 * DAY)}, "has no interval"),
    ({"kind": "confirm", "meter_point": "grid", "at": DAY1}, "no suspect step ends at"),
    ({"kind": "void", "series": SERIES, "start": iso(T0 - 9 * DAY), "end": iso(T0 - 8 * DAY)}, "no reading"),
    ({"kind": "void", "series": SERIES, "instants": [iso(T0 + MINUTE), DAY1]}, "has no reading at 2026-11-18T00:01:00Z"),
    ({"kind": "void", "series": SERIES}, "start: missing"),
    ({"kind": "void", "series": "other.energy_import", "start": DAY1, "end": DAY2}, "measures no meter point"),
    ({"kind": "void", "series": "grid", "start": DAY1, "end": DAY2}, "expected a series"),
    ({"kind": "shift", "series": SERIES, "start": DAY1, "end": DAY2, "by_s": 0}, "not 0"),
    ({"kind": "spraed", **INTERVALS, "kwh": 1}, 'Did you mean "spread"'),
    ({"kind": "set-total", **INTERVALS, "kwh": 1, "reason": "  "}, "expected why"),
]


async def test_what_cannot_be_is_refused_with_what_would_be_right(sqlite_url: str, tmp_path: Any) -> None:
    async with CorrectedHouse(sqlite_url, tmp_path) as house:
        await house.metered(every_ms=HOUR)
        for change, says in WRONG:
            with pytest.raises(Invalid) as refused:
                await house.ask("POST", "/corrections", {"reason": "why", **change})
            assert says in f"{refused.value} {refused.value.details}"
        assert await house.get("/corrections") == []


async def test_unknown_points_occupied_instants_and_circles_are_refused(house: CorrectedHouse) -> None:
    await house.metered(every_ms=HOUR)
    await house.metered("check", every_ms=HOUR)
    with pytest.raises(NotFound, match="no meter point 'grit'"):
        await house.correct("spread", **{**INTERVALS, "meter_point": "grit"}, kwh=1)
    with pytest.raises(Conflict, match=r"land where there is one already, at 2026-11-20T00:00:00Z"):
        await house.correct("shift", series=SERIES, start=DAY1, end=DAY2, by_s=3600)
    await house.correct("replace", meter_point="grid", start=DAY1, end=DAY2, by="check")
    with pytest.raises(Invalid, match="check takes from grid takes from check: a circle"):
        await house.correct("replace", meter_point="check", start=iso(T0), end=iso(T0 + DAY + HOUR), by="grid")
    await house.correct("replace", meter_point="check", start=iso(T0), end=DAY1, by="grid")  # at another time
    with pytest.raises(Invalid, match="a circle"):
        await house.correct("replace", meter_point="grid", start=DAY2, end=DAY3, by="consumption")
    with pytest.raises(NotFound):
        await house.get("/corrections/99")


async def test_who_witnesses_a_correction_does_so_in_its_transaction(house: CorrectedHouse) -> None:
    seen: list[Event] = []

    async def witness(tx: AsyncConnection, events: Sequence[Event]) -> None:
        seen.extend(events)
        if len(seen) == 3:
            raise Unavailable("the log is full")

    await house.metered()
    house.ledger.corrections.witness = witness
    made = await house.correct(**EVERY[0])
    await house.ask("POST", f"/corrections/{made['number']}/undo", {"reason": "was right"})
    assert seen == house.told[-2:]
    before = await house.derived()
    with pytest.raises(Unavailable):
        await house.correct(**EVERY[0])
    assert (await house.derived(), len(await house.get("/corrections"))) == (before, 1)


async def test_of_several_authors_at_once_each_knows_what_the_others_did(house: CorrectedHouse) -> None:
    await house.metered(every_ms=HOUR)
    await house.metered("check", every_ms=HOUR)

    async def at_once(*given: dict[str, Any]) -> list[str]:
        done = await asyncio.gather(*(house.correct(**each) for each in given), return_exceptions=True)
        return sorted(type(each).__name__ for each in done)

    round_ = [{"kind": "replace", "meter_point": one, "by": other, "start": DAY1, "end": DAY2} for one, other in (("grid", "check"), ("check", "grid"))]
    assert await at_once(*round_) == ["Invalid", "dict"]
    twice = {"kind": "interval-scale", "meter_point": "grid", "start": DAY2, "end": DAY3, "factor": "2"}
    assert await at_once(twice, twice, twice) == ["Conflict", "Conflict", "dict"]
    reading = {"kind": "reading-scale", "series": "check.energy_import", "start": DAY2, "end": DAY3, "factor": "2"}
    assert await at_once(reading, reading) == ["Conflict", "dict"]
    with pytest.raises(Conflict, match=r"correction \d of owner says just this already; undo it to say it anew"):
        await house.correct(**twice)
    await house.correct("interval-scale", meter_point="grid", start=DAY2, end=DAY3, factor="3")
    await house.correct(**twice)  # something else was said since
