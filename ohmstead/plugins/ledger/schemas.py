"""What a meter point or a binding may be described with, in the YAML and over the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.quantity import Kind, Quantities
from ohmstead.plugins.ledger.derive.rules import SCALES
from ohmstead.plugins.ledger.moments import decimal, instant_ms, moment
from ohmstead.plugins.ledger.points.bindings import LONGEST_GAP_MS, MILLIONTHS, SINCE_EVER, Binding, Part, Resets, Term
from ohmstead.plugins.ledger.points.points import BY_PEOPLE

LARGEST = "1000000000000"  # of a register or a modulus, in the register's own unit
MOST_TERMS = 32

name = vol.All(validate.text, vol.Length(max=200, msg="expected at most 200 characters"))
register = decimal("0", LARGEST)


def factor(value: Any) -> Decimal:
    """What values are multiplied with: anything but 0."""
    found = decimal("-1000000", "1000000")(value)
    if not found:
        raise vol.Invalid("expected a number other than 0")
    return found


def or_null(validator: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The validator, or null for what is not known."""

    def known_or_null(value: Any) -> Any:
        return None if value is None else validator(value)

    return known_or_null


def address(quantities: Quantities) -> Callable[[Any], str]:
    """A series that measures energy, power, a volume or a flow, as `device.quantity`."""

    def series(value: Any) -> str:
        device, dot, quantity = str(value).partition(".")
        if not dot:
            raise vol.Invalid("expected a series as device.quantity, such as grid.energy_import")
        validate.slug(device)
        known = quantities.get(quantity)
        if known is None:
            raise vol.Invalid(f"unknown quantity {quantity[:64]!r}.{validate.did_you_mean(quantity, quantities)}")
        if known.kind is Kind.TEXT or known.unit not in SCALES:
            raise vol.Invalid(f"{quantity} measures no energy, power, volume or flow")
        return f"{device}.{quantity}"

    return series


class Shapes:
    """The schemas of one house, which knows its quantities."""

    def __init__(self, quantities: Quantities) -> None:
        self._quantities = quantities
        series = address(quantities)
        term = vol.Schema({vol.Required("series", description="as device.quantity"): series, **_reading()})

        def one(value: Any) -> Any:
            return term(value) if isinstance(value, Mapping) else series(value)

        self._terms = vol.All(
            validate.list_of(one),
            vol.Length(1, MOST_TERMS, msg=f"expected one to {MOST_TERMS} series"),
        )
        terms = "the series that measures it, as device.quantity, or a list of series that are added"
        self.point: dict[Any, Any] = {
            vol.Optional("name", description="name for people; the id unless given"): name,
            vol.Optional("role", description=", ".join(BY_PEOPLE)): validate.one_of(*BY_PEOPLE),
            vol.Optional("location", description="id of the location it belongs to; home unless given"): validate.slug,
            vol.Optional("parent", description="id of the meter point it hangs under; loads hang under consumption unless given"):
                or_null(validate.slug),
            vol.Optional("category", description="what kind of use it is, for consumption by category"): or_null(name),
        }  # fmt: skip
        self.binding: dict[Any, Any] = {
            vol.Required("series", description=terms): self._terms,
            vol.Optional("from", description="when it begins: a day where the meter point is, or an instant; since ever unless given"):
                or_null(moment),
            vol.Optional("to", description="when it ends, not included; never unless given"): or_null(moment),
            **_reading(),
            **_limits(),
        }  # fmt: skip
        measured = {vol.Optional("series", description=terms): self._terms, **_reading(), **_limits()}
        self.yaml_point: dict[Any, Any] = {
            **self.point,
            **measured,
            vol.Optional("bindings", description="series by time, when they change"): [self.binding],
        }
        self.api_point: dict[Any, Any] = {**self.point, **measured}
        self.swap: dict[Any, Any] = {
            vol.Required("at", description="when the new meter took over: a day where the meter point is, or an instant"): moment,
            vol.Optional("series", description="what measures it from then on; the same series unless given"): self._terms,
            vol.Optional("closing", description="what the old register showed at its end, as it displays"): register,
            vol.Optional("opening", description="what the new register showed at its beginning, as it displays"): register,
            **{key: value for key, value in _reading().items() if key not in ("opening", "closing")},
            **_limits(),
        }

    def made(self, given: Mapping[str, Any], zone: str, plausible_per_h: int) -> Binding:
        """The binding that validated data describes; days are those of the IANA `zone`. voluptuous.Invalid when it cannot be."""
        start, end = given.get("from"), given.get("to")
        from_ms = SINCE_EVER if start is None else instant_ms(start, zone)
        to_ms = None if end is None else instant_ms(end, zone)
        if to_ms is not None and to_ms <= from_ms:
            raise vol.Invalid("expected an end behind the beginning", path=["to"])
        terms = tuple(self.term(each, given) for each in given["series"])
        if len({term.series for term in terms}) < len(terms):
            raise vol.Invalid("expected each series once", path=["series"])
        most, gap_s = given.get("plausible_max"), given.get("longest_gap")
        limit = plausible_per_h if most is None else int(most * MILLIONTHS)
        return Binding(from_ms, to_ms, terms, limit, LONGEST_GAP_MS if gap_s is None else round(gap_s * 1000))

    def term(self, given: str | Mapping[str, Any], around: Mapping[str, Any]) -> Term:
        """One series with what is said of it, or of all around it."""
        own = {"series": given} if isinstance(given, str) else dict(given)
        said = {key: around[key] for key in ("factor", "modulus", "resets", "part", "opening", "closing") if key in around} | own
        kind = self._quantities[said["series"].partition(".")[2]].kind
        if kind is Kind.COUNTER and said.get("factor", 1) < 0:
            raise vol.Invalid("expected a positive factor for a register", path=["factor"])
        part = said.pop("part", Part.POSITIVE if kind is Kind.GAUGE else Part.ALL)
        return Term(**{**said, "part": Part(part), "resets": Resets(said.get("resets", Resets.NONE))})


