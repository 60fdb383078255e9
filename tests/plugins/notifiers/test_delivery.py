"""Notices reach real servers: e-mail and webhooks, with one id on every attempt, whatever those servers do."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
from pathlib import Path

import pytest

from ohmstead.core.notice import Attachment, Notice
from tests.fakes.certificates import Authority
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


async def test_accounts_with_a_password_and_encryption(storage_url: str, tmp_path: Path, mail: SmtpSink) -> None:
    account = mail.url().replace("127.0.0.1", "sam:s3cret@127.0.0.1")
    async with TellingHouse(storage_url, tmp_path, {"owner": {"notify": account}}) as house:
        async def said(title: str) -> tuple[str, str]:
            await house.tell(title)
            await house.deliver()
            [row] = [row for row in await house.log() if row["title"] == title]
            return row["status"], row["answer"]

        words = "the mail server cannot do what the URL asks for: SMTP AUTH extension not supported by server."
        assert await said("no sign-in there") == ("pending", words)
        mail.password = "other"
        assert await said("wrong password") == ("bounced", "the mail server does not accept our user and password (535)")
        mail.password = "s3cret"
        assert await said("right password") == ("sent", "250 taken as 1")
        wants = "the mail server takes a password over an encrypted connection only"
        pair = Authority(tmp_path / "certificates").sign("mail")
        mail.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        mail.tls.load_cert_chain(pair.cert, pair.key)
        assert await said("not encrypted") == ("bounced", f"{wants} (530): use mailtos://")
        secure = f"{account.replace('mailto', 'mailtos')}&mode=starttls"
        await house.call("PUT", "/notifications/preferences/owner", body={"notify": [secure]})
        assert await said("nobody vouches for it") == ("pending", "the mail server: SSLCertVerificationError")
        await house.call("PUT", "/notifications/preferences/owner", body={"notify": [f"{secure}&verify=no"]})
        assert await said("encrypted") == ("sent", "250 taken as 2")


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
