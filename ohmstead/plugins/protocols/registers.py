"""Modbus registers as values, and device templates that say which registers mean what. Pure: reads nothing itself.

A template is data, in YAML:

    name: Eastron SDM630
    manufacturer: Eastron
    model: SDM630
    function: 4          # 3 holding, 4 input registers
    type: float32        # of all registers that do not say otherwise
    registers:
      voltage_l1: 0x0000                            # in the quantity's own unit
      power_factor: {at: 0x003E, unit: ratio}       # in another one
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from ohmstead.core.errors import ConfigError
from ohmstead.core.model import Reading
from ohmstead.core.quantity import Quantities, convert

Type = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32"]
Order = Literal["big", "lsw"]  # the most, or the least, significant word first; bytes in a word are always big-endian

_FORMATS = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "uint64": ">Q", "float32": ">f"}
MOST = 125  # registers in one request


def width(type: Type) -> int:  # noqa: A002
    """How many registers a value takes."""
    return struct.calcsize(_FORMATS[type]) // 2


def decode(words: Sequence[int], type: Type, order: Order = "big") -> float | int:  # noqa: A002
    """The value in `width(type)` registers. A float32 comes as the shortest decimal that stands for it.

    >>> decode([0x4366, 0x3333], "float32")
    230.2
    >>> decode([0xFB2E, 0xFFFF], "int32", "lsw")
    -1234
    """
    if order == "lsw":
        words = words[::-1]
    raw = struct.pack(f">{len(words)}H", *words)
    (value,) = struct.unpack(_FORMATS[type], raw)
    return _shortest(value) if type == "float32" else int(value)


def _shortest(value: float) -> float:
    """The decimal that the meter shows: 230.2, not 230.1999969482422, which is the same 32 bits."""
    if not math.isfinite(value):
        return value
    exact = struct.pack(">f", value)
    for digits in range(6, 9):
        short = float(f"{value:.{digits}g}")
        if abs(short) <= 3.4028234e38 and struct.pack(">f", short) == exact:
            return short
    return float(f"{value:.9g}")


def plan(wanted: Iterable[tuple[int, int]], gap: int, longest: int = MOST) -> list[tuple[int, int]]:
    """The fewest requests (address, count) that cover all (address, count) in `wanted`, in order of address.

    Reads at most `gap` unwanted registers between two wanted ones and at most `longest` at once.
    """
    requests: list[tuple[int, int]] = []
    for address, count in sorted(wanted):
        if requests:
            first, length = requests[-1]
            merged = max(first + length, address + count) - first
            if address - (first + length) <= gap and merged <= longest:
                requests[-1] = (first, merged)
                continue
        requests.append((address, count))
    return requests


class Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a quantity lies. The reading is the value × `scale` in `unit` (None: the quantity's own), converted."""

    at: int
    type: Type | None = None
    order: Order | None = None
    unit: str | None = None
    scale: float = 1


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model's registers. `gap` and `longest` bound the batches that it can be read in."""

    name: str
    manufacturer: str
    model: str
    registers: dict[str, Register]
    kind: str = "meter"
    function: Literal[3, 4] = 4
    type: Type = "float32"
    order: Order = "big"
    gap: int = 8
    longest: int = MOST

    def requests(self) -> list[tuple[int, int]]:
        """The (address, count) to read."""
        return plan(((r.at, width(r.type or self.type)) for r in self.registers.values()), self.gap, self.longest)

    def readings(self, memory: Mapping[int, int], quantities: Quantities, at: Any = None) -> Iterator[Reading]:
        """The readings in `memory` (register by address); a register that says "not a number" gives none."""
        for quantity, register in self.registers.items():
            type_ = register.type or self.type
            words = [memory[register.at + i] for i in range(width(type_))]
            value = decode(words, type_, register.order or self.order)
            if register.scale != 1:
                value = round(value * register.scale, 9)
            if math.isfinite(value):
                own = quantities[quantity].unit
                yield Reading(quantity, convert(value, register.unit or own, own), at)


def template(data: Mapping[str, Any], quantities: Quantities) -> Template:
    """A template from the mapping that its YAML holds; ConfigError naming the place that is wrong."""
    registers = {quantity: {"at": r} if isinstance(r, int | str) else r for quantity, r in dict(data.get("registers") or {}).items()}
    try:
        made = msgspec.convert({**data, "registers": {q: _address(r) for q, r in registers.items()}}, Template)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"device template {data.get('name', '')}: {error}") from error
    unknown = [quantity for quantity in made.registers if quantity not in quantities]
    if unknown:
        raise ConfigError(f"device template {made.name}: unknown quantity {unknown[0]!r}")
    return made


def _address(register: Any) -> Any:
    """Addresses may be written as 0x48, which some readers of YAML leave a text."""
    if isinstance(register, Mapping) and isinstance(register.get("at"), str):
        return {**register, "at": int(register["at"], 0)}
    return register
