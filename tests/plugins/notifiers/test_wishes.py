"""What people choose: preferences over the API, and the link that unsubscribes."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ohmstead.core.errors import Invalid, NotFound, RateLimited
from tests.fakes.http_sink import HttpSink
from tests.fakes.smtp_sink import SmtpSink
from tests.fakes.telling_house import TellingHouse

WHO = "/notifications/preferences/owner"


async def test_what_a_person_chose_wins_and_outlives_a_restart(storage_url: str, tmp_path: Path, hook: HttpSink, mail: SmtpSink) -> None:
    people = {"owner": {"notify": hook.url, "digest": "weekly", "quiet_hours": "12:00-13:00"}}
    async with TellingHouse(storage_url, tmp_path, people, {"email": mail.account}) as house:
        shown = await house.call("PUT", WHO, body={"digest": "off", "notify": {"alert": "sam@house.test", "report": []}})
        assert (shown["digest"], shown["quiet_hours"], shown["chosen"]) == ("off", "12:00-13:00", ["notify", "digest"])
        assert [(each["address"], each["kinds"]) for each in shown["notify"]] == [("•••@house.test", ["alert"])]
    async with TellingHouse(storage_url, tmp_path, people, {"email": mail.account}) as house:
        await house.tell("a", severity="low")
        await house.deliver()
        assert mail.mails[0]["To"] == "sam@house.test"
        [mine] = (await house.call("GET", "/notifications/preferences"))[0]["notify"]
        shown = await house.call("PUT", WHO, body={"notify": [mine["key"], "json://elsewhere"]})  # keep what one cannot read
        assert [each["address"] for each in shown["notify"]] == ["•••@house.test", "json://•••"]
        shown = await house.call("PUT", WHO, body={"notify": None, "digest": None})
        assert ([each["address"] for each in shown["notify"]], shown["digest"], shown["chosen"]) == (["http://•••"], "weekly", [])
        for wrong in ({"notify": "sam"}, {"digest": "hourly"}, {"quiet_hours": "late"}, {"time_zone": "Mars/Base"}, {"nmae": "x"},
                      {"notify": {"alarm": []}}):
            with pytest.raises(Invalid):
                await house.call("PUT", WHO, body=wrong)
        with pytest.raises(Invalid, match=r"^tgram://•••: this is no URL of Telegram; it looks like tgram://{bot_token}/{targets}, see "):
            await house.call("PUT", WHO, body={"notify": ["tgram://s3cret"]})
        with pytest.raises(NotFound):
            await house.call("PUT", "/notifications/preferences/kim", body={})
        assert "s3cret" not in json.dumps(await house.call("GET", "/notifications/preferences"))


async def test_the_link_that_unsubscribes(storage_url: str, tmp_path: Path, mail: SmtpSink) -> None:
    async with TellingHouse(storage_url, tmp_path, {"owner": {"notify": mail.url()}}) as house:
        house.notifiers.unsubscribe.external_url = "https://hub.example.org/"
        await house.tell("a")
        await house.deliver()
        link = mail.mails[0]["List-Unsubscribe"].strip("<>")
        assert mail.mails[0]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert link in mail.mails[0].get_body(("plain",)).get_content()
        path = urlsplit(link).path.removeprefix("/api/v1")
        asked = await house.reply("GET", path)
        assert "<button>Unsubscribe</button>" in asked.data
        await house.tell("looking changes nothing")
        await house.deliver()
        for _ in range(2):
            assert "no more messages of the kind <b>alert</b>" in (await house.reply("POST", path)).data
        await house.tell("unwanted", severity="critical")
        await house.tell("wanted", kind="report")
        await house.deliver()
        assert [letter["Subject"] for letter in mail.mails] == ["a", "looking changes nothing", "wanted"]
        [row] = await house.log(status="failed")
        assert row["answer"] == "unsubscribed from alert"
        [mine] = (await house.call("GET", "/notifications/preferences"))[0]["notify"]
        assert mine["unsubscribed"] == ["alert"]
        await house.call("POST", f"/notifications/addresses/{mine['key']}/resume", body={"kind": "alert"})
        await house.tell("wanted again")
        await house.deliver()
        assert mail.mails[-1]["Subject"] == "wanted again"


async def test_links_that_are_none_are_refused_and_slowed_down(sqlite_url: str, tmp_path: Path) -> None:
    async with TellingHouse(sqlite_url, tmp_path) as house:
        unsubscribe = house.notifiers.unsubscribe
        unsubscribe.external_url = "https://hub.example.org"
        link = unsubscribe.link("0123456789abcdef", "alert")
        assert link is not None
        good = link.rpartition("/")[2]
        for wrong in ("", "x", good[:-1], good + "A", good.replace("alert", "report"), "ü.ü"):
            with pytest.raises(NotFound):
                await unsubscribe.take(wrong)
        for _ in range(24):
            with pytest.raises(NotFound):
                await unsubscribe.take("x")
        with pytest.raises(RateLimited):
            await unsubscribe.take("x")
        assert await unsubscribe.take(good) == "alert"  # what is right always passes
        await house.clock.advance(3)
        with pytest.raises(NotFound):
            await unsubscribe.take("x")
