"""Facts that wait to be acted on: in order, at most three of one subject, so that no flicker fills the memory."""

from __future__ import annotations

from collections.abc import Iterable

from ohmstead.plugins.rules.alerts.alert import key
from ohmstead.plugins.rules.alerts.fact import Fact

MOST = 3  # of one subject: what it was, a change, and what it is


class Inbox:
    """Facts by rule and subject. They take turns: on, off, on …; a pair in the middle says nothing that lasts."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Fact]] = {}

    def put(self, fact: Fact) -> None:
        """Take one in."""
        some = self._waiting.setdefault(key(fact.rule.id, fact.subject), [])
        some.append(fact)
        if len(some) > MOST:
            del some[1:3]

    def __contains__(self, open_key: str) -> bool:
        return open_key in self._waiting

    def first(self, count: int) -> list[Fact]:
        """About so many, those of one subject together."""
        found: list[Fact] = []
        for some in self._waiting.values():
            if len(found) >= count:
                break
            found += some
        return found

    def drop(self, facts: Iterable[Fact]) -> None:
        """They are done."""
        for fact in facts:
            open_key = key(fact.rule.id, fact.subject)
            rest = [each for each in self._waiting.get(open_key, ()) if each is not fact]
            if rest:
                self._waiting[open_key] = rest
            else:
                self._waiting.pop(open_key, None)

    def forget(self, rule: str) -> None:
        """Drop what waits of a rule."""
        for open_key in [open_key for open_key, some in self._waiting.items() if some[0].rule.id == rule]:
            del self._waiting[open_key]
