"""What a source says of a rule's subject: that it holds now what the rule watches for, or no longer does."""

from __future__ import annotations

import msgspec

from ohmstead.plugins.rules.alerts.rule import Rule
from ohmstead.plugins.rules.compare import Value
from ohmstead.plugins.rules.gate import Turn


class Fact(msgspec.Struct, frozen=True):
    """`subject` is what of the rule it is about, unique within it. `turn` is the gate's, to be settled with what follows.

    `title` and `message` are stated where nothing is compared; `severity` where the rule leaves it to whoever found it.
    `gathered`: it has waited for what may explain it, and cooled down. `name` is that of the subject, if it is no device's.
    """

    rule: Rule
    subject: str
    on: bool
    at_ms: int
    value: Value | None = None
    device: str | None = None
    quantity: str | None = None
    unit: str = ""
    turn: Turn | None = None
    title: str | None = None
    message: str | None = None
    severity: str | None = None
    gathered: bool = False
    name: str | None = None
