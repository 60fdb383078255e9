"""E-mail, by URL as Apprise writes it (`mailto://user:password@host/?to=…`) or through the house's own account.

Apprise reads the URL, and so knows the servers of many providers, but it makes a new Message-ID on every attempt.
A message that is repeated after a crash must carry the one it had, so we put it together and send it ourselves.
"""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
from concurrent.futures import Executor
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

import msgspec

from ohmstead.core.clock import from_ms
from ohmstead.core.errors import Refused, Unanswered, Unavailable, Unsupported
from ohmstead.core.notice import Message
from ohmstead.core.plugin import Channel
from ohmstead.plugins.notifiers.letter import Letters

ENCRYPT = (530, 538)  # STARTTLS first: RFC 3207 section 4, RFC 4954 section 6
CONNECT_S = 15.0  # for each step of the conversation


class Account(msgspec.Struct, frozen=True):
    """A mail server and who we are there; `mode` is insecure, starttls or ssl."""

    host: str
    port: int
    mode: str
    user: str | None
    password: str | None
    sender: str
    sender_name: str
    to: tuple[str, ...]
    copies: tuple[str, ...] = ()  # cc and bcc: they get it, and only cc is seen
    cc: tuple[str, ...] = ()
    verify: bool = True


class Mail:
    """The channel. `account` is the URL through which plain addresses are written to."""

    def __init__(self, threads: Executor, letters: Letters) -> None:
        self.account: str | None = None
        self._threads, self._letters = threads, letters

    def channel(self) -> Channel:
        """As it is declared."""
        return Channel("email", ("mailto", "mailtos"), self.send, "e-mail, with HTML and text, and attachments")

    async def send(self, message: Message, address: str) -> str:
        """Send to a URL or a plain address; what the server answered. Unavailable, Refused, Unsupported."""
        plain = "://" not in address
        if plain and self.account is None:
            raise Unsupported("a plain e-mail address needs an account to send from: state notifications → email")
        conversation = _Conversation()
        url = self.account if plain else address
        assert url is not None

        def work() -> str:
            account = read(url)
            to = (address,) if plain else account.to
            return conversation.hold(account, to, self._compose(message, account, to))

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except Refused as error:
            if plain:  # not the recipient's fault: it is tried again until somebody mends the account
                raise Unavailable(f"notifications → email: {error}") from error
            raise
        finally:
            conversation.cut()  # when we were cancelled the thread must not go on

    def _compose(self, message: Message, account: Account, to: tuple[str, ...]) -> EmailMessage:
        letter = self._letters.write(message)
        mail = EmailMessage(SMTP.clone(cte_type="7bit"))  # not every server takes 8 bits
        mail["Message-ID"] = f"<{message.id}@{account.sender.rpartition('@')[2]}>"
        mail["Date"] = format_datetime(from_ms(message.at_ms))
        mail["From"] = Address(account.sender_name, addr_spec=account.sender)
        mail["To"] = [Address(addr_spec=each) for each in to]
        if account.cc:
            mail["Cc"] = [Address(addr_spec=each) for each in account.cc]
        mail["Subject"] = " ".join(message.title.split())
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
        if message.severity in ("high", "critical"):
            mail["Importance"] = "high"
        if message.repeated:
            mail["X-Ohmstead-Repeated"] = "true"
        if message.unsubscribe is not None:  # RFC 8058: one click
            mail["List-Unsubscribe"] = f"<{message.unsubscribe}>"
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail.set_content(letter.text)
        mail.add_alternative(letter.html, subtype="html")
        for each in message.attachments:
            main, _, sub = each.content_type.partition("/")
            mail.add_attachment(each.content, maintype=main, subtype=sub or "octet-stream", filename=each.name)
        return mail


