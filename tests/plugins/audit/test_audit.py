"""One chain, whichever way entries come in; what is tampered with is found and named."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ohmstead.core.errors import ConfigError, Unavailable
from ohmstead.core.events import AccessDenied, CommandBegun, CommandDone, DeadLettered, OperationDone
from ohmstead.core.model import Device, DeviceStatus
from ohmstead.plugins.audit import segments
from ohmstead.plugins.audit.audit import Audit
from ohmstead.plugins.audit.entry import Entry
from tests.fakes.audited_house import AuditedHouse

DAY_MS = 86_400_000


async def fill(house: AuditedHouse, count: int = 6) -> None:
    for number in range(count):
        house.audit.note("test.thing", subject=f"s{number}", who="owner", data={"number": number}, personal={"address": f"192.0.2.{number}"})
    await house.audit.flush()


async def verdict(house: AuditedHouse) -> dict[str, Any]:
    found: dict[str, Any] = await house.get("/audit/verify")
    return found


async def test_what_devices_do_is_chained(house: AuditedHouse) -> None:
    house.start()
    entry = house.devices.add(Device("D1", "Bulb"))
    await house.store("D1", "power", 5.0)
    house.devices.decide(entry, DeviceStatus.MAINTENANCE, "a new bulb")
    await house.devices.saved()
    assert await house.types(device="D1") == ["device.added", "device.online", "device.maintenance_on"]
    assert (await verdict(house))["ok"]
    [newest] = await house.get("/audit", device="D1", limit=1)
    assert (newest["subject"], newest["data"]) == ("D1", {"old": "online", "reason": "a new bulb"})


async def test_what_is_written_of_a_device_has_its_entry_at_once_and_once(house: AuditedHouse) -> None:
    async def there() -> list[str]:
        return [entry["type"] for entry in reversed(await house.audit.search.find({"device": "D1"}, None, 10))]  # nothing is flushed

    house.start()
    entry = house.devices.add(Device("D1", "Bulb"))
    await house.devices.saved()
    assert await there() == ["device.added"]
    await house.store("D1", "power", 5.0)  # together with the reading
    assert await there() == ["device.added", "device.online"]
    house.devices.journal.note("device", "D1")
    await house.devices.saved()
    assert await there() == ["device.added", "device.online"], "the same again is nothing"
    house.devices.update(entry, replace(entry.device, name="Lamp"))
    house.devices.remove("D1")
    await house.devices.saved()
    assert await there() == ["device.added", "device.online", "device.removed"], "nobody wrote that it was changed"
    house.devices.add(Device("D1", "Bulb"))
    await house.devices.saved()
    house.devices.update(house.devices.entry("D1"), replace(entry.device, name="Lamp"))
    await house.devices.saved()
    assert (await there())[3:] == ["device.added", "device.changed"]


async def test_a_command_is_entered_when_it_begins_and_when_it_is_over(house: AuditedHouse) -> None:
    house.start()
    house.bus.publish(CommandBegun("D1", "switch", None, "on", "sam"))
    assert await house.types(type="command.*") == ["command.begun"]
    house.bus.publish(CommandDone("D1", "switch", None, "on", "sam", "acknowledged", "", 12))
    assert await house.types(type="command.*", person="sam", device="D1") == ["command.begun", "command.acknowledged"]


class LosesAnswers:
    """A storage that commits, and of whose first commits nobody hears."""

    def __init__(self, storage: Any) -> None:
        self._storage, self.tenant_id, self.bulk, self.read = storage, storage.tenant_id, storage.bulk, storage.read
        self.snapshot = storage.snapshot
        self.lost = 1

    async def write(self, work: Any, within_s: float = 60.0) -> Any:
        result = await self._storage.write(work, within_s)
        if self.lost:
            self.lost -= 1
            raise Unavailable("the connection broke")
        return result


async def test_a_commit_nobody_heard_of_enters_nothing_twice(house: AuditedHouse, tmp_path: Path) -> None:
    audit = Audit(LosesAnswers(house.storage), house.clock, house.hub.data_dir)  # type: ignore[arg-type]
    await audit.open()
    for number in range(3):
        audit.note("test.thing", subject=f"s{number}", personal={"address": "192.0.2.1"})
    with pytest.raises(Unavailable):
        await audit.flush()
    audit.note("test.thing", subject="s3")
    await audit.flush()
    assert [entry["subject"] for entry in reversed(await audit.search.find({"type": "test.thing"}, None, 10))] == ["s0", "s1", "s2", "s3"]
    assert (await audit.verify()).ok


async def test_what_is_done_over_the_api_is_entered_with_what_it_writes(house: AuditedHouse) -> None:
    house.start()
    done = OperationDone("sam", "PUT /api/v1/devices/{id}", {"id": "D1"}, 200, "192.0.2.1")

    async def there() -> list[tuple[str, str]]:
        found = await house.audit.search.find({"person": "sam"}, None, 10)
        return [(entry["type"], entry["subject"]) for entry in found]

    async def nothing(tx: Any) -> None:
        """Write nothing."""

    async def fail(tx: Any) -> None:
        raise ConfigError("not after all")

    with house.audit.operations.during(done):
        with pytest.raises(ConfigError):
            await house.storage.write(fail)
        assert await there() == []
        await asyncio.gather(house.storage.write(nothing), house.storage.write(nothing))
        assert await there() == [("config.changed", "D1")]
        house.bus.publish(done)
        later = asyncio.create_task(house.storage.write(nothing))
    await later
    await house.audit.flush()
    assert await there() == [("config.changed", "D1")], "once"
    with house.audit.operations.during(done):
        house.bus.publish(done)
        left = asyncio.Event()
        later = asyncio.create_task(writes_after(house, left, nothing))
    left.set()
    await later
    await house.audit.flush()
    assert await there() == [("config.changed", "D1")] * 2, "what writes nothing is entered a moment later"


async def writes_after(house: AuditedHouse, left: asyncio.Event, work: Any) -> None:
    await left.wait()
    await house.storage.write(work)


async def test_a_changed_entry_is_named(house: AuditedHouse) -> None:
    await fill(house)
    row = (await house.audit.search.find({"subject": "s2"}, None, 1))[0]
    hashes = {"other": bytes(32), "hash": bytes.fromhex(row["hash"])}

    async def change_one(to: str) -> None:
        values = {name: value for name, value in hashes.items() if f":{name}" in to}
        assert await house.tamper(f"UPDATE audit_entries SET {to} WHERE number = 4", **values) == 1

    for change, undo in {
        "type = 'test.other'": "type = 'test.thing'", "data = '{}'": 'data = \'{"number"\\:2}\'', "at_ms = at_ms + 1": "at_ms = at_ms - 1",
        "who = NULL": "who = 'owner'", "subject = 's9'": "subject = 's2'", "hash = :other": "hash = :hash", "personal = NULL": "who = who",
    }.items():  # fmt: skip
        await change_one(change)
        found = await verdict(house)
        assert (found["ok"], found["broken"], found["checked"]) == (False, 4, 3), change
        await change_one(undo)


async def test_a_missing_entry_is_named(house: AuditedHouse) -> None:
    await fill(house)
    for number in (7, 4, 1):
        await house.tamper("DELETE FROM audit_entries WHERE number = :number", number=number)
        found = await verdict(house)
        assert (found["ok"], found["broken"]) == (False, number)


async def test_two_entries_that_changed_places_are_named(house: AuditedHouse) -> None:
    await fill(house)
    for number, other in ((5, 0), (3, 5), (0, 3)):
        await house.tamper("UPDATE audit_entries SET number = :other WHERE number = :number", number=number, other=other)
    found = await verdict(house)
    assert (found["ok"], found["broken"], found["checked"]) == (False, 3, 2)


async def test_a_chain_forged_without_the_key_is_found(house: AuditedHouse) -> None:
    await fill(house, 3)
    await house.tamper("DELETE FROM audit_entries WHERE number = 4")
    row = (await house.audit.search.find({}, None, 1))[0]
    await house.tamper("UPDATE audit_head SET number = 3, hash = :hash", hash=bytes.fromhex(row["hash"]))
    found = await verdict(house)
    assert (found["ok"], found["broken"], "seal" in found["why"]) == (False, 3, True)
    await fill(house, 1)  # going on does not make it good
    found = await verdict(house)
    assert (found["ok"], found["broken"]) == (False, 4)
    assert "audit.seal_broken" in await house.types()


async def test_a_log_thrown_away_begins_anew_and_shows_it(house: AuditedHouse) -> None:
    await fill(house)
    await house.tamper("DELETE FROM audit_head")
    assert not (await verdict(house))["ok"]
    await house.tamper("DELETE FROM audit_entries")
    await fill(house, 1)
    assert await house.types() == ["audit.began", "test.thing"]


async def test_both_ways_in_form_one_chain(house: AuditedHouse) -> None:
    async def change(number: int) -> None:
        async def write(tx: Any) -> None:
            await house.audit.enter(tx, Entry("test.entered", f"e{number}"))
            await asyncio.sleep(0)
            await house.audit.enter(tx, Entry("test.entered", f"f{number}"))

        await house.storage.write(write)

    house.start()
    for number in range(20):
        house.audit.note("test.noted", subject=f"n{number}")
        if number % 5 == 0:
            await change(number)
    await asyncio.gather(*(change(number) for number in range(5)))
    found = await verdict(house)
    assert (found["ok"], found["checked"]) == (True, 1 + 1 + 20 + 8 + 10)
    subjects = [entry["subject"] for entry in reversed(await house.walk("/audit", type="test.noted", limit=7))]
    assert subjects == [f"n{number}" for number in range(20)]


async def test_an_entry_shares_the_fate_of_its_transaction(house: AuditedHouse) -> None:
    async def fail(tx: Any) -> None:
        await house.audit.enter(tx, Entry("test.entered"))
        raise ConfigError("not after all")

    with pytest.raises(ConfigError):
        await house.storage.write(fail)
    await fill(house, 1)
    assert await house.types() == ["audit.began", "test.thing"]
    assert (await verdict(house))["ok"]


async def test_a_flood_is_counted(house: AuditedHouse) -> None:
    house.start()
    for number in range(10_000):
        house.bus.publish(AccessDenied(None, "D1", "POST /api/v1/telemetry", "ingest", "wrong", f"192.0.2.{number % 200}"))
        house.bus.publish(DeadLettered("MQTT", "no JSON", 1))
    assert await house.types(type="auth.*") == ["auth.failed_device"]
    await house.clock.advance(100)
    await house.audit.flush()
    found = await house.get("/audit", type="auth.failed_device")
    assert [entry["data"].get("count") for entry in found] == [9_999, None]
    assert await house.types(type="ingest.*") == ["ingest.rejected_schema"] * 2
    await house.clock.advance(600)
    assert len(await house.types(type="auth.*")) == 2


async def test_strangers_who_make_up_names_are_counted_together(house: AuditedHouse) -> None:
    house.start()
    for number in range(3_000):
        house.bus.publish(AccessDenied(None, f"D{number}", "POST /api/v1/telemetry", "ingest", "wrong", ""))
    await house.audit.flush()
    await house.clock.advance(100)
    await house.audit.flush()
    assert len(await house.walk("/audit", type="auth.*", limit=500)) == 1002
    assert (await house.get("/audit", type="auth.*", limit=1))[0]["data"]["count"] == 1999


async def test_personal_data_can_be_deleted(house: AuditedHouse) -> None:
    await fill(house, 3)
    house.audit.note("test.named", who="Sam from next door")
    await house.audit.flush()
    [named] = await house.get("/audit", type="test.named")
    assert (named["who"], named["personal"]) == (None, {"name": "Sam from next door"})
    done = (await house.ask("DELETE", "/audit/personal/owner")).data
    assert done == {"who": "owner", "forgotten": 3}
    assert {entry["personal"] and entry["personal"].get("address") for entry in await house.get("/audit")} == {None}
    assert (await verdict(house))["ok"]


async def test_personal_data_cannot_be_changed(house: AuditedHouse) -> None:
    await fill(house, 3)
    await house.tamper("UPDATE audit_personal SET data = '{}' WHERE data LIKE '%.1\"%'")
    assert (await verdict(house))["broken"] == 3


async def test_pruning_leaves_a_checkpoint(house: AuditedHouse) -> None:
    await fill(house, 5)
    await house.clock.advance(10 * 86_400)
    await fill(house, 2)
    before = (await verdict(house))["head"]
    await house.plugin.apply({"keep": 9 * 86_400.0})
    assert await house.plugin.prune() == 6
    await house.audit.flush()
    found = await verdict(house)
    assert (found["ok"], found["archived"], found["checked"], list(found["files_missing"])) == (True, 6, 3, [])
    assert next(entry["hash"] for entry in await house.get("/audit", type="test.*")) == before
    [file] = house.audit.archive.iterdir()
    assert [link.type for link, _ in segments.read(file)] == ["audit.began"] + ["test.thing"] * 5
    assert await house.plugin.prune() == 0
    moved = file.rename(file.with_suffix(".away"))
    found = await verdict(house)
    assert (found["ok"], list(found["files_missing"])) == (True, [file.name])
    file.write_bytes(moved.read_bytes() + b" ")
    assert (await verdict(house))["broken"] == 1


@pytest.mark.parametrize("sql", [
    "UPDATE audit_checkpoints SET hash = (SELECT hash FROM audit_entries WHERE number = 8), number = 8",
    "DELETE FROM audit_checkpoints",
    "UPDATE audit_checkpoints SET digest = '00'",
])  # fmt: skip
async def test_a_checkpoint_cannot_be_forged(house: AuditedHouse, sql: str) -> None:
    await fill(house, 5)
    await house.clock.advance(10 * 86_400)
    await fill(house, 3)
    await house.audit.prune(house.clock.now_ms() - DAY_MS)
    await house.tamper(sql)
    assert (await verdict(house))["broken"] == 1


async def test_a_broken_chain_is_not_pruned(house: AuditedHouse) -> None:
    await fill(house)
    await house.tamper("UPDATE audit_entries SET data = '{}' WHERE number = 3")
    await house.clock.advance(86_400)
    with pytest.raises(ConfigError, match="entry 3"):
        await house.audit.prune(house.clock.now_ms())
    assert len(await house.types()) == 7


async def test_more_than_may_wait_is_counted(house: AuditedHouse) -> None:
    audit = house.audit
    for number in range(20_050):
        audit.note("test.thing", data={"number": number})
    await audit.flush()
    found = await verdict(house)
    assert (found["ok"], found["checked"]) == (True, 20_002)
    assert (await house.get("/audit", type="audit.lost"))[0]["data"] == {"count": 50}


async def test_filters_and_pages(house: AuditedHouse) -> None:
    await fill(house, 5)
    at = house.clock.now().isoformat()
    await house.clock.advance(3600)
    house.audit.note("other.thing", device="D1", who="sam")
    await house.audit.flush()
    assert [entry["number"] for entry in await house.walk("/audit", limit=2)] == [7, 6, 5, 4, 3, 2, 1]
    assert len(await house.walk("/audit", type="test.*")) == 5
    assert len(await house.walk("/audit", person="sam")) == len(await house.walk("/audit", device="D1")) == 1
    assert len(await house.walk("/audit", start=at)) == 7
    assert [entry["subject"] for entry in await house.walk("/audit", subject="s2")] == ["s2"]
    assert await house.walk("/audit", end=at) == []
    assert await house.walk("/audit", type="%*") == []


async def test_odd_texts(house: AuditedHouse) -> None:
    house.audit.note("test.odd", subject="a\0b\ud800", data={"k\0": "\ud800", "f": float("nan"), "big": "x" * 20_000}, personal={"n": "\0"})
    house.audit.note("test.odd", data={"list": ["\0", 1, None, {"a": "ü"}], "who": "Zoë"})
    await house.audit.flush()
    assert (await verdict(house))["ok"]


async def test_a_file_that_is_no_key_is_said(house: AuditedHouse, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "audit_key").write_text("no key")
    with pytest.raises(ConfigError, match=re.escape(str(tmp_path / "other" / "audit_key"))):
        await Audit(house.storage, house.clock, tmp_path / "other").open()
