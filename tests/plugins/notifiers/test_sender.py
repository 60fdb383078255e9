"""Servers that refuse, are slow or gone; recipients that bounce; floods; clocks that jump; crashes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from ohmstead.core.clock import ManualClock
from ohmstead.core.errors import NotFound
from ohmstead.core.notice import Notice
from ohmstead.plugins.notifiers.sender import AT_ONCE, WAITS_S
from tests.fakes.house import until
from tests.fakes.http_sink import HttpSink
from tests.fakes.smtp_sink import SmtpSink
from tests.fakes.telling_house import TellingHouse, pause


async def test_what_a_server_puts_off_is_tried_again_and_what_it_refuses_bounces(storage_url: str, tmp_path: Path, mail: SmtpSink) -> None:
    async with TellingHouse(storage_url, tmp_path, {"owner": {"notify": mail.url()}}) as house:
        mail.answer = "451 try later"
        await house.tell("a")
        await house.deliver()
        [row] = await house.log()
        assert (row["status"], row["attempts"], row["answer"], row["repeated"]) == ("pending", 1, "451 try later", False)
        await house.clock.advance(WAITS_S[0] + 1)
        mail.answer = None
        await house.deliver()
        [row] = await house.log()
        assert (row["status"], row["attempts"], row["repeated"]) == ("sent", 2, False)
        mail.refusals["sam@house.test"] = "550 nobody here"
        await house.tell("b")
        await house.deliver()
        row = (await house.log())[-1]
    assert (row["status"], row["attempts"], row["answer"]) == ("bounced", 1, "550 nobody here")
    assert [(event.status, event.recipient) for event in house.failed] == [("bounced", "owner")]


async def test_a_line_that_breaks_in_mid_message_repeats_it_with_its_id(storage_url: str, tmp_path: Path, mail: SmtpSink) -> None:
    async with TellingHouse(storage_url, tmp_path, {"owner": {"notify": mail.url()}}) as house:
        mail.hang_up_after = 1
        await house.tell("a")
        await house.deliver()
        await house.clock.advance(WAITS_S[0] + 1)
        await house.deliver()
        [row] = await house.log()
    assert (row["status"], row["attempts"], row["repeated"]) == ("sent", 2, True)
    assert len({letter["Message-ID"] for letter in mail.mails}) == 1
    assert [letter["X-Ohmstead-Repeated"] for letter in mail.mails] == [None, "true"]


async def test_a_server_that_is_gone_or_never_answers_is_given_up_in_the_end(sqlite_url: str, tmp_path: Path, mail: SmtpSink) -> None:
    gone = "mailto://127.0.0.1:1/?from=hub@house.test&to=sam@house.test"
    async with TellingHouse(sqlite_url, tmp_path, {"owner": {"notify": [gone, mail.url()]}}) as house:
        mail.held = asyncio.Event()
        await house.tell("a")
        await house.notifiers.sender.turn()
        await until(lambda: mail.mails)
        await house.clock.advance(31)  # the thread that waits for an answer is cut loose
        await house.deliver()
        row = next(row for row in await house.log() if "no answer" in row["answer"])
        assert (row["status"], row["answer"]) == ("pending", "no answer within 30 s")
        mail.held.set()
        for wait_s in WAITS_S:
            await house.clock.advance(wait_s + 1)
            await house.deliver()
        rows = {row["status"]: row for row in await house.log()}
    assert (rows["failed"]["attempts"], rows["failed"]["answer"]) == (len(WAITS_S) + 1, "the mail server: ConnectionRefusedError")
    assert (rows["sent"]["attempts"], rows["sent"]["repeated"]) == (2, True)


async def test_a_recipient_that_bounces_for_ever_is_paused_and_the_owner_is_told(storage_url: str, tmp_path: Path, mail: SmtpSink) -> None:
    async with TellingHouse(storage_url, tmp_path, {"kim": {"notify": mail.url("kim@house.test")}}) as house:
        mail.refusals["kim@house.test"] = "550 nobody here"
        for number in range(5):
            await house.tell(f"number {number}", recipients=("kim",))
            await house.deliver()
            await house.clock.advance(60)
        assert [row["status"] for row in await house.log()] == ["bounced"] * 3 + ["failed"] * 2
        assert "paused since" in (await house.log())[-1]["answer"]
        told = await house.call("GET", "/notifications", {"person": "owner"})
        assert [message["title"] for message in told] == ["mailto://••• is paused"]
        [kim] = [who for who in await house.call("GET", "/notifications/preferences") if who["person"] == "kim"]
        [address] = kim["notify"]
        assert "550 nobody here" in address["paused"]
        mail.refusals.clear()
        await house.call("POST", f"/notifications/addresses/{address['key']}/resume", body={})
        await house.tell("again", recipients=("kim",))
        await house.deliver()
        assert [letter["Subject"] for letter in mail.mails] == ["again"]
        with pytest.raises(NotFound):
            await house.call("POST", f"/notifications/addresses/{address['key']}/resume", body={})


async def test_ten_thousand_alerts_are_few_messages(storage_url: str, tmp_path: Path, mail: SmtpSink) -> None:
    async with TellingHouse(storage_url, tmp_path, {"owner": {"notify": mail.url()}}) as house:
        async def flood(tx) -> None:
            severities = ("high" if number == 700 else "low" for number in range(10_000))
            await house.notifiers.enqueue_all(tx, [Notice("alert", f"alert {number}", "", each) for number, each in enumerate(severities)])

        await house.storage.write(flood)
        await house.deliver()
        rows = await house.log()
        assert sum(row["notices"] for row in rows) == 10_000
        assert len(mail.mails) == len(rows) <= 4
        letter = next(letter for letter in mail.mails if letter["Subject"].startswith("alert 700, and "))
        words = letter.get_body(("plain",)).get_content()
        assert "alert 700 (high)" in words
        assert f"and {rows[0]['notices'] - 20} more" in words
        assert len(await house.call("GET", "/notifications")) <= 4


async def test_over_the_rate_what_comes_is_collected(storage_url: str, tmp_path: Path, hook: HttpSink) -> None:
    async with TellingHouse(storage_url, tmp_path, {"owner": {"notify": hook.url}}, {"rate_limit": 3}) as house:
        for number in range(10):
            await house.tell(f"number {number}")
            await house.deliver()
            await house.clock.advance(10)
        assert len(hook.taken) == 3
        await house.tell("fire", severity="critical")
        await house.clock.advance(60)
        await house.deliver()
        assert (len(hook.taken), b'"fire"' in hook.taken[-1].body) == (4, True)
        await house.clock.advance(3600)
        await house.deliver()
        assert (len(hook.taken), b"and 6 more" in hook.taken[-1].body) == (5, True)


async def test_quiet_hours_and_digests(storage_url: str, tmp_path: Path, hook: HttpSink, mail: SmtpSink) -> None:
    people = {"owner": {"notify": hook.url, "quiet_hours": "22:00-07:00", "time_zone": "Europe/Berlin"},
              "kim": {"notify": mail.url(), "digest": "daily", "time_zone": "Europe/Berlin"}}
    clock = ManualClock(1_796_159_400_000)  # 2026-12-01 22:10 in Berlin
    async with TellingHouse(storage_url, tmp_path, people, clock=clock) as house:
        for title, severity in (("a", "low"), ("b", "high"), ("c", "critical")):
            await house.tell(title, severity=severity, recipients=("owner", "kim"))
        await house.deliver()
        assert [b'"c"' in each.body for each in hook.taken] == [True]
        assert sorted(letter["Subject"] for letter in mail.mails) == ["b", "c"]
        assert len(await house.call("GET", "/notifications", {"person": "owner"})) == 3  # the app makes no noise
        await clock.advance(8 * 3600 + 3000)  # 07:00
        await house.deliver()
        assert (len(hook.taken), b"b, and 1 more" in hook.taken[-1].body) == (2, True)
        assert await house.notifiers.digests() == 0
        await clock.advance(3600)
        await house.deliver()
        assert len(mail.mails) == 2, "the job sends them, not the sender"
        assert await house.notifiers.digests() == 1
        await house.deliver()
        assert [letter["Subject"] for letter in mail.mails][2:] == ["a"]


async def test_a_clock_that_jumps_holds_nothing_up(storage_url: str, tmp_path: Path, hook: HttpSink) -> None:
    clock = ManualClock()
    async with TellingHouse(storage_url, tmp_path, {"owner": {"notify": hook.url, "digest": "weekly"}}, clock=clock) as house:
        hook.status = 503
        now = clock.now_ms()
        clock.set(now + 400 * 86_400_000)
        await house.tell("a", severity="high")
        await house.deliver()
        clock.set(now)
        hook.status = 200
        await house.deliver()
        assert len(hook.taken) == 1
        clock.set(1_000_000)  # 1970: nobody knows what time it is, so nothing waits for a digest
        await house.tell("b", severity="low")
        await house.deliver()
        assert len(hook.taken) == 2


async def test_what_a_dead_process_held_is_sent_by_the_next(storage_url: str, tmp_path: Path, hook: HttpSink) -> None:
    people = {"owner": {"notify": hook.url}}
    async with TellingHouse(storage_url, tmp_path, people) as house:
        await house.tell("a")
        hook.held = asyncio.Event()
        await house.notifiers.sender.turn()
        await until(lambda: hook.seen)
    hook.held.set()
    hook.taken.clear()
    async with TellingHouse(storage_url, tmp_path, people) as house:
        await house.deliver()
        assert len(hook.seen) == 1  # it is held
        await house.notifiers._book.forget_runner(house.notifiers.sender._runner)
        await house.deliver()
        [row] = await house.log()
    assert (row["status"], row["attempts"], row["repeated"]) == ("sent", 2, True)
    assert {each.headers["idempotency-key"] for each in hook.seen} == {row["id"]}


async def test_slow_servers_hold_up_nobody_else(sqlite_url: str, tmp_path: Path, hook: HttpSink, mail: SmtpSink) -> None:
    hook.held = asyncio.Event()
    people = {"owner": {"notify": hook.url}, "kim": {"notify": mail.url()}}
    async with TellingHouse(sqlite_url, tmp_path, people) as house:
        house.hub.tasks.start("notifications", house.notifiers.sender.work)
        await house.tell("a", recipients=("owner",))
        await until(lambda: hook.seen)
        await house.tell("b", recipients=("kim",))
        await until(lambda: mail.mails)
        assert hook.taken == []
        assert len(house.notifiers.sender._under_way) <= AT_ONCE
        hook.held.set()
        await until(lambda: len(house.sent) == 4)
        assert len(hook.taken) == 1
        await house.hub.tasks.stop_all()


async def test_somebody_who_was_removed_and_addresses_that_are_no_secret_of_the_log(storage_url: str, tmp_path: Path, hook: HttpSink,
                                                                                   caplog: pytest.LogCaptureFixture) -> None:
    async with TellingHouse(storage_url, tmp_path, {"owner": {"notify": hook.url}}) as house:
        await house.tell("a", recipients=("kim", "kim", "owner"))
        hook.status = 400
        await house.deliver()
        rows = {row["recipient"]: row for row in await house.log()}
        assert (rows["kim"]["status"], rows["kim"]["answer"]) == ("bounced", "there is no such person, role or address")
        assert (rows["owner"]["status"], rows["owner"]["address"]) == ("bounced", "http://•••")
        async with house.storage.read() as connection:
            for table in ("outbox", "messages", "notices"):
                for row in await connection.execute(text(f"SELECT * FROM {table}")):
                    assert "s3cret" not in str(row)
    assert "s3cret" not in caplog.text


async def test_old_notices_are_forgotten_and_what_waits_is_not(storage_url: str, tmp_path: Path, hook: HttpSink) -> None:
    async with TellingHouse(storage_url, tmp_path, {"owner": {"notify": hook.url}}) as house:
        await house.tell("sent", key="k")
        await house.deliver()
        await house.clock.advance(80 * 86_400)
        await house.tell("waits")
        await house.clock.advance(11 * 86_400)
        assert await house.notifiers.prune() == 1
        assert await house.log() == []
        await house.clock.advance(90 * 86_400)
        assert await house.notifiers.prune() == 0
        assert await house.tell("again", key="k") is not None
        await house.deliver()
        await pause()
    assert len(hook.taken) == 3


async def test_two_senders_on_one_database_send_each_message_once(storage_url: str, tmp_path: Path, hook: HttpSink) -> None:
    people = {"owner": {"notify": hook.url}}
    async with TellingHouse(storage_url, tmp_path, people) as one, TellingHouse(storage_url, tmp_path, people) as other:
        other.notifiers.sender._runner = "another"
        for number in range(8):
            await one.tell(f"number {number}", recipients=("owner", f"http://127.0.0.1:{hook.port}/{number}"))
        await asyncio.gather(one.deliver(), other.deliver())
        rows = await one.log()
    assert {row["status"] for row in rows} == {"sent"}
    assert sorted(each.headers["idempotency-key"] for each in hook.taken) == sorted(row["id"] for row in rows)