def _reading() -> dict[Any, Any]:
    """How the values of a series are read."""
    return {
        vol.Optional("factor", description="what values are multiplied with: current transformer, weight of a pulse; 1 unless given"):
            factor,
        vol.Optional("modulus", description="the count at which the register returns to 0: 100000 for a display ending at 99999.9"):
            vol.All(register, vol.Range(min=0, min_included=False, msg="expected a number above 0")),
        vol.Optional("resets", description="none, daily or on_boot: whether the register begins again by itself"): validate.one_of(*Resets),
        vol.Optional("part", description="positive, negative or all; positive for power. On a register: it may fall by design, "
                                         "and its rises (positive) or falls (negative) count"): validate.one_of(*Part),
        vol.Optional("opening", description="what the register showed when this began, as it displays"): register,
        vol.Optional("closing", description="what the register showed when this ended, as it displays"): register,
    }  # fmt: skip


def _limits() -> dict[Any, Any]:
    return {
        vol.Optional("longest_gap", description="how long a value holds without another; 1h unless given"): validate.seconds,
        vol.Optional("plausible_max", description="the greatest mean power believed, in kW (m³/h for gas and water); "
                                                  "50 at a home, 500 in a building, 5000 in a facility unless given"):
            decimal("0.001", "100000000"),
    }  # fmt: skip


def day(value: Any) -> date:
    """A day of the calendar."""
    found = moment(value)
    if isinstance(found, datetime):
        raise vol.Invalid("expected a day such as 2026-03-01; a new length begins at midnight UTC")
    return found


SLOT = validate.one_of("5m", "15m")
LEDGER: dict[Any, Any] = {
    vol.Optional("slot", default="15m", description="how long a slot is: 5m or 15m"): SLOT,
    vol.Optional("changes", default=[], description="other lengths, each from midnight UTC of a day on"): [
        {vol.Required("from", description="the first day of it"): day, vol.Required("slot", description="5m or 15m"): SLOT}
    ],
}
