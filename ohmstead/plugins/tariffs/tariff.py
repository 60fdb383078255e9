"""A tariff and its versions: what applies from when, and what was known of it when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.core.clock import iso
from ohmstead.core.plugin import TariffKind
from ohmstead.plugins.tariffs.gas import Gas
from ohmstead.plugins.tariffs.local import midnight
from ohmstead.plugins.tariffs.netting import Netting

Moment = date | int  # a local date, at the zone's midnight, or an instant in ms


class Component(msgspec.Struct, frozen=True):
    """One rule of a version under its name. `of` are the components it is taken of; `depth` is 0 for one that has none."""

    name: str
    kind: TariffKind
    rule: Any
    vat: Fraction = Fraction(0)
    grid_zone: str | None = None
    of: tuple[str, ...] = ()
    depth: int = 0


class Version(msgspec.Struct, frozen=True):
    """Prices valid from a moment on; never changed, superseded by one recorded later."""

    valid_from: Moment
    components: tuple[Component, ...]
    recorded_ms: int = 0
    until: Moment | None = None
    vat_mode: str = "total"
    vat: Fraction = Fraction(0)
    netting: Netting | None = None
    gas: Gas | None = None
    unit: str = "kWh"
    options: Mapping[str, Any] = msgspec.field(default_factory=dict)  # as they were checked

    @property
    def name(self) -> str:
        """Its first day, or its first instant."""
        return iso(self.valid_from) if isinstance(self.valid_from, int) else self.valid_from.isoformat()


class Reign(NamedTuple):
    """A span and the version that applies in it; None where there is none."""

    start_ms: int
    end_ms: int
    version: Version | None


class Tariff(msgspec.Struct, frozen=True):
    """Versions under one id, in one currency. `series` are the price series it needs, `grid_zones` those it tells apart."""

    id: str
    name: str
    currency: str
    versions: tuple[Version, ...]
    origin: str = "yaml"

    @property
    def series(self) -> frozenset[str]:
        """The ids of the series of prices that its components follow."""
        return frozenset(c.rule.series for c in self._components() if hasattr(c.rule, "series"))

    @property
    def registers(self) -> frozenset[str]:
        """The tariff registers of the meter, t1 and so on, that its components price by."""
        return frozenset(name for c in self._components() for name in getattr(c.rule, "registers", ()))

    @property
    def grid_zones(self) -> frozenset[str]:
        """The grid zones that its components are for."""
        return frozenset(c.grid_zone for c in self._components() if c.grid_zone is not None)

    def _components(self) -> Iterable[Component]:
        return (component for version in self.versions for component in version.components)

    def version(self, at_ms: int, zone: ZoneInfo, known_at_ms: int | None = None) -> Version | None:
        """The latest recorded of those with the greatest valid-from up to an instant, as known at another."""
        return self._at(at_ms, self._known(known_at_ms), lambda moment: instant(moment, zone))

    def reigns(self, start_ms: int, end_ms: int, zone: ZoneInfo, known_at_ms: int | None = None) -> list[Reign]:
        """The span cut where another version begins to apply."""
        known = self._known(known_at_ms)

        def when(moment: Moment) -> int:
            return instant(moment, zone)

        marks = [when(moment) for version in known for moment in (version.valid_from, version.until) if moment is not None]
        cuts = sorted({start_ms, end_ms, *(mark for mark in marks if start_ms < mark < end_ms)})
        reigns: list[Reign] = []
        for low, high in pairwise(cuts):
            version = self._at(low, known, when)
            if reigns and reigns[-1].version is version:
                low = reigns.pop().start_ms
            reigns.append(Reign(low, high, version))
        return reigns

    def _known(self, known_at_ms: int | None) -> Sequence[Version]:
        return [v for v in self.versions if known_at_ms is None or v.recorded_ms <= known_at_ms]

    @staticmethod
    def _at(at_ms: int, known: Sequence[Version], when: Callable[[Moment], int]) -> Version | None:
        begun = [(when(v.valid_from), v.recorded_ms, place) for place, v in enumerate(known) if when(v.valid_from) <= at_ms]
        if not begun:
            return None
        version = known[max(begun)[2]]
        return version if version.until is None or at_ms < when(version.until) else None


def instant(moment: Moment, zone: ZoneInfo) -> int:
    """The instant a version's moment means in a zone."""
    return moment if isinstance(moment, int) else midnight(zone, moment)