class _Conversation:
    """One conversation with a mail server, which can be cut short from another thread."""

    def __init__(self) -> None:
        self._smtp: smtplib.SMTP | None = None

    def hold(self, account: Account, to: tuple[str, ...], mail: EmailMessage) -> str:
        try:
            smtp = self._smtp = self._connect(account)
            try:
                if account.user and account.password is not None:
                    smtp.login(account.user, account.password)
                return self._deliver(smtp, account, to, mail)
            finally:
                with suppress(smtplib.SMTPException, OSError):
                    smtp.quit()
        except smtplib.SMTPAuthenticationError as error:
            wrong = "does not accept our user and password ({})"
            if error.smtp_code in ENCRYPT:
                wrong = "takes a password over an encrypted connection only ({}): use mailtos://"
            raise Refused(f"the mail server {wrong.format(error.smtp_code)}") from None
        except smtplib.SMTPResponseException as error:
            raise _said(error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPNotSupportedError as error:
            raise Unavailable(f"the mail server cannot do what the URL asks for: {error}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise Unavailable(f"the mail server: {type(error).__name__}") from None  # its text may hold addresses

    def _connect(self, account: Account) -> smtplib.SMTP:
        if account.mode == "ssl":
            return smtplib.SMTP_SSL(account.host, account.port, timeout=CONNECT_S, context=_trust(account))
        smtp = smtplib.SMTP(account.host, account.port, timeout=CONNECT_S)
        if account.mode == "starttls":
            smtp.starttls(context=_trust(account))
        return smtp

    def _deliver(self, smtp: smtplib.SMTP, account: Account, to: tuple[str, ...], mail: EmailMessage) -> str:
        """The steps of `sendmail`, since that keeps the server's last word to itself. Unanswered when that does not come."""
        smtp.ehlo_or_helo_if_needed()
        everybody = dict.fromkeys((*to, *account.copies))
        _expect(smtp.mail(account.sender))
        refused = [(code, said) for each in everybody for code, said in [smtp.rcpt(each)] if code not in (250, 251)]
        if len(refused) == len(everybody):
            raise _said(*refused[0])
        try:
            code, said = _expect(smtp.data(mail.as_bytes()))
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            if isinstance(error, smtplib.SMTPResponseException):
                raise
            raise Unanswered("the mail server went away before it said whether it took the message") from None
        answer = _text(code, said)
        return f"{answer}; {len(refused)} of {len(everybody)} recipients were refused: {_text(*refused[0])}" if refused else answer

    def cut(self) -> None:
        """Make the thread give up if it still talks."""
        sock = None if self._smtp is None else getattr(self._smtp, "sock", None)
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def _trust(account: Account) -> ssl.SSLContext:
    return ssl.create_default_context() if account.verify else ssl._create_unverified_context()  # noqa: S323 - as verify=no asks


def _expect(answer: tuple[int, bytes]) -> tuple[int, bytes]:
    if answer[0] != 250:
        raise _said(*answer)
    return answer


def _said(code: int, said: bytes | str) -> Unavailable | Unsupported:
    """RFC 5321 4.2.1: 5yz is for good, everything else may be tried again."""
    return (Unsupported if 500 <= code < 600 else Unavailable)(_text(code, said))


def _text(code: int, said: bytes | str) -> str:
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return f"{code} {' '.join(words.split())[:200]}"


def read(url: str) -> Account:
    """An account, as Apprise understands the URL; half a second the first time. Unsupported when it is none."""
    from apprise.plugins import email

    from ohmstead.plugins.notifiers.channels.services import ASSET

    service: Any = email.NotifyEmail
    try:
        given = service.parse_url(url)
        found = service(asset=ASSET(), **given) if given else None
    except (TypeError, ValueError):  # AppriseImproperlyConfigured is both
        found = None
    if found is None:
        raise Unsupported("this is no URL of a mail account; it looks like mailtos://user:password@example.org/?to=sam@example.org")
    cc = tuple(sorted(found.cc))
    name, sender = found.from_addr
    return Account(
        found.smtp_host, found.port, str(found.secure_mode), found.user, found.password, sender, name or "Ohmstead",
        tuple(to for _, to in found.targets), (*cc, *sorted(found.bcc)), cc, bool(found.verify_certificate),
    )  # fmt: skip
