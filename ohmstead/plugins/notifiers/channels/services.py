"""Everything Apprise knows by URL: SMS, WhatsApp, Telegram, push services and a hundred more.

Importing all of it takes half a second and 44 MB, so that happens in a thread, once somebody can be told by it.
Redirects and
templates are off: users enter these URLs.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Executor
from typing import Any

from ohmstead.core.errors import Unavailable, Unsupported
from ohmstead.core.notice import Message
from ohmstead.core.plugin import Channel
from ohmstead.core.validate import did_you_mean
from ohmstead.plugins.people.address import scheme

LIMIT_S = 20.0
NOTIFY_TYPES = {"low": "info", "medium": "info", "high": "warning", "critical": "failure"}

def ASSET() -> Any:  # noqa: N802 - stands for a class that is imported late
    """How Apprise behaves here."""
    import apprise

    return apprise.AppriseAsset(
        app_id="Ohmstead", app_desc="Ohmstead", app_url="", http_redirects=False, allow_templates=False,
        service_timeout=LIMIT_S, async_mode=False, storage_mode="memory",
    )  # fmt: skip


class Services:
    """The channel of all that has no channel of its own."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads

    def channel(self) -> Channel:
        """As it is declared."""
        return Channel("apprise", ("*",), self.send, "SMS, messengers and push services, by the URLs of Apprise")

    async def send(self, message: Message, address: str) -> str:
        """Hand it to the service. Unavailable, Unsupported for a URL that is none."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _send, message, address)


def service_of(address: str) -> Any:
    """The service that a URL is of; half a second the first time. Unsupported, without the URL, when it is of none or wrong."""
    import apprise
    from apprise.manager_plugins import NotificationManager

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # how it went is in our delivery log, without addresses
    service = apprise.Apprise.instantiate(address, asset=ASSET(), suppress_exceptions=True)
    if service is not None:
        return service
    known: Any = NotificationManager()  # type: ignore[no-untyped-call]
    name = scheme(address)
    if name not in known:
        raise Unsupported(f"{name}:// is no service Apprise knows.{did_you_mean(name, known.schemas())}")
    found: Any = known[name]
    form = min((each for each in found.templates if "targets" in each), key=len, default=found.templates[0])
    raise Unsupported(f"this is no URL of {found.service_name}; it looks like {form.replace('{schema}', name)}, see {found.setup_url}")


def _send(message: Message, address: str) -> str:
    import apprise
    from apprise.attachment.memory import AttachMemory

    service = service_of(address)
    services = apprise.Apprise(asset=ASSET())
    services.add(service)
    attach: Any = AttachMemory  # its constructor has no types
    files = apprise.AppriseAttachment()
    for each in message.attachments:
        files.add(attach(content=each.content, name=each.name, mimetype=each.content_type))
    result = services.notify(
        body=text(message), title=message.title, notify_type=NOTIFY_TYPES[message.severity], body_format="text",
        attach=files if message.attachments else None,
    )  # fmt: skip
    if not result:
        raise Unavailable(f"{service.service_name} did not take it ({result.status.name.lower()})")
    return f"{service.service_name} took it"


def text(message: Message) -> str:
    """The message as plain text, without its title."""
    facts = "\n".join(f"{name}: {value}" for name, value in message.facts.items())
    return "\n\n".join(part for part in (message.body, facts, message.link) if part) or message.title
