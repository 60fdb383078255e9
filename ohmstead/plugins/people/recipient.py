"""Who a notice goes to, with what they wish."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.notice import KINDS
from ohmstead.plugins.people.hours import Quiet


class Recipient(msgspec.Struct, frozen=True):
    """A person, or a plain address (`person` is None, `id` the address as it is shown).

    `notify` are the addresses for each kind of notice.
    """

    id: str
    name: str
    person: str | None
    zone: ZoneInfo
    notify: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    roles: tuple[str, ...] = ()
    quiet: Quiet | None = None
    digest: str = "off"

    def addresses(self, kind: str) -> tuple[str, ...]:
        """Where to send notices of a kind."""
        return self.notify.get(kind, ())

    def everywhere(self) -> tuple[str, ...]:
        """All addresses, each once."""
        return tuple(dict.fromkeys(address for kind in KINDS for address in self.addresses(kind)))
