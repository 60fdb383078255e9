"""The `tariffs:` section and the bodies of the API: what is stated of a tariff, checked whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Any

import voluptuous as vol

from ohmstead.core import validate
from ohmstead.core.plugin import TariffKind
from ohmstead.plugins.tariffs import gas, money, netting
from ohmstead.plugins.tariffs.bill import MODES, TOTAL
from ohmstead.plugins.tariffs.kinds import registers
from ohmstead.plugins.tariffs.moment import day, instant, moment
from ohmstead.plugins.tariffs.tariff import Component, Moment, Tariff, Version

VAT = money.between(0, 100, "%")
EVER = date(1970, 1, 1)  # the first day of a version that states none
TARIFF_KEYS = ("name", "currency", "versions")
ONLY = {"components": "what is charged, each with its type; or state versions"}  # said of a tariff's only version


class Schema:
    """Checks tariffs made of the kinds of components that there are."""

    def __init__(self, kinds: Mapping[str, TariffKind]) -> None:
        self._kinds = kinds

    def tariff(self) -> Any:
        """A tariff with its versions, or with the one version it has."""
        return vol.All(self.options(), self._whole, versions)

    def options(self) -> dict[Any, Any]:
        """What may be stated of a tariff."""
        return {
            vol.Optional("name", description="name for people; the id unless given"): validate.text,
            vol.Required("currency", description="ISO 4217 code of its money, such as EUR"): validate.currency,
            vol.Optional("versions", description="its prices, each version from a date on"): each(self._version_options),
            **{vol.Optional(key.schema, description=ONLY.get(key.schema, key.description)): value for key, value in self.version().items()},
        }

    def version(self) -> dict[Any, Any]:
        """What one version states."""
        return {
            vol.Required("from", description="first day, or first instant, on which it is valid"): moment,
            vol.Optional("until", description="day, or instant, from which it is not valid any more"): moment,
            vol.Optional("recorded", description="when these prices became known, for bills as known at a time"): instant,
            vol.Optional("vat", description="VAT in percent of components that state none; 0 unless given"): VAT,
            vol.Optional("vat_mode", description="total: on the sum of the lines; line: on each line; included: prices are gross. "
                         "total unless given"): validate.one_of(*MODES),
            vol.Optional("unit", description="what is priced: kWh, or m³ of water or gas; kWh unless given"): validate.one_of("kWh", "m³"),
            vol.Optional("holidays", description="list of dates"): [day],
            vol.Optional("gas", description="how m³ of gas become kWh"): gas.GAS,
            vol.Optional("netting", description="how export meets import"): netting.SCHEMA,
            vol.Required("components", description="what is charged, each with its type"): vol.All(each(self._component), _components),
        }  # fmt: skip

    def _whole(self, value: dict[str, Any]) -> dict[str, Any]:
        """A tariff's only version, stated with the tariff itself, as a list of one."""
        own = {key: value[key] for key in value if key not in TARIFF_KEYS}
        if "versions" in value:
            if own:
                raise vol.Invalid("belongs into a version, since there are versions", path=[next(iter(own))])
            return value
        if "components" not in own:
            raise vol.RequiredFieldInvalid(f"is missing ({ONLY['components']})", path=["components"])
        return {**{key: value[key] for key in value if key in TARIFF_KEYS}, "versions": [self._check({"from": EVER, **own})]}

    def _component(self, value: Any) -> dict[str, Any]:
        """One component by the schema of its type."""
        if not isinstance(value, dict) or "type" not in value:
            raise vol.Invalid(f"expected a component with its type; there are {', '.join(sorted(self._kinds))}")
        kind = self._kinds.get(value["type"]) if isinstance(value["type"], str) else None
        if kind is None:
            hint = validate.did_you_mean(str(value["type"]), self._kinds)
            raise vol.Invalid(f"there is no such type of component; there are {', '.join(sorted(self._kinds))}.{hint}", path=["type"])
        return cleared(self.component(kind), value)

    def _version_options(self, value: Any) -> dict[str, Any]:
        return self._check(cleared(self.version(), value))

    def component(self, kind: TariffKind) -> dict[Any, Any]:
        """What a component of a kind may state."""
        return {
            vol.Required("type", description=kind.description): kind.type,
            vol.Optional("name", default=kind.type, description="what the bill calls it; others refer to it by this"): validate.text,
            vol.Optional("vat", description="VAT in percent; the version's unless given"): VAT,
            vol.Optional("grid_zone", description="the grid zone that it is for; every one unless given"): validate.text,
            **kind.schema,
        }

    def _check(self, version: dict[str, Any]) -> dict[str, Any]:
        """What only shows once a version is put together."""
        if version.get("netting", {}).get("over") is not None:
            _no_registers(version["components"])
        try:
            each(lambda options: self._rule(version, options))(version["components"])
        except vol.Invalid as error:
            error.prepend(["components"])
            raise
        return version

    def _rule(self, version: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
        return self._kinds[options["type"]].compile(options, frozenset(version.get("holidays", ())))

    def compiled(self, id_: str, options: Mapping[str, Any], origin: str = "yaml") -> Tariff:
        """The tariff that checked options describe."""
        made = tuple(self._version(each) for each in options["versions"])
        return Tariff(id_, options.get("name", id_), options["currency"], made, origin)

    def _version(self, options: Mapping[str, Any]) -> Version:
        components = []
        depths: dict[str, int] = {}
        for given in options["components"]:
            rule = self._rule(options, given)
            of = tuple(getattr(rule, "of", ()))
            depth = depths[given["name"]] = 1 + max((depths.get(name, 0) for name in of), default=-1)
            vat = Fraction(given.get("vat", options.get("vat", 0)))
            components.append(Component(given["name"], self._kinds[given["type"]], rule, vat, given.get("grid_zone"), of, depth))
        return Version(
            options["from"], tuple(components), options.get("recorded", 0), options.get("until"), options.get("vat_mode", TOTAL),
            Fraction(options.get("vat", 0)),
            netting.compiled(options["netting"]) if "netting" in options else None,
            gas.compiled(options["gas"]) if "gas" in options else None,
            options.get("unit", "kWh"), options,
        )  # fmt: skip


def _components(value: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Names once, and what a component is taken of before it."""
    if not value:
        raise vol.Invalid("expected at least one component")
    seen: set[tuple[str, str | None]] = set()
    for place, component in enumerate(value):
        name, zone = component["name"], component.get("grid_zone")
        if (name, zone) in seen or (name, None) in seen or (zone is None and any(name == known for known, _ in seen)):
            raise vol.Invalid(f"there are two components {name!r}; expected a name of its own for each", path=[place, "name"])
        missing = [base for base in component.get("of", ()) if base not in {known for known, _ in seen} | {netting.NAME}]
        if missing:
            wrong = f"there is no component {missing[0]!r} before this one; name components that stand above it"
            raise vol.Invalid(wrong, path=[place, "of"])
        if name == netting.NAME:
            raise vol.Invalid(f"{name!r} is what the lines of netting are called; choose another name", path=[place, "name"])
        seen.add((name, zone))
    return value


def _no_registers(components: list[dict[str, Any]]) -> None:
    for place, component in enumerate(components):
        if component["type"] == registers.KIND.type:
            wrong = "registers cannot be netted, since export has none; price by time_of_use instead"
            raise vol.Invalid(wrong, path=["components", place, "type"])


def each(check: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    """A list of what `check` takes; every mistake in it is told, not only the first."""

    def many(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise vol.Invalid("expected a list")
        found, errors = [], list[vol.Invalid]()
        for place, item in enumerate(value):
            try:
                found.append(check(item))
            except vol.MultipleInvalid as error:
                error.prepend([place])
                errors += error.errors
            except vol.Invalid as error:
                error.prepend([place])
                errors.append(error)
        if errors:
            raise vol.MultipleInvalid(errors)
        return found

    return many


def cleared(schema: Mapping[Any, Any], value: Any) -> dict[str, Any]:
    """`value` as the mapping makes it; mistakes say what would be right."""
    try:
        options: dict[str, Any] = vol.Schema(dict(schema))(value)
    except vol.MultipleInvalid as error:
        raise vol.MultipleInvalid([_clear(each, schema) for each in error.errors]) from None
    return options


def _clear(error: vol.Invalid, schema: Mapping[Any, Any]) -> vol.Invalid:
    """A mistake in a component, said with what would be right."""
    markers = {str(marker): marker for marker in schema}
    if len(error.path) == 1 and error.error_message == "extra keys not allowed":
        hint = validate.did_you_mean(str(error.path[0]), markers) or f" There are {', '.join(sorted(markers))}"
        return vol.Invalid(f"unknown option.{hint}", path=error.path)
    if len(error.path) == 1 and isinstance(error, vol.RequiredFieldInvalid):
        return vol.Invalid(f"is missing ({markers[str(error.path[0])].description})", path=error.path)
    return error


def versions(tariff: dict[str, Any]) -> dict[str, Any]:
    """A tariff whose versions neither overlap nor leave holes."""
    if not tariff["versions"]:
        raise vol.Invalid("expected at least one version", path=["versions"])
    for place, text in _clashes(tariff["versions"]):
        raise vol.Invalid(text, path=["versions", place, "from"])
    return tariff


def _clashes(value: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    ordered = sorted(range(len(value)), key=lambda place: (_rank(value[place]["from"]), value[place].get("recorded", 0)))
    for place in ordered:
        until = value[place].get("until")
        if until is not None and _rank(until) <= _rank(value[place]["from"]):
            yield place, f"ends on {until}, which is not after it begins; until is the first day on which it is not valid"
    for before, after in pairwise(ordered):
        first, second = value[before], value[after]
        if first["from"] == second["from"]:
            if first.get("recorded", 0) == second.get("recorded", 0):
                yield after, f"two versions begin on {first['from']}; state when each was recorded, or another first day"
        elif "until" in first and _rank(first["until"]) != _rank(second["from"]):
            what = "overlaps" if _rank(first["until"]) > _rank(second["from"]) else "leaves a hole after"
            yield after, f"{what} the version before, which ends on {first['until']}; begin on that day, or leave its until out"


def _rank(at: Moment) -> tuple[int, int]:
    """Moments in order: a date as the day it is in UTC."""
    return (at, 1) if isinstance(at, int) else ((at - date(1970, 1, 1)).days * 86_400_000, 0)
