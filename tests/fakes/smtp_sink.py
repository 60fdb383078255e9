"""A real SMTP server on port 0 that can be slow, refuse, or hang up in mid-message."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


class SmtpSink:
    """Use it with `async with`; `mails` are those it took, `url(...)` its address as Apprise writes it."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.refusals: dict[str, str] = {}  # recipient -> the answer to RCPT
        self.answer: str | None = None  # to DATA, instead of taking the message
        self.hang_up = 0  # so many messages are read, and the line is cut instead of an answer
        self.hang_up_after = 0  # the same, but the message is kept: taken, and nobody is told
        self.held: asyncio.Event | None = None  # set it to let the answers to DATA go
        self.connections = 0
        self.password: str | None = None  # set it to let nobody in without it
        self.tls: ssl.SSLContext | None = None  # set it to offer STARTTLS, and to take nothing before it
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> SmtpSink:
        self._server = await asyncio.get_running_loop().create_server(self._protocol, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        if self.held is not None:
            self.held.set()
        await asyncio.sleep(0.01)

    def _protocol(self) -> SMTP:
        self.connections += 1
        options = {"authenticator": self._signs_in, "auth_require_tls": self.password is None, "auth_required": self.password is not None,
                   "tls_context": self.tls, "require_starttls": self.tls is not None}
        with warnings.catch_warnings(action="ignore"):  # it thinks that passwords should be encrypted
            return SMTP(self, hostname="sink.test", loop=asyncio.get_running_loop(), **options)

    def _signs_in(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        return AuthResult(success=self.password is not None and given.password == self.password.encode(), handled=False)

    def url(self, to: str = "sam@house.test", sender: str = "hub@house.test") -> str:
        return f"mailto://127.0.0.1:{self.port}/?from={sender}&to={to}"

    @property
    def account(self) -> str:
        return f"mailto://127.0.0.1:{self.port}/?from=hub@house.test&to=nobody@house.test"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802 - its name there
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name there
        if self.hang_up:
            self.hang_up -= 1
            server.transport.abort()
            return "250 nobody hears this"
        if self.answer is not None:
            return self.answer
        self.envelopes.append(envelope)
        self.mails.append(message_from_bytes(envelope.content or b"", policy=policy.default))  # type: ignore[arg-type]
        if self.hang_up_after:
            self.hang_up_after -= 1
            server.transport.abort()
            return "250 nobody hears this"
        if self.held is not None:
            await self.held.wait()
        return f"250 taken as {len(self.mails)}"
