"""Web push, the services Apprise knows, messages in the app, and channels of foreign plugins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.notice import Attachment
from tests.fakes.http_sink import HttpSink
from tests.fakes.push_browser import PushBrowser, claims
from tests.fakes.telling_house import TellingHouse


async def test_a_browser_that_subscribed_can_read_what_it_is_sent(storage_url: str, tmp_path: Path, hook: HttpSink) -> None:
    browser = PushBrowser(hook.url)
    hook.status = 201
    async with TellingHouse(storage_url, tmp_path, section={"push_contact": "mailto:sam@house.test"}) as house:
        public = (await house.call("GET", "/notifications/push/key"))["key"]
        added = await house.call("POST", "/notifications/push", body={"person": "owner", "expirationTime": None, **browser.subscription})
        assert added == await house.call("POST", "/notifications/push", body=browser.subscription)
        await house.tell("Grid lost", body="ü" * 3000, severity="critical", link="https://hub.example.org/")
        await house.deliver()
        [row] = await house.log()
        [sent] = hook.taken
        found = browser.read(sent.body)
        assert (found["title"], found["body"], found["id"]) == ("Grid lost", "ü" * 1000, row["id"])
        assert len(sent.body) <= 4096
        assert (sent.headers["urgency"], sent.headers["ttl"], sent.headers["topic"]) == ("high", "86400", row["id"])
        said = claims(sent.headers["authorization"], public)
        assert (said["aud"], said["sub"]) == (f"http://127.0.0.1:{hook.port}", "mailto:sam@house.test")
        [listed] = await house.call("GET", "/notifications/push")
        assert (listed["person"], listed["service"]) == ("owner", "http://•••")
        hook.status = 410
        await house.tell("still there?")
        await house.deliver()
        assert [row["answer"] for row in await house.log(status="bounced")] == ["the browser is not subscribed any more"]
        assert await house.call("GET", "/notifications/push") == []
        with pytest.raises(NotFound):
            await house.call("DELETE", f"/notifications/push/{added['id']}")
    assert (tmp_path / "data" / "vapid.pem").stat().st_mode & 0o077 == 0


async def test_subscriptions_that_are_none(sqlite_url: str, tmp_path: Path) -> None:
    good = PushBrowser("https://push.example.org/1").subscription
    async with TellingHouse(sqlite_url, tmp_path) as house:
        for wrong in ({}, {**good, "endpoint": "ftp://x"}, {**good, "keys": {}}, {**good, "keys": {"p256dh": "!", "auth": "x"}},
                      {**good, "keys": {"p256dh": "A" * 20, "auth": "A" * 20}}):
            with pytest.raises(Invalid):
                await house.call("POST", "/notifications/push", body=wrong)
        with pytest.raises(NotFound):
            await house.call("POST", "/notifications/push", body={**good, "person": "nobody"})
        for number in range(20):
            await house.call("POST", "/notifications/push", body=PushBrowser(f"https://push.example.org/{number}").subscription)
        with pytest.raises(Conflict):
            await house.call("POST", "/notifications/push", body=PushBrowser("https://push.example.org/20").subscription)


async def test_services_by_the_urls_of_apprise(sqlite_url: str, tmp_path: Path, hook: HttpSink) -> None:
    address = f"json://127.0.0.1:{hook.port}/s3cret"
    async with TellingHouse(sqlite_url, tmp_path, {"owner": {"notify": [address, "nosuch://x"]}}) as house:
        await house.tell("Car is full", body="60 kWh", facts={"Cost": "12.30 €"}, severity="high",
                         attachments=(Attachment("bill.csv", "text/csv", b"a;b\n"),))
        await house.deliver()
        json_row, other = sorted(await house.log(), key=lambda row: row["status"], reverse=True)
        said = json.loads(hook.taken[0].body)
        assert (said["title"], said["message"]) == ("Car is full", "60 kWh\n\nCost: 12.30 €")
        assert said["attachments"][0]["filename"] == "bill.csv"
        assert (json_row["channel"], json_row["status"], json_row["answer"]) == ("apprise", "sent", "JSON took it")
        assert (other["status"], "no service Apprise knows" in other["answer"]) == ("bounced", True)
        hook.status = 500
        await house.tell("Car is empty")
        await house.deliver()
        [row] = await house.log(status="pending")
        assert (row["attempts"], row["answer"], row["repeated"]) == (1, "JSON did not take it (failure)", False)
        hook.status, hook.headers = 302, {"Location": f"http://127.0.0.1:{hook.port}/elsewhere"}
        await house.clock.advance(6)
        await house.deliver()
        assert "/elsewhere" not in [each.path for each in hook.seen]


async def test_messages_in_the_app(storage_url: str, tmp_path: Path) -> None:
    async with TellingHouse(storage_url, tmp_path, {"kim": {"roles": ["manager"]}}) as house:
        for number in range(3):
            await house.tell(f"number {number}", recipients=("owner", "manager", "kim"), facts={"a": "b"}, link="https://x.example/")
            await house.clock.advance(1)
            await house.deliver()
        assert sorted((each.kind, each.payload["person"]) for each in house.news) == [("NOTIFICATION", "kim")] * 3 + [("NOTIFICATION", "owner")] * 3
        mine = await house.call("GET", "/notifications", {"person": "kim"})
        assert [message["title"] for message in mine] == ["number 2", "number 1", "number 0"]
        assert mine[0]["facts"] == {"a": "b"}
        first = await house.reply("GET", "/notifications", {"limit": 4})
        rest = await house.reply("GET", "/notifications", {"limit": 4, "cursor": first.next_cursor})
        assert (len(first.data), len(rest.data), rest.next_cursor) == (4, 2, None)
        read = await house.call("POST", f"/notifications/{mine[0]['id']}/read")
        await house.clock.advance(60)
        assert (await house.call("POST", f"/notifications/{mine[0]['id']}/read"))["read"] == read["read"]
        assert await house.call("POST", "/notifications/read-all", {"person": "kim"}) == {"read": 2}
        assert len(await house.call("GET", "/notifications", {"unread": True})) == 3
        assert await house.call("POST", "/notifications/read-all") == {"read": 3}
        with pytest.raises(NotFound):
            await house.call("POST", "/notifications/none/read")
        with pytest.raises(Invalid):
            await house.call("GET", "/notifications", {"cursor": "yesterday"})


FOREIGN = """
from ohmstead.core.errors import Unavailable
from ohmstead.core.plugin import Channel, hookimpl
import threading

