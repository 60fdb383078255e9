"""People from the YAML: who is told, and mistakes that repeat no address."""

from __future__ import annotations

from pathlib import Path

import pytest

from ohmstead.config.examine import problems
from ohmstead.config.house import House
from ohmstead.core.errors import ConfigError, Invalid, NotFound, Unsupported
from ohmstead.plugins.people.address import is_address, scheme, shown
from ohmstead.plugins.people.vault import Vault
from tests.fakes.databases import postgres, postgres_url, sqlite_url, storage_url
from tests.fakes.telling_house import TellingHouse

__all__ = ["postgres", "postgres_url", "sqlite_url", "storage_url"]

PEOPLE = {
    "owner": {"name": "Sam", "notify": "tgram://s3cret/1"},
    "kim": {"roles": ["manager", "technician"], "notify": {"report": ["kim@house.test"], "alert": "json://x"}},
    "lee": {"roles": "manager", "time_zone": "Asia/Kathmandu"},
}


async def test_who_is_told(sqlite_url: str, tmp_path: Path) -> None:
    async with TellingHouse(sqlite_url, tmp_path, PEOPLE, zone="Europe/Berlin") as house:
        people = house.people
        assert [who.id for who in people] == ["kim", "lee", "owner"]
        assert [who.id for who in people.resolve("manager")] == ["kim", "lee"]
        [kim] = people.resolve("kim")
        assert (kim.addresses("report"), kim.addresses("alert"), kim.addresses("system")) == (("kim@house.test",), ("json://x",), ())
        assert (people.person("owner").zone.key, people.person("lee").zone.key) == ("Europe/Berlin", "Asia/Kathmandu")
        [plain] = people.resolve("anna@house.test")
        assert (plain.person, plain.id, plain.addresses("alert")) == (None, "•••@house.test", ("anna@house.test",))
        with pytest.raises(Invalid, match='Did you mean "manager"'):
            people.resolve("manger")
        with pytest.raises(NotFound):
            people.person("anna")


async def test_there_is_always_an_owner(sqlite_url: str, tmp_path: Path) -> None:
    async with TellingHouse(sqlite_url, tmp_path) as house:
        assert [who.name for who in house.people.resolve("owner")] == ["Owner"]


def test_addresses() -> None:
    assert [scheme(each) for each in ("a@b.c", "TGRAM://x", "mailtos://u:p@h")] == ["mailto", "tgram", "mailtos"]
    assert [shown(each) for each in ("a@b.c", "tgram://x/y", "mailtos://u:p@h")] == ["•••@b.c", "tgram://•••", "mailtos://•••"]
    assert not any(map(is_address, ("", "sam", "a@", "@b", "a b@c", "tgram://", "tgram://x y", "x" * 3000 + "@b.c", "<a@b.c>", "a@b.c,d@e.f")))


def test_the_vault(tmp_path: Path) -> None:
    vault, other = Vault(), Vault()
    vault.open(tmp_path / "key")
    other.open(tmp_path / "other")
    assert vault.unseal(vault.seal("ü")) == "ü"
    assert vault.seal("a") != vault.seal("a")
    with pytest.raises(Unsupported):
        other.unseal(vault.seal("a"))
    assert vault.verified(vault.signed("a-b")) == "a-b"
    assert other.verified(vault.signed("a-b")) is None
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0


async def test_plain_addresses_need_an_account(tmp_path: Path) -> None:
    (tmp_path / "configuration.yaml").write_text('people: {kim: {notify: kim@house.test}}\n')
    house = House(tmp_path, {})
    try:
        with pytest.raises(ConfigError, match="notifications → email: is missing: people → kim has a plain e-mail address"):
            await house.open()
    finally:
        await house.stop()


def test_mistakes_are_told_without_addresses(tmp_path: Path) -> None:
    (tmp_path / "configuration.yaml").write_text("""
people:
  owner: {notify: ["tgram//s3cret", "ok@house.test"], quiet_hours: "22-7", digest: hourly}
  kim: {notfy: x, notify: {alrt: "json://s3cret"}}
notifications: {email: "smtp://s3cret", rate_limit: 0}
""")
    lines = [str(problem) for problem in problems(tmp_path).problems]
    assert len(lines) == 7
    assert not any("s3cret" in line for line in lines), lines
    assert any("people → kim → notfy: unknown option. Did you mean" in line for line in lines)
