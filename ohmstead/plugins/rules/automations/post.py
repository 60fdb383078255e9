"""Where a trigger that listens reports to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ohmstead.plugins.rules.automations.build import Disarm
from ohmstead.plugins.rules.automations.world import World
from ohmstead.plugins.rules.compare import Comparison
from ohmstead.plugins.rules.gate import Gate, Turn

Fire = Callable[[Mapping[str, Any], str | None], object]


class Post(msgspec.Struct, frozen=True):
    """`key` names what the trigger keeps in the database. `primed`: what holds already counts, as in a wait.

    `fired(facts, what)` says that it fired; `what` is what moved: a series, a topic … `turned` is told of turns of gates
    whose rows are written with what follows from them. `last_ms` is when the automation was last set off.
    """

    world: World
    key: str
    fired: Fire
    turned: Callable[[Turn], object] = lambda turn: None
    primed: bool = False
    last_ms: Callable[[], int | None] = lambda: None

    def fire(self, facts: Mapping[str, Any], what: str | None = None) -> None:
        """It happened."""
        self.fired(facts, what)

    def gate(self, comparison: Comparison, for_ms: int, facts: Callable[[Turn], Mapping[str, Any]], address: str | None = None) -> Gate:
        """A gate that fires when it turns on, kept across a restart."""

        def turned(turn: Turn) -> None:
            self.turned(turn)
            if turn.on:
                self.fired(facts(turn), address)

        return self.world.watches.gate(self.key, comparison, turned, for_ms)

    def watch(self, gate: Gate, address: str) -> Disarm:
        """Let the gate hear a series until the returned function is called."""
        unwatch = self.world.watches.watch(address, gate)
        if self.primed and gate.since_ms is None:
            state = self.world.facts.state(address)
            if state is not None:
                gate.look(state.value, max(state.updated_ms, self.world.clock.now_ms()))

        def disarm() -> None:
            unwatch()
            self.world.watches.drop(gate)

        return disarm