async def send(message, address):
    if message.title == "bug":
        raise KeyError(address)
    if message.title == "off":
        raise Unavailable("the siren is off")
    return f"{threading.current_thread().name}: {message.title}"

@hookimpl
def ohmstead_notifiers(hub):
    return Channel("siren", ("SCHEME",), send, "the siren on the roof")
"""


async def test_ohmstead_notifiers(sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "siren.py").write_text(FOREIGN.replace("SCHEME", "siren"))
    (plugins / "thief.py").write_text(FOREIGN.replace("SCHEME", "mailto"))
    async with TellingHouse(sqlite_url, tmp_path, {"owner": {"notify": "siren://roof-s3cret"}}) as house:
        house.hub.plugins.discover(plugins)
        house.notifiers.routing.gather(house.hub)
        thief = house.hub.plugins.get("thief")
        assert thief is not None
        assert thief.quarantined == "another channel takes mailto:// already"
        for title in ("wail", "off", "bug"):
            await house.tell(title)
        await house.deliver()
        rows = {row["title"]: (row["channel"], row["status"], row["answer"]) for row in await house.log()}
        await house.hub.second.stop()
    assert rows == {"wail": ("siren", "sent", "plugins: wail"), "off": ("siren", "pending", "the siren is off"),
                    "bug": ("siren", "pending", "siren failed with KeyError")}
    assert "s3cret" not in caplog.text
