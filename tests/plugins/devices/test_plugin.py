"""What the devices declare: sections as people write them, and tables that are what the migrations make."""

from __future__ import annotations

from typing import Any

import pytest
import voluptuous as vol
from sqlalchemy import inspect

from ohmstead.plugins.devices import tables
from ohmstead.plugins.devices.commands import Commands
from ohmstead.plugins.devices.plugin import DevicesPlugin
from tests.fakes.registered_house import RegisteredHouse


def section(house: RegisteredHouse, key: str) -> vol.Schema:
    declared = DevicesPlugin(house.devices, Commands(house.hub, house.devices)).ohmstead_sections(house.hub)
    return vol.Schema(next(each.schema for each in declared if each.key == key))


def test_sections_as_people_write_them(house: RegisteredHouse) -> None:
    devices = section(house, "devices")({"meter": {"offline_after": "15m", "tags": "grid", "ranges": {"power": [0, 9000]}, "metadata": {"a": 1}}})
    assert devices == {"meter": {"offline_after": 900.0, "tags": ["grid"], "ranges": {"power": (0.0, 9000.0)}, "metadata": {"a": 1}}}
    assert section(house, "registry")({}) == {"auto": True, "auto_limit": 1000, "secret_grace": 86_400.0}
    assert section(house, "registry")({"secret_max_age": "90d"})["secret_max_age"] == 90 * 86_400
    assert section(house, "locations")({"shed": {"parent": None, "area_m2": 12}}) == {"shed": {"parent": None, "area_m2": 12.0}}


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("devices", {"a b": {}}),
        ("devices", {"meter": {"offline_after": "soon"}}),
        ("devices", {"meter": {"offline_after": "0s"}}),
        ("devices", {"meter": {"model": "what the device says itself"}}),
        ("devices", {"meter": {"metadata": {"a": object()}}}),
        ("registry", {"auto_limit": -1}),
        ("registry", {"secret_grace": "1000d"}),
        ("locations", {"shed": {"time_zone": "Mars"}}),
    ],
)
def test_mistakes(house: RegisteredHouse, key: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(vol.Invalid):
        section(house, key)(wrong)


async def test_the_migrations_make_the_tables(house: RegisteredHouse) -> None:
    async with house.storage.read() as connection:
        for table in tables.metadata.sorted_tables:
            made = await connection.run_sync(lambda sync, name=table.name: inspect(sync).get_columns(name))
            assert {column["name"]: column["nullable"] for column in made} == {column.name: column.nullable for column in table.columns}
