"""People from the YAML: who is told, and mistakes that repeat no address."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ohmstead.config.examine import problems
from ohmstead.config.house import House
from ohmstead.core.errors import ConfigError, Invalid, NotFound, Unsupported
from ohmstead.plugins.people.address import is_address, scheme, shown
from ohmstead.plugins.people.vault import Vault
from tests.fakes.telling_house import TellingHouse

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


GOOD = [
    "tgram://123456789:AAabcdefghijklmnopqrstuvwxyzabcdefg/12315544", "whatsapp://EAABsbCS1iHgBA@613123456789012/18005551223",
    "twilio://AC735c307c62944b5a:e29dfbcebf390dee9@12345678901/15559876543",
    "vonage://abc12345:ABCdef1234567890@15551234567/15559876543", "sns://AHIAJGNT76XIMXDBIJYA/bu1dHSdO22pfaaVy/us-east-2/+15559876543",
    "clicksend://user:pass@15559876543", "bulksms://user:pass@15559876543", "d7sms://token@15559876543", "seven://abcd/15559876543",
    "burstsms://apikey:secret@15551234567/15559876543", "smseagle://abcdef123@127.0.0.1/15559876543",
    "signal://127.0.0.1:8080/+15551112222/+15553334444", "matrix://user:pass@matrix.example.org/#room",
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general", "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "ntfy://mytopic", "gotify://gotify.example.org/ABCDEFGHIJKLMNO", "fcm://apikey1234567890/devicetoken",
    "pover://user_key12345678901234567890123@token123456789012345678901234567", "mailtos://u:p@example.org",
    "https://hooks.example.org/x?token=1", "json://localhost",
]  # fmt: skip
WRONG = {
    "tgram://s3cret": "tgram://•••: this is no URL of Telegram; it looks like tgram://{bot_token}/{targets}",
    "twilio://AC1@s3cret": "Twilio", "whatsapp://s3cret": "WhatsApp", "slack://s3cret": "Slack",
    "signal://s3cret": "Signal", "mailto://s3cret:s3cret@": "URL of a mail account", "telegram://s3cret/1": "telegram:// is no service Apprise knows",
    "twillio://s3cret": 'Did you mean "twilio"', "vonage://a@s3cret": "Vonage",
}  # fmt: skip


def test_the_urls_of_services_are_checked(tmp_path: Path) -> None:
    (tmp_path / "configuration.yaml").write_text(f"people: {{owner: {{notify: {json.dumps(GOOD)}}}}}\n")
    assert problems(tmp_path).problems == []
    (tmp_path / "configuration.yaml").write_text(f"people:\n  owner:\n    notify: {json.dumps([*WRONG, *GOOD])}\n")
    lines = [str(problem) for problem in problems(tmp_path).problems]
    assert len(lines) == len(WRONG)
    for said in WRONG.values():
        assert any("configuration.yaml:3  people → owner → notify: " in line and said in line for line in lines), (said, lines)
    assert "s3cret" not in str(lines)
    (tmp_path / "configuration.yaml").write_text('notifications: {email: "mailtos://s3cret:s3cret@"}\n')
    [line] = [str(problem) for problem in problems(tmp_path).problems]
    assert ("notifications → email: mailtos://•••: this is no URL" in line, "s3cret" in line) == (True, False)
