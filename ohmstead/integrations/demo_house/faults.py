"""What goes wrong with devices, on purpose: seeded, so that a fault can be seen again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import Random

import msgspec

from ohmstead.integrations.demo_house.devices import Said, Values

log = logging.getLogger(__name__)

LONGEST = 6  # messages that a fault lasts at most
HOUR_MS = 3_600_000


class Fault(msgspec.Struct):
    """What is wrong with one device right now."""

    name: str
    left: int  # messages it still lasts
    size: float  # 0 … 1


class Patient(msgspec.Struct):
    """One device: its own chance, and what is wrong now."""

    chance: Random
    fault: Fault | None = None


class Faults:
    """Changes what devices say. `share` is the chance of each message that a fault begins with it."""

    def __init__(self, seed: int, share: float) -> None:
        self._seed, self._share = seed, share
        self._patients: dict[str, Patient] = {}
        self.begun: dict[str, int] = dict.fromkeys(KINDS, 0)
        self.began: dict[str, Values] = {}  # by device: what its registers showed when they were last reset

    def pass_on(self, said: Said) -> Said | None:
        """What comes out of the device instead; None when nothing does."""
        fault = self._fault(said) if self._share > 0 else None
        if fault is not None and not KINDS[fault.name](said, fault):
            return None
        if fault is not None and fault.name == "meter_reset":
            self.began[said.device] = dict(said.registers)
        began = self.began.get(said.device, {})
        said.registers = {name: _since(value, began.get(name, 0)) for name, value in said.registers.items()}
        if fault is not None and fault.name == "zero_blip":
            said.registers = dict.fromkeys(said.registers, 0.0)
        return said

    def _fault(self, said: Said) -> Fault | None:
        """What is wrong with the device as it says this."""
        patient = self._patients.get(said.device)
        if patient is None:
            patient = self._patients[said.device] = Patient(Random(f"{self._seed}:{said.device}"))  # noqa: S311 - play, not secrets
        if patient.fault is None and patient.chance.random() < self._share:
            patient.fault = self._begin(patient, said)
        fault = patient.fault
        if fault is not None:
            fault.left -= 1
            if fault.left <= 0:
                patient.fault = None
        return fault

    def _begin(self, patient: Patient, said: Said) -> Fault:
        name = patient.chance.choice([kind for kind in KINDS if _suits(kind, said)])
        lasts = 1 if name in ("zero_blip", "meter_reset") else patient.chance.randint(1, LONGEST)
        self.begun[name] += 1
        log.info("%s: %s begins", said.device, name)
        return Fault(name, lasts, patient.chance.random())


def _suits(kind: str, said: Said) -> bool:
    """Whether this message would show it."""
    if kind in ("zero_blip", "meter_reset"):
        return bool(said.registers)
    needs = {"overheat": "temperature", "voltage_spike": "voltage", "current_surge": "current"}.get(kind)
    return needs is None or needs in said.telemetry


def _since(value: float | str, began: float | str) -> float:
    return round(float(value) - float(began), 6)


def _overheat(said: Said, fault: Fault) -> bool:
    said.telemetry["temperature"] = round(85 + 25 * fault.size, 1)
    return True


def _voltage_spike(said: Said, fault: Fault) -> bool:
    said.telemetry["voltage"] = round(262 + 40 * fault.size, 1)
    return True


def _current_surge(said: Said, fault: Fault) -> bool:
    current = round(max(2.0, abs(float(said.telemetry["current"]))) * (3 + 4 * fault.size), 3)
    said.telemetry |= {"current": current, "power": round(current * float(said.telemetry["voltage"]), 1)}
    return True


def _dropout(said: Said, fault: Fault) -> bool:
    return False


def _meter_reset(said: Said, fault: Fault) -> bool:
    return True  # Faults takes note of where the registers begin anew


def _zero_blip(said: Said, fault: Fault) -> bool:
    if "power" in said.telemetry:
        said.telemetry["power"] = 0.0
    return True


def _clock_jump(said: Said, fault: Fault) -> bool:
    said.at_ms += round((2 if fault.size > 0.5 else -1) * HOUR_MS)
    return True


KINDS: dict[str, Callable[[Said, Fault], bool]] = {
    "overheat": _overheat, "voltage_spike": _voltage_spike, "current_surge": _current_surge, "dropout": _dropout,
    "meter_reset": _meter_reset, "zero_blip": _zero_blip, "clock_jump": _clock_jump,
}  # fmt: skip
