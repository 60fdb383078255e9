"""Which column holds what: `quantity=column`, `quantity=column:unit`, `device.quantity=column:unit`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.errors import Invalid, Unsupported
from ohmstead.core.model import is_slug
from ohmstead.core.quantity import Kind, Quantity, convert


class Column(msgspec.Struct, frozen=True):
    """One column to read: its name, what it holds, and the device if that is not the same for all."""

    name: str
    quantity: str
    unit: str | None = None
    device: str | None = None


def columns(value: Any) -> list[Column]:
    """A mapping of `quantity` or `device.quantity` to a column, or to {column, unit}; or the same as text."""
    if isinstance(value, Mapping):
        found = [_column(str(target), source) for target, source in value.items()]
    elif isinstance(value, str):
        found = [_written(part) for part in value.split(",")]
    elif isinstance(value, list):
        found = [_written(str(part)) for part in value]
    else:
        raise vol.Invalid("expected quantity=column, such as energy=usage_kwh")
    if not found:
        raise vol.Invalid("expected at least one column")
    return found


def _written(text: str) -> Column:
    target, equals, source = text.strip().partition("=")
    if not equals or not source:
        raise vol.Invalid(f"expected quantity=column, not {text.strip()!r}")
    name, _, unit = source.partition(":")
    return _column(target, {"column": name, "unit": unit} if unit else name)


def _column(target: str, source: Any) -> Column:
    device, dot, quantity = target.strip().rpartition(".")
    if dot and not is_slug(device):
        raise vol.Invalid(f"{device!r} is no id of a device")
    if isinstance(source, Mapping):
        if not source.keys() <= {"column", "unit"} or "column" not in source:
            raise vol.Invalid(f"{target}: expected a column, or column and unit")
        return Column(str(source["column"]), quantity, source.get("unit"), device or None)
    return Column(str(source).strip(), quantity, None, device or None)


class Reader(msgspec.Struct, frozen=True):
    """A column as it is read: where it stands, what it holds, and the factor and offset to the canonical unit."""

    index: int
    quantity: Quantity
    device: str | None
    factor: float
    offset: float


def readers(wanted: Iterable[Column], header: list[str], quantities: Mapping[str, Quantity], options: Mapping[str, Any]) -> list[Reader]:
    """The columns found in the header of a file. Invalid for a column, quantity or unit that is not there."""
    return [_reader(column, header, quantities, options) for column in wanted]


def _reader(column: Column, header: list[str], quantities: Mapping[str, Quantity], options: Mapping[str, Any]) -> Reader:
    quantity = quantities.get(column.quantity)
    if quantity is None:
        raise Invalid(f"unknown quantity {column.quantity!r}.{validate.did_you_mean(column.quantity, quantities)}")
    if options.get("kind") not in (None, quantity.kind.value):
        raise Invalid(f"{quantity.name} is a {quantity.kind}, not a {options['kind']}; {_other(options['kind'])}")
    if quantity.kind is Kind.DELTA and "period" not in options:
        raise Invalid(f"{quantity.name} is the amount of a period: say how long that is, such as period=15m")
    if column.device is None and "device" not in options and "device_column" not in options:
        raise Invalid(f"say which device {quantity.name} is of: device=…, device_column=… or <device>.{quantity.name}={column.name}")
    factor, offset = _line(column.unit, quantity)
    return Reader(place(column.name, header), quantity, column.device, factor, offset)


def place(name: str, header: list[str]) -> int:
    """Where a column stands; Invalid when it is not in the header."""
    if name not in header:
        raise Invalid(f"there is no column {name!r}; there are {', '.join(header)[:400]}.{validate.did_you_mean(name, header)}")
    return header.index(name)


def _line(unit: str | None, quantity: Quantity) -> tuple[float, float]:
    """Factor and offset from a unit to the canonical one; all units are straight lines."""
    if unit is None or unit == quantity.unit:
        return 1.0, 0.0
    try:
        offset = convert(0, unit, quantity.unit)
        return convert(1, unit, quantity.unit) - offset, offset
    except Unsupported as error:
        raise Invalid(f"{quantity.name}: {error}") from None


def _other(kind: str) -> str:
    return {
        "gauge": "a value at an instant is for example power",
        "counter": "a rising register is for example energy_import",
        "delta": "the energy of a period is energy",
    }[kind]
