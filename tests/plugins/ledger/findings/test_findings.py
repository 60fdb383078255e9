"""The inbox, on both engines: found once, told once, mended by itself, dismissed for good, accepted in one call."""

from __future__ import annotations

from pathlib import Path

import pytest

from ohmstead.core.clock import iso
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.core.events import Event
from ohmstead.core.model import Person
from ohmstead.plugins.ledger.events import CorrectionApplied, FindingClosed, FindingOpened
from tests.fakes.corrected_house import DAY, HOUR, MINUTE, T0, CorrectedHouse

LEAP = T0 + 3 * DAY + HOUR


async def leapt(house: CorrectedHouse) -> None:
    """A register that leaps by 800 kWh within an hour, and goes on."""
    await house.metered(every_ms=HOUR)
    await house.store_all("grid", "energy_import", [(LEAP, 972.0), (LEAP + HOUR, 973.0), (LEAP + 3 * HOUR, 975.0)])


async def test_a_suspect_step_is_accepted_undone_and_found_again(house: CorrectedHouse) -> None:
    await leapt(house)
    assert await house.kwh("grid", T0, T0 + 4 * DAY) == 75
    [finding] = await house.found()
    assert (finding["cause"], finding["kwh"], finding["status"]) == ("suspect", "800.000000", "open")
    assert [type(event) for event in house.told] == [FindingOpened]
    done = (await house.ask("POST", f"/findings/{finding['id']}/accept", {})).data
    assert (done["finding"]["status"], done["finding"]["closed_by"]) == ("closed", "owner")
    assert await house.kwh("grid", T0, T0 + 4 * DAY) == 875
    assert [type(event) for event in house.told[1:]] == [CorrectionApplied, FindingClosed]
    undo = f"/corrections/{done['correction']}/undo"
    shown = (await house.ask("POST", undo, {"reason": "no"}, dry_run="true")).data
    assert shown["findings"] == {"close": [], "open": [finding["text"]]}
    await house.ask("POST", undo, {"reason": "no"})
    assert await house.kwh("grid", T0, T0 + 4 * DAY) == 75
    [again] = await house.found(status="open")
    assert again["id"] == finding["id"]


async def test_what_accepting_would_do_is_shown_first(house: CorrectedHouse) -> None:
    await leapt(house)
    [finding] = await house.found()
    effect = (await house.ask("POST", f"/findings/{finding['id']}/accept", {}, dry_run="true")).data["effect"]
    assert effect["findings"] == {"close": [finding["id"]], "open": []}
    assert [each["after_kwh"] for each in effect["meter_points"] if each["meter_point"] == "grid"] != []
    assert (await house.get(f"/findings/{finding['id']}"))["status"] == "open"


async def test_dismissed_it_stays_dismissed_until_reopened(house: CorrectedHouse) -> None:
    await leapt(house)
    [finding] = await house.found()
    path = f"/findings/{finding['id']}"
    with pytest.raises(Invalid, match="expected why"):
        await house.ask("POST", f"{path}/dismiss", {"reason": " "})
    await house.ask("POST", f"{path}/dismiss", {"reason": "we know"}, who=Person("anna", frozenset({"*"})))
    await house.store_all("grid", "energy_import", [(LEAP + 4 * HOUR, 976.0)])
    await house.ledger.findings.nightly()
    [same] = await house.found()
    assert (same["status"], same["closed_by"], same["reason"]) == ("dismissed", "anna", "we know")
    with pytest.raises(Conflict, match="dismissed already"):
        await house.ask("POST", f"{path}/accept", {})
    await house.ask("POST", f"{path}/reopen")
    assert [each["status"] for each in await house.found()] == ["open"]


