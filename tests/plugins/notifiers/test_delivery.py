"""Notices reach real servers: e-mail and webhooks, with one id on every attempt, whatever those servers do."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from ohmstead.core.notice import Attachment, Notice
from tests.fakes.http_sink import HttpSink
from tests.fakes.smtp_sink import SmtpSink
from tests.fakes.telling_house import TellingHouse


async def test_a_notice_reaches_a_mailbox(storage_url: str, tmp_path: Path, mail: SmtpSink) -> None:
    async with TellingHouse(storage_url, tmp_path, {"owner": {"name": "Sam", "notify": [mail.url()]}}) as house:
        await house.tell("Bulb <b>hot</b>", body="It is 51 °C.", facts={"Threshold": "50 °C"}, severity="high",
                         attachments=(Attachment("bill.csv", "text/csv", b"a;b\n"),))
        await house.deliver()
        [letter] = mail.mails
        [logged] = await house.log()
    assert letter["Subject"] == "Bulb <b>hot</b>"
    assert (letter["To"], letter["From"]) == ("sam@house.test", "Ohmstead <hub@house.test>")
    assert letter["Message-ID"] == f"<{logged['id']}@house.test>"
    text, html = letter.get_body(("plain",)).get_content(), letter.get_body(("html",)).get_content()
    assert "It is 51 °C." in text
    assert "Threshold: 50 °C" in text
    assert "Bulb &lt;b&gt;hot&lt;/b&gt;" in html
    [file] = letter.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("bill.csv", "a;b\n")
    assert (logged["status"], logged["attempts"], logged["answer"], logged["address"]) == ("sent", 1, "250 taken as 1", "mailto://•••")
    assert [event.channel for event in house.sent if event.channel != "app"] == ["email"]


async def test_a_notice_is_told_with_the_transaction_it_belongs_to(storage_url: str, tmp_path: Path, hook: HttpSink) -> None:
    async with TellingHouse(storage_url, tmp_path, {"owner": {"notify": hook.url}}) as house:
        async def undone(tx) -> None:
            await house.notifiers.enqueue(tx, Notice("alert", "never happened"))
            raise LookupError

        with pytest.raises(LookupError):
            await house.storage.write(undone)
        assert await house.storage.write(lambda tx: house.notifiers.enqueue(tx, Notice("alert", "happened", key="k"))) is not None
        assert await house.tell("happened again", key="k") is None
        await house.deliver()
    assert [json.loads(each.body)["title"] for each in hook.taken] == ["happened"]


async def test_webhooks_are_signed_and_carry_an_idempotency_key(storage_url: str, tmp_path: Path, hook: HttpSink) -> None:
    async with TellingHouse(storage_url, tmp_path, {"owner": {"notify": hook.url}}, {"webhook_secret": "s"}) as house:
        hook.hang_up = 1
        await house.tell("Grid lost", severity="critical", facts={"since": "12:00"})
        await house.deliver()
        [row] = await house.log()
        assert (row["status"], row["repeated"]) == ("pending", False)
        await house.clock.advance(6)
        await house.deliver()
        [row] = await house.log()
    assert (row["status"], row["attempts"], row["repeated"], row["answer"]) == ("sent", 2, True, "thanks")
    first, second = hook.seen
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == row["id"]
    assert second.headers["x-ohmstead-signature"] == "sha256=" + hmac.new(b"s", second.body, hashlib.sha256).hexdigest()
    assert (json.loads(second.body)["repeated"], json.loads(second.body)["attempt"]) == (True, 2)
    assert "s3cret" not in json.dumps(row)
