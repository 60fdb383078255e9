"""What the notifiers declare to the house."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ohmstead.core.plugin import Channel, Job, Section, Tables, hookimpl
from ohmstead.core.route import Route
from ohmstead.plugins.notifiers.notifiers import Notifiers
from ohmstead.plugins.notifiers.routes import NotificationRoutes
from ohmstead.plugins.notifiers.schemas import SECTION
from ohmstead.plugins.notifiers.tables import TABLES

if TYPE_CHECKING:
    from ohmstead.core.hub import Hub


def _problems(sections: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """People with plain e-mail addresses, and no account to write to them from."""
    if sections["notifications"].get("email") is None:
        for id_, wishes in sections["people"].items():
            if any("://" not in address for some in wishes.get("notify", {}).values() for address in some):
                yield ("email",), f"is missing: people → {id_} has a plain e-mail address; state the account to write from"


class NotifiersPlugin:
    """The notifiers, as a plugin like anyone's."""

    def __init__(self, notifiers: Notifiers) -> None:
        self._notifiers = notifiers

    @hookimpl
    def ohmstead_tables(self) -> list[Tables]:
        """The outbox and what belongs to it."""
        return [TABLES]

    @hookimpl
    def ohmstead_sections(self, hub: Hub) -> list[Section]:
        """`notifications:`."""
        return [Section("notifications", SECTION, self._notifiers.apply, "how messages are sent", default={}, problems=_problems)]

    @hookimpl
    def ohmstead_notifiers(self, hub: Hub) -> list[Channel]:
        """The channels that come with Ohmstead."""
        return self._notifiers.channels()

    @hookimpl
    def ohmstead_routes(self, hub: Hub) -> list[Route]:
        """`/notifications`."""
        return NotificationRoutes(self._notifiers, hub.clock).all()

    @hookimpl
    def ohmstead_jobs(self, hub: Hub) -> list[Job]:
        """Digests, at the quarters of an hour, where 8 o'clock is in every zone; and forgetting what is old."""
        return [
            Job("digests", self._notifiers.digests, cron="*/15 * * * *", description="send the digests whose hour has come"),
            Job("notifications", self._notifiers.prune, cron="41 3 * * *", description="forget messages older than 90 days"),
        ]

    @hookimpl
    def ohmstead_started(self, hub: Hub) -> None:
        """Send from now on."""
        self._notifiers.routing.gather(hub)
        hub.tasks.start("notifications", self._notifiers.sender.work)
        self._notifiers.warm()
