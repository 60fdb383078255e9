"""Secrets: shown once, kept as keyed hashes, replaced with a time of grace."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from ohmstead.core.clock import ManualClock
from ohmstead.core.errors import ConfigError, Conflict, Forbidden, NotFound
from ohmstead.core.model import DeviceStatus, Person
from ohmstead.plugins.devices import tables
from ohmstead.plugins.devices.configured import Configured, apply
from ohmstead.plugins.devices.secrets import Secrets
from tests.fakes.registered_house import RegisteredHouse

DAY = 86_400


async def make(house: RegisteredHouse, device: str = "plug") -> str:
    return (await house.ask("POST", "/devices", {"id": device})).data["secret"]


def as_device(device: str) -> Person:
    return Person(device, frozenset({"ingest"}), device)


async def test_a_secret_is_256_bits_shown_once_and_stored_as_a_keyed_hash(house: RegisteredHouse) -> None:
    reply = await house.ask("POST", "/devices", {"id": "plug", "name": "Plug"})
    secret = reply.data["secret"]
    assert (reply.status, len(secret)) == (201, 43)
    assert "secret" not in await house.get("/devices/plug")
    async with house.storage.read() as connection:
        row = (await connection.execute(select(tables.secrets))).mappings().one()
    assert secret not in str(dict(row))
    key = house.hub.data_dir / "secret_key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert house.devices.verify("plug", secret)
    assert not house.devices.verify("plug", secret[:-1])
    assert not house.devices.verify("other", secret)
    assert not house.devices.verify("plug", "")
    assert not house.devices.verify("plug", "\udcff")


async def test_secrets_survive_a_restart_but_not_the_device(house: RegisteredHouse, storage_url: str, tmp_path: Path) -> None:
    secret = await make(house)
    async with RegisteredHouse(storage_url, tmp_path) as other:
        assert other.devices.verify("plug", secret)
    await house.ask("DELETE", "/devices/plug")
    await make(house)
    assert not house.devices.verify("plug", secret)
    async with RegisteredHouse(storage_url, tmp_path) as other:
        assert not other.devices.verify("plug", secret)


async def test_the_old_one_works_for_the_grace(house: RegisteredHouse) -> None:
    old = await make(house)
    new = (await house.ask("POST", "/devices/plug/secret")).data["secret"]
    assert house.devices.verify("plug", old)
    assert house.devices.verify("plug", new)
    house.clock.set(house.clock.now_ms() + DAY * 1000)
    assert not house.devices.verify("plug", old)
    assert house.devices.verify("plug", new)


async def test_a_stolen_one_ends_at_once_when_asked(house: RegisteredHouse) -> None:
    old = await make(house)
    new = (await house.ask("POST", "/devices/plug/secret", grace="0s")).data["secret"]
    assert not house.devices.verify("plug", old)
    assert house.devices.verify("plug", new)


async def test_a_decommissioned_device_signs_in_no_more(house: RegisteredHouse) -> None:
    secret = await make(house)
    house.devices.decide(house.devices.entry("plug"), DeviceStatus.DECOMMISSIONED, "sold")
    assert not house.devices.verify("plug", secret)


async def test_at_its_greatest_age_a_device_fetches_a_new_one_with_the_old_one(house: RegisteredHouse) -> None:
    first = await make(house)
    with pytest.raises(Forbidden, match="no greatest age"):
        await house.ask("POST", "/devices/plug/secret", who=as_device("plug"), headers={"x-device-secret": first})
    await apply(house.devices, Configured(registry={"secret_max_age": 90 * DAY, "secret_grace": DAY}))
    house.clock.set(house.clock.now_ms() + int(90.5 * DAY) * 1000)
    lost = (await house.ask("POST", "/devices/plug/secret", who=as_device("plug"), headers={"x-device-secret": first})).data
    again = (await house.ask("POST", "/devices/plug/secret", who=as_device("plug"), headers={"x-device-secret": first})).data
    assert not house.devices.verify("plug", lost["secret"])  # its answer was lost on the way: nobody needs it
    assert house.devices.verify("plug", again["secret"])
    assert house.devices.verify("plug", first)
    assert again["expires"] is not None
    house.clock.set(house.clock.now_ms() + DAY * 1000)
    assert not house.devices.verify("plug", first)
    house.clock.set(house.clock.now_ms() + 91 * DAY * 1000)
    assert not house.devices.verify("plug", again["secret"])


async def test_one_device_has_no_business_with_anothers_secret(house: RegisteredHouse) -> None:
    await make(house)
    for who in (as_device("other"), Person("ingest", frozenset({"ingest"}))):
        with pytest.raises(Forbidden, match="only the owner or the device itself"):
            await house.ask("POST", "/devices/plug/secret", who=who)
    with pytest.raises(NotFound):
        await house.ask("POST", "/devices/nobody/secret")


async def test_a_device_that_asks_over_and_over_keeps_few(house: RegisteredHouse) -> None:
    await make(house)
    for _ in range(20):
        await house.ask("POST", "/devices/plug/secret")
    assert len(house.devices.secrets.of("plug")) == 4


async def test_a_taken_id_is_a_conflict(house: RegisteredHouse) -> None:
    secret = await make(house)
    with pytest.raises(Conflict, match="exists already"):
        await make(house)
    assert house.devices.verify("plug", secret)


def test_a_broken_key_file_is_the_owners_to_mend(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("nonsense")
    with pytest.raises(ConfigError, match="restore it from a backup"):
        Secrets(ManualClock()).open(tmp_path / "secret_key", [])


def test_signing_in_costs_microseconds(tmp_path: Path) -> None:
    secrets = Secrets(ManualClock())
    secrets.open(tmp_path / "secret_key", [])
    clear, kept = secrets.rotated("plug")
    secrets.put("plug", kept)
    began = time.thread_time()
    for _ in range(1000):
        secrets.verify("plug", clear)
    assert (time.thread_time() - began) / 1000 < 0.0005
