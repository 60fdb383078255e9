"""One automation as it runs."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ohmstead.plugins.rules.automations.build import Arm, Disarm, Op, Test
from ohmstead.plugins.rules.automations.run import Run

TRACES_KEPT = 20
SINGLE, RESTART, QUEUED, PARALLEL = MODES = ("single", "restart", "queued", "parallel")


class Automation:
    """Compiled. `options` are as validated; `digest` tells whether a run that waited is still of this one."""

    __slots__ = ("causes", "conditions", "count", "digest", "disarms", "enabled", "id", "last_ms", "limit", "mode", "name", "notes",
                 "options", "origin", "others", "priority", "program", "queue", "runs", "traces", "triggers")  # fmt: skip

    def __init__(self, id_: str, options: Mapping[str, Any], origin: str, triggers: Sequence[tuple[Mapping[str, Any], Arm]],
                 conditions: Test | None, program: Sequence[tuple[str, Op]], notes: Sequence[str] = ()) -> None:  # fmt: skip
        self.id, self.options, self.origin = id_, options, origin
        self.name = options.get("name", id_)
        self.triggers, self.conditions, self.program, self.notes = triggers, conditions, program, tuple(notes)
        self.mode, self.limit, self.priority = options["mode"], options["limit"], options["priority"]
        self.digest = digest(options)
        self.enabled = bool(options["enabled"])
        self.runs: dict[str, Run] = {}  # those under way
        self.queue: deque[Run] = deque()  # those that wait for their turn
        self.traces: deque[Run] = deque(maxlen=TRACES_KEPT)
        self.count, self.last_ms = 0, None
        self.disarms: list[Disarm] = []
        self.causes: Callable[[Run, str], object] = lambda run, what: None  # told of what a run moves: a series, a device, a topic …
        self.others: Callable[[Run, str], object] = lambda run, other: None  # told of another that a run sets off

    last_ms: int | None


def digest(options: Mapping[str, Any]) -> str:
    """Of options as validated."""
    return hashlib.sha256(msgspec.json.encode(options, order="sorted")).hexdigest()[:16]
