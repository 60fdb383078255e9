"""One run of an automation: what set it off, where it stands, and its trace."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ohmstead.core.clock import iso

if TYPE_CHECKING:
    import asyncio

    from ohmstead.plugins.rules.automations.automation import Automation

STEPS_KEPT = 200  # of a trace; those in between are counted
Chain = tuple[str, ...]  # automations that set each other off, the first one first

RUNNING, DONE, CONDITION, FAILED, LOST, STOPPED, IGNORED, LOOP = (
    "running", "done", "condition", "failed", "lost", "stopped", "ignored", "loop"
)  # fmt: skip


class Run:
    """Cheap to make: most come to their end within the call that set them off.

    `cause` are the automations that led to it, `since` is the monotonic time it was set off, 0 for one of before a restart.
    `pc` is the place in the program, `counters` those of its repeats, `due_ms` when a wait ends at the latest. `saw` are
    the values that the step now done looked at.
    """

    __slots__ = ("automation", "began_ms", "cause", "counters", "due_ms", "ended_ms", "facts", "id", "pc", "reason", "result", "saw",
                 "since", "spent", "steps", "stored", "task", "undo", "where")  # fmt: skip

    def __init__(
        self, automation: Automation, facts: Mapping[str, Any], cause: Chain, now_ms: int, id_: str | None = None, since: float = 0.0
    ) -> None:
        self.automation, self.facts, self.cause, self.began_ms = automation, facts, cause, now_ms
        self.since = since
        self.id = id_ or f"{random.getrandbits(64):016x}"  # a name, no secret
        self.pc = self.spent = 0
        self.counters: dict[int, int] = {}
        self.due_ms: int | None = None
        self.ended_ms: int | None = None
        self.result, self.reason = RUNNING, ""
        self.saw: dict[str, Any] = {}
        self.steps: list[tuple[str, str, Mapping[str, Any], int]] = []  # where, what came of it, values, instant
        self.where = ""
        self.task: asyncio.Future[Any] | None = None
        self.undo: list[Any] = []  # what ends a wait
        self.stored = False  # the database has it

    def step(self, result: str, now_ms: int) -> None:
        """Note what came of the step now done, with what it saw."""
        if len(self.steps) < STEPS_KEPT:
            self.steps.append((self.where, result, self.saw, now_ms))
        self.saw = {}

    def shown(self) -> dict[str, Any]:
        """The trace, for the API."""
        return {
            "run": self.id, "automation": self.automation.id, "began": iso(self.began_ms),
            "ended": None if self.ended_ms is None else iso(self.ended_ms), "result": self.result, "reason": self.reason,
            "trigger": told(self.facts), "caused_by": list(self.cause),
            "waits_at": self.where if self.ended_ms is None else None, "until": None if self.due_ms is None else iso(self.due_ms),
            "steps": [{"step": where, "result": result, "saw": told(saw), "at": iso(at_ms)} for where, result, saw, at_ms in self.steps],
        }  # fmt: skip


def told(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values for people: instants as such."""
    found = {key: iso(value) if key.endswith("_ms") and isinstance(value, int) else value for key, value in values.items()}
    return {key.removesuffix("_ms"): value for key, value in found.items()}
