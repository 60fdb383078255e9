"""Who may command what when several want to: the greater priority, for as long as it holds it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Conflict
from ohmstead.core.model import Command


class Claim(msgspec.Struct):
    """What a holder has, for people by its name. `running`: until it lets go; `until_ms`: at least so long."""

    holder: str
    name: str
    priority: int
    running: bool
    until_ms: int = 0


class Arbiter:
    """Claims on capabilities of devices. A person's command asks nobody and claims nothing.

    Of equal priorities the one that has it keeps it; runs of one automation never stand in each other's way.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._claims: dict[tuple[str, str], Claim] = {}
        self._of: dict[str, list[tuple[str, str]]] = {}  # holder -> what it claimed
        self.changed = False  # what is held beyond a run changed since somebody looked

    def take(self, command: Command, holder: str, name: str, priority: int, hold_s: float | None = None) -> None:
        """Claim what a command is about. Conflict, with who has it, when that one's priority is not less."""
        place = command.device, command.quantity or command.capability
        now = self._clock.now_ms()
        found = self._valid(place, now)
        if found is not None and found.name != name and found.priority >= priority:
            held = f"{'.'.join(place)} is held by {found.name}{self._until(found)}"
            raise Conflict(f"{held}; its priority is {found.priority}, and this one has {priority}")
        until_ms = 0 if hold_s is None else now + round(hold_s * 1000)
        if found is not None and found.name == name:
            until_ms = max(until_ms, found.until_ms)
        self._claims[place] = Claim(holder, name, priority, True, until_ms)
        self._of.setdefault(holder, []).append(place)
        self.changed = self.changed or hold_s is not None or (found is not None and found.until_ms > now)

    def release(self, holder: str) -> None:
        """A holder is done: what is not held for longer is free."""
        for place in self._of.pop(holder, ()):
            claim = self._claims.get(place)
            if claim is not None and claim.holder == holder:
                claim.running = False
                self._valid(place, self._clock.now_ms())

    def claimed(self, holder: str) -> list[tuple[str, str]]:
        """What a holder has: device and capability."""
        return [place for place in self._of.get(holder, ()) if (claim := self._claims.get(place)) is not None and claim.holder == holder]

    def take_again(self, places: Iterable[tuple[str, str]], holder: str, name: str, priority: int) -> None:
        """After a restart a holder has what it had before."""
        for device, capability in places:
            found = self._claims.get((device, capability))
            self._claims[device, capability] = Claim(holder, name, priority, True, 0 if found is None else found.until_ms)
            self._of.setdefault(holder, []).append((device, capability))

    def held(self) -> Iterator[tuple[str, str, str, int, int]]:
        """What is held beyond a run: device, capability, name, priority, until when (ms)."""
        now = self._clock.now_ms()
        for (device, capability), claim in self._claims.items():
            if claim.until_ms > now:
                yield device, capability, claim.name, claim.priority, claim.until_ms

    def restore(self, device: str, capability: str, name: str, priority: int, until_ms: int) -> None:
        """Hold what was held before a restart."""
        self._claims[device, capability] = Claim("", name, priority, False, until_ms)

    def _valid(self, place: tuple[str, str], now_ms: int) -> Claim | None:
        claim = self._claims.get(place)
        if claim is not None and not claim.running and claim.until_ms <= now_ms:
            del self._claims[place]
            return None
        return claim

    def _until(self, claim: Claim) -> str:
        left_s = (claim.until_ms - self._clock.now_ms()) / 1000
        return f", for {left_s:.0f} s more" if left_s > 0 and not claim.running else ", until its run ends"
