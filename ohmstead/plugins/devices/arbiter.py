"""Who may command what when several want to: the greater priority, for as long as it holds it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from ohmstead.core.clock import Clock
from ohmstead.core.errors import Conflict
from ohmstead.core.model import Command


class Claim(msgspec.Struct):
    """What a holder has, for people by its name. `running`: until it lets go; `until`: at least so long, by the monotonic clock."""

    holder: str
    name: str
    priority: int
    running: bool
    until: float = 0.0


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
        now = self._clock.monotonic()
        found = self._valid(place, now)
        if found is not None and found.name != name and found.priority >= priority:
            held = f"{'.'.join(place)} is held by {found.name}{self._until(found)}"
            raise Conflict(f"{held}; its priority is {found.priority}, and this one has {priority}")
        until = 0.0 if hold_s is None else now + hold_s
        if found is not None and found.name == name:
            until = max(until, found.until)
        self._claims[place] = Claim(holder, name, priority, True, until)
        self._of.setdefault(holder, []).append(place)
        self.changed = self.changed or hold_s is not None or (found is not None and found.until > now)

    def release(self, holder: str) -> None:
        """A holder is done: what is not held for longer is free."""
        for place in self._of.pop(holder, ()):
            claim = self._claims.get(place)
            if claim is not None and claim.holder == holder:
                claim.running = False
                self._valid(place, self._clock.monotonic())

    def claimed(self, holder: str) -> list[tuple[str, str]]:
        """What a holder has: device and capability."""
        return [place for place in self._of.get(holder, ()) if (claim := self._claims.get(place)) is not None and claim.holder == holder]

    def take_again(self, places: Iterable[tuple[str, str]], holder: str, name: str, priority: int) -> None:
        """After a restart a holder has what it had before."""
        for device, capability in places:
            found = self._claims.get((device, capability))
            self._claims[device, capability] = Claim(holder, name, priority, True, 0.0 if found is None else found.until)
            self._of.setdefault(holder, []).append((device, capability))

    def held(self) -> Iterator[tuple[str, str, str, int, int]]:
        """What is held beyond a run: device, capability, name, priority, until when (ms)."""
        now, now_ms = self._clock.monotonic(), self._clock.now_ms()
        for (device, capability), claim in self._claims.items():
            if claim.until > now:
                yield device, capability, claim.name, claim.priority, now_ms + round((claim.until - now) * 1000)

    def restore(self, device: str, capability: str, name: str, priority: int, until_ms: int) -> None:
        """Hold what was held before a restart."""
        until = self._clock.monotonic() + (until_ms - self._clock.now_ms()) / 1000
        self._claims[device, capability] = Claim("", name, priority, False, until)

    def _valid(self, place: tuple[str, str], now: float) -> Claim | None:
        claim = self._claims.get(place)
        if claim is not None and not claim.running and claim.until <= now:
            del self._claims[place]
            return None
        return claim

    def _until(self, claim: Claim) -> str:
        left_s = claim.until - self._clock.monotonic()
        return f", for {left_s:.0f} s more" if left_s > 0 and not claim.running else ", until its run ends"
