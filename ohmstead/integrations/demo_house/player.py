"""Plays houses in real time: what their devices publish, message by message, and what they make of commands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from ohmstead.core.clock import Clock, iso
from ohmstead.integrations.demo_house.devices import DEVICES, SOURCES_OF_GREEN, Said, Senses, speak
from ohmstead.integrations.demo_house.faults import Faults
from ohmstead.integrations.demo_house.house import SWITCHED, House

REGISTERS_EVERY_MS = 60_000
COMMANDS = "devices/+/command"


class Message(msgspec.Struct, frozen=True):
    """One MQTT message."""

    topic: str
    payload: bytes


class Player:
    """One house. `suffix` sets its devices' ids apart from those of other houses; `only` are the devices that speak."""

    def __init__(self, house: House, every_ms: int, faults: Faults, suffix: str = "", only: int = len(DEVICES)) -> None:
        self.house = house
        self._every_ms = every_ms
        self._faults = faults
        self._senses = Senses(house.seed, house.at_ms)
        self._suffix = suffix
        self._devices = {str(info.id) for info in DEVICES[:only]}

    def __len__(self) -> int:
        return len(self._devices)

    def play(self, at_ms: int) -> list[Message]:
        """Let time pass up to `at_ms` and hear what is said then; once a minute the registers, too."""
        self.house.advance(at_ms)
        return self._all(with_registers=at_ms % REGISTERS_EVERY_MS < self._every_ms)

    def _all(self, with_registers: bool) -> list[Message]:
        heard = (said for said in speak(self.house, self._senses) if said.device in self._devices)
        return [message for said in heard for message in self._messages(said, with_registers)]

    def hello(self, word: str) -> list[Message]:
        """Every device says "online" or "offline"."""
        body = msgspec.json.encode({"status": word, "timestamp": iso(self.house.at_ms)})
        return [Message(f"devices/{device}{self._suffix}/status", body) for device in sorted(self._devices)]

    def obey(self, topic: str, payload: bytes, at_ms: int) -> list[Message]:
        """Carry out `{"switch": "on"}` of a `devices/{id}/command` topic; what all say then, since the power of others moves
        with it. Nonsense is passed over.
        """
        device = topic.split("/")[1] if topic.count("/") == 2 else ""
        device = device.removesuffix(self._suffix) if device.endswith(self._suffix) else ""
        if device not in self._devices or device not in SWITCHED:
            return []
        try:
            word = msgspec.json.decode(payload, type=dict[str, str]).get("switch")
        except msgspec.DecodeError:
            return []
        if word not in ("on", "off"):
            return []
        self.house.advance(at_ms)
        self.house.switch(device, word == "on")
        return self._all(with_registers=False)

    def _messages(self, said: Said, with_registers: bool) -> list[Message]:
        if not with_registers and said.device not in SOURCES_OF_GREEN:
            said.registers = {}
        passed = self._faults.pass_on(said)
        if passed is None:
            return []
        device, at = passed.device + self._suffix, iso(passed.at_ms)
        if passed.device in SOURCES_OF_GREEN:
            return [_message(f"green-energy/{device}/generation", {"timestamp": at, **passed.telemetry, **passed.registers})]
        messages = [_message(f"devices/{device}/telemetry", {"device_id": device, "timestamp": at, **passed.telemetry})]
        if passed.registers:
            messages.append(_message(f"devices/{device}/readings", {"timestamp": at, **passed.registers}))
        return messages


def _message(topic: str, body: Mapping[str, float | str]) -> Message:
    return Message(topic, msgspec.json.encode(body))


async def rounds(players: Sequence[Player], every_ms: int, clock: Clock) -> AsyncIterator[tuple[Player, int]]:
    """Whose turn it is, and when: every player once in `every_ms`, spread over it. Turns that were missed are left out."""
    turn_ms = every_ms / len(players)
    turn = int(clock.now_ms() / turn_ms) - 1
    while True:
        turn = max(turn + 1, int((clock.now_ms() - every_ms) / turn_ms))
        await clock.sleep(max(0.0, turn * turn_ms - clock.now_ms()) / 1000)
        yield players[turn % len(players)], int(turn * turn_ms)
