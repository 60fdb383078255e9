"""What people write for a correction, read into a change; and a change shown as they would write it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.clock import iso
from ohmstead.core.errors import Invalid
from ohmstead.plugins.ledger import layers
from ohmstead.plugins.ledger.corrections.changes import (
    AnyChange,
    Confirm,
    IntervalScale,
    OfReadings,
    ReadingScale,
    Replace,
    SetTotal,
    Shift,
    Spread,
    Void,
)  # fmt: skip
from ohmstead.plugins.ledger.moments import Moment, decimal, moment
from ohmstead.plugins.ledger.points.bindings import MILLIONTHS, plain

MOST = "1000000000"  # kWh or m³ of one correction
MOST_INSTANTS = 1000
LONGEST_SHIFT_S = 400 * 86_400
_FRACTION = re.compile(r"(-?[0-9]{1,10})/([0-9]{1,10})")


class Step(NamedTuple):
    """A suspect step, as the ledger holds it: booking it from `from_ms` to `to_ms`."""

    from_ms: int
    to_ms: int
    mwh: int
    quality: str


def factor(value: Any) -> str:
    """An exact factor: a decimal such as 1.02, or a fraction of whole numbers such as 1/1000."""
    text = str(value).strip()
    fraction = _FRACTION.fullmatch(text)
    if fraction is None:
        return plain(decimal("-1000000000", MOST)(text))
    if int(fraction[2]) == 0:
        raise vol.Invalid("expected a fraction such as 1/1000, not one over 0")
    return text


def _whole_ms(value: Any) -> int:
    ms = decimal(str(-LONGEST_SHIFT_S), str(LONGEST_SHIFT_S), "seconds")(value) * 1000
    if ms != int(ms) or not ms:
        raise vol.Invalid("expected seconds, to a millisecond at most and not 0")
    return int(ms)


def _amount(value: Any) -> int:
    millionths = decimal("0", MOST)(value) * MILLIONTHS
    if millionths != int(millionths):
        raise vol.Invalid("expected at most 6 decimals: the ledger counts whole mWh (mL)")
    return int(millionths)


def _series(value: Any) -> str:
    device, _, quantity = str(value).partition(".")
    if not quantity:
        raise vol.Invalid("expected a series such as meter.energy_import")
    return f"{validate.slug(device)}.{validate.slug(quantity)}"


def _instants(value: Any) -> list[Moment]:
    found = validate.list_of(moment)(value)
    if not 0 < len(found) <= MOST_INSTANTS:
        raise vol.Invalid(f"expected 1 to {MOST_INSTANTS} instants")
    return found


FIELDS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "meter_point": (validate.slug, "id of the meter point whose intervals change"),
    "series": (_series, "device.quantity whose readings change"),
    "start": (moment, "first day or instant of the span"),
    "end": (moment, "first day or instant behind the span"),
    "instants": (_instants, "instants of single readings, instead of a span"),
    "kwh": (_amount, "the energy stated, in kWh (m³ for volumes)"),
    "factor": (factor, "exact factor: 1.02 or 1/1000"),
    "by": (validate.slug, "id of the meter point whose intervals are taken"),
    "by_s": (_whole_ms, "seconds the readings belong later; negative: earlier"),
    "at": (moment, "instant of the suspect reading"),
}
SPAN, READINGS, INTERVALS = ("start", "end"), ("series",), ("meter_point",)
NEEDS: Mapping[str, tuple[str, ...]] = {
    "void": READINGS, "shift": (*READINGS, "by_s"), "reading-scale": (*READINGS, "factor"),
    "set-total": (*INTERVALS, *SPAN, "kwh"), "spread": (*INTERVALS, *SPAN, "kwh"), "interval-scale": (*INTERVALS, *SPAN, "factor"),
    "replace": (*INTERVALS, *SPAN, "by"), "confirm": (*INTERVALS, "at"),
}  # fmt: skip
MAY: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("void", "shift", "reading-scale"), (*SPAN, "instants")), "replace": ("factor",),
}  # fmt: skip
KINDS = tuple(NEEDS)

BODY: dict[Any, Any] = {  # of the API; what each kind needs is asked for by `read`
    vol.Required("kind", description=", ".join(KINDS)): validate.one_of(*KINDS),
    **{vol.Optional(name, description=text): check for name, (check, text) in FIELDS.items()},
}


def read(given: Mapping[str, Any], ms: Callable[[Moment], int], step: Step | None = None) -> AnyChange:
    """The change that validated fields describe. `ms` turns days into instants; `step` is what a confirm is about.

    Invalid names what is missing or does not belong.
    """
    kind = given["kind"]
    if missing := [name for name in NEEDS[kind] if name not in given]:
        raise _wrong(missing[0], f"missing: a correction of kind {kind} needs {', '.join(NEEDS[kind])}")
    allowed = {*NEEDS[kind], *MAY.get(kind, ())}
    if strange := [name for name in FIELDS if name in given and name not in allowed]:
        raise _wrong(strange[0], f"a correction of kind {kind} takes {', '.join(sorted(allowed))}")
    if kind == "confirm":
        assert step is not None
        return Confirm(0, 0, given["meter_point"], step.from_ms, step.to_ms, step.mwh, step.quality)
    start_ms, end_ms, instants = _when(given, ms)
    if start_ms >= end_ms:
        raise _wrong("end", f"it ends at {iso(end_ms)} and begins at {iso(start_ms)}: the end lies behind the start")
    if kind in ("void", "shift", "reading-scale"):
        return _of_readings(kind, given, (start_ms, end_ms, given["series"], instants))
    return _of_intervals(kind, given, (start_ms, end_ms, given["meter_point"]))


def _when(given: Mapping[str, Any], ms: Callable[[Moment], int]) -> tuple[int, int, tuple[int, ...]]:
    if "instants" in given:
        if "start" in given or "end" in given:
            raise _wrong("instants", "give either instants, or start and end")
        instants = sorted({ms(at) for at in given["instants"]})
        return instants[0], instants[-1] + 1, tuple(instants)
    for name in SPAN:
        if name not in given:
            raise _wrong(name, "missing: give start and end, or instants")
    return ms(given["start"]), ms(given["end"]), ()


def _of_readings(kind: str, given: Mapping[str, Any], where: tuple[int, int, str, tuple[int, ...]]) -> AnyChange:
    if kind == "void":
        return Void(*where)
    return Shift(*where, by_ms=given["by_s"]) if kind == "shift" else ReadingScale(*where, factor=given["factor"])


def _of_intervals(kind: str, given: Mapping[str, Any], where: tuple[int, int, str]) -> AnyChange:
    if kind in ("set-total", "spread"):
        return (SetTotal if kind == "set-total" else Spread)(*where, given["kwh"])
    times = given.get("factor", "1")
    if times.startswith("-"):
        raise _wrong("factor", "expected a factor that is not negative: intervals never are")
    return IntervalScale(*where, times) if kind == "interval-scale" else Replace(*where, given["by"], times)


def shown(change: AnyChange) -> dict[str, Any]:
    """A change as `read` takes it, with what it works on."""
    if isinstance(change, Confirm):
        return {"kind": change.kind, "meter_point": change.meter_point, "at": iso(change.to_ms), "start": iso(change.from_ms),
                "end": iso(change.to_ms), "kwh": layers.kwh(change.mwh)}  # fmt: skip
    place = {"series": change.series} if isinstance(change, OfReadings) else {"meter_point": change.meter_point}
    found: dict[str, Any] = {"kind": change.kind, **place, "start": iso(change.start_ms), "end": iso(change.end_ms)}
    if isinstance(change, OfReadings) and change.instants:
        found = {"kind": change.kind, **place, "instants": [iso(at_ms) for at_ms in change.instants]}
    if isinstance(change, SetTotal | Spread):
        found["kwh"] = layers.kwh(change.mwh)
    elif isinstance(change, Shift):
        found["by_s"] = plain(Decimal(change.by_ms) / 1000)
    elif isinstance(change, ReadingScale | IntervalScale | Replace):
        found["factor"] = change.factor
    if isinstance(change, Replace):
        found["by"] = change.by
    return found


def kwh(mwh: int) -> str:
    """mWh as exact kWh (mL as m³), for texts: without zeros behind."""
    return plain(Decimal(mwh) / MILLIONTHS)


def place_of(change: AnyChange) -> str:
    """The series or meter point it works on."""
    return change.series if isinstance(change, OfReadings) else change.meter_point


def _wrong(field: str, message: str) -> Invalid:
    return Invalid(f"{field}: {message}", [{"path": field, "message": message}])