async def test_nobody_hears_of_what_a_later_reading_explains_within_the_window(house: CorrectedHouse) -> None:
    await house.metered(every_ms=HOUR)
    now_ms = house.clock.now_ms()
    await house.store_all("grid", "energy_import", [(now_ms - MINUTE, 900_000.0)])
    [finding] = await house.found()
    assert (finding["cause"], finding["told"]) == ("suspect", None)
    await house.store_all("grid", "energy_import", [(now_ms, 172.5)])  # 900,000 was a spike
    [spike] = await house.found()
    assert (spike["cause"], spike["told"]) == ("spike", None)
    assert house.told == []
    await house.clock.advance(HOUR / 1000)  # type: ignore[attr-defined]
    await house.ledger.findings.catch_up()
    assert [type(event) for event in house.told] == [FindingOpened]


async def test_a_gap_proposes_what_was_a_week_or_a_day_before(house: CorrectedHouse) -> None:
    await house.point("plug", role="load", quantity="power")
    rows = [(T0 + n * 10 * MINUTE, 600.0) for n in range(3 * 144)]
    hole = T0 + 2 * DAY + 6 * HOUR, T0 + 2 * DAY + 12 * HOUR
    await house.store_all("plug", "power", [row for row in rows if not hole[0] < row[0] < hole[1]])
    [finding] = await house.found(cause="gap")
    assert finding["start"] == iso(hole[0] + HOUR)  # a value holds for the longest gap
    assert finding["kwh"] == "3.000000"
    await house.ask("POST", f"/findings/{finding['id']}/accept", {})
    assert await house.kwh("plug", T0 + 2 * DAY, T0 + 2 * DAY + 23 * HOUR) == 13.8
    assert await house.found(status="open") == []


async def test_a_fall_is_mended_by_the_swap_it_looks_like(house: CorrectedHouse) -> None:
    await house.metered(every_ms=HOUR)
    await house.store_all("grid", "energy_import", [(T0 + 3 * DAY + n * HOUR, 50.0 + n) for n in range(1, 6)])
    [finding] = await house.found()
    assert (finding["cause"], finding["proposal"]["closing"], finding["proposal"]["opening"]) == ("fall", "172", "51")
    await house.ask("POST", f"/findings/{finding['id']}/accept", {})
    assert await house.found(status="open") == []
    assert await house.kwh("grid", T0, T0 + 4 * DAY) == 72 + 4


async def test_ordinary_data_make_no_findings(house: CorrectedHouse) -> None:
    await house.metered()
    await house.metered("check", kw=2)
    await house.ledger.findings.nightly()
    assert await house.found() == []


async def test_children_above_their_parent_and_what_became_of_it(house: CorrectedHouse) -> None:
    await house.metered("house", every_ms=HOUR, role="custom")
    await house.metered("part", kw=2, every_ms=HOUR, role="custom", parent="house")
    [finding] = await house.found()
    assert (finding["cause"], finding["meter_point"], finding["kwh"]) == ("children_above_parent", "house", "72.000000")
    assert "and 2 more days" in finding["text"]
    await house.correct("interval-scale", meter_point="part", start=iso(T0 + DAY), end=iso(T0 + 2 * DAY), factor="0.4")
    [finding] = await house.found()
    assert finding["kwh"] == "48.000000"
    await house.correct("interval-scale", meter_point="part", start=iso(T0), end=iso(T0 + 3 * DAY), factor="0.4")
    assert await house.found(status="open") == []


async def test_what_was_said_right_before_a_crash_is_said_again(house: CorrectedHouse, storage_url: str, tmp_path: Path) -> None:
    await leapt(house)
    [finding] = await house.found()
    [opened] = house.told

    async def after_a_crash() -> list[Event]:
        async with CorrectedHouse(storage_url, tmp_path) as other:
            await other.ledger.findings.say_again()
            return other.told

    assert await after_a_crash() == [opened]
    await house.ask("POST", f"/findings/{finding['id']}/dismiss", {"reason": "we know"})
    assert await after_a_crash() == [FindingClosed(finding["id"], "suspect", "grid", "dismissed", "owner")] == house.told[1:]
    await house.ask("POST", f"/findings/{finding['id']}/reopen")
    await house.clock.advance(61)  # type: ignore[attr-defined]
    await house.ledger.findings.catch_up()
    assert await after_a_crash() == [], "by then everybody had written down what follows"
