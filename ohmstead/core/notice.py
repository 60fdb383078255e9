"""What the house has to say, and what a channel is given to carry: records that flow from whoever notices to people."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

KINDS = ("alert", "offline", "recommendation", "report", "system")
SEVERITIES = ("low", "medium", "high", "critical")  # in rising order


class Attachment(msgspec.Struct, frozen=True):
    """A file that goes with a notice."""

    name: str
    content_type: str
    content: bytes


class Notice(msgspec.Struct, frozen=True):
    """Something to be told.

    `recipients` are ids of people, roles, or plain addresses; none means the owner. `key` names what it is about: a
    second notice with the same key is dropped. `facts` are shown as a table, `link` is where there is more. ValueError
    for a kind or severity that is none.
    """

    kind: str
    title: str
    body: str = ""
    severity: str = "medium"
    recipients: tuple[str, ...] = ()
    key: str | None = None
    facts: Mapping[str, str] = msgspec.field(default_factory=dict)
    link: str | None = None
    attachments: tuple[Attachment, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no kind of notice; there are {', '.join(KINDS)}")
        if self.severity not in SEVERITIES:
            raise ValueError(f"{self.severity!r} is no severity; there are {', '.join(SEVERITIES)}")


class Message(msgspec.Struct, frozen=True):
    """One message to one address, of one notice or of several that were collected.

    `id` stays the same on every attempt, so that whoever has it already can tell; `attempt` counts from 1, `repeated`
    says that an earlier attempt may have arrived. `person` is whose address it is, None for a plain one.
    """

    id: str
    kind: str
    severity: str
    title: str
    body: str
    at_ms: int
    person: str | None = None
    facts: Mapping[str, str] = msgspec.field(default_factory=dict)
    link: str | None = None
    attachments: tuple[Attachment, ...] = ()
    notices: int = 1
    attempt: int = 1
    repeated: bool = False
    unsubscribe: str | None = None  # the address of a page that needs no sign-in
