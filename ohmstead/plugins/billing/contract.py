"""A contract: which meter points are billed, under which tariffs, in which periods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import msgspec

from ohmstead.core.clock import iso
from ohmstead.core.errors import Invalid
from ohmstead.plugins.billing.cycle import Cycle, Moment, Period

EVER = -(1 << 62)  # before all time


class Contract(msgspec.Struct, frozen=True):
    """One contract, checked. `tariffs` are ids, each with the instant from which it applies, in order; `zone` is the location's.

    It holds from `start_ms` to just before `end_ms`; None is open. `origin` is yaml (read-only over the API) or api.
    """

    id: str
    name: str
    location: str
    zone: str
    currency: str
    tariffs: tuple[tuple[int, str], ...]
    cycle: Cycle
    imports: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    supplier: str | None = None
    grid_zone: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    origin: str = "api"

    @property
    def points(self) -> tuple[str, ...]:
        """All meter points it bills."""
        return self.imports + self.exports

    def tariff(self, at_ms: int) -> str:
        """The id of the tariff that applies at an instant. Invalid before the first one."""
        found = [tariff for from_ms, tariff in self.tariffs if from_ms <= at_ms]
        if not found:
            raise Invalid(f"contract {self.id!r} has no tariff at {iso(at_ms)}; its first one applies from {iso(self.tariffs[0][0])}")
        return found[-1]

    def since(self, at_ms: int) -> int:
        """Since when the contract holds with the tariff that applies at an instant; before all time where nobody said."""
        begun = [from_ms for from_ms, _ in self.tariffs if from_ms <= at_ms]
        return max([EVER if self.start_ms is None else self.start_ms, *begun])

    def period(self, at_ms: int) -> Period | None:
        """The billing period of an instant, cut to the contract and where one tariff follows another; None outside the contract."""
        return self.cut(self.cycle.containing(at_ms), at_ms) if self.holds(at_ms) else None

    def cut(self, period: Period, at_ms: int) -> Period | None:
        """What of a period has the same tariff as an instant in it; None outside the contract."""
        switches = [from_ms for from_ms, _ in self.tariffs]
        since = max((each for each in switches if each <= at_ms), default=None)
        until = min((each for each in switches if each > at_ms), default=None)
        inside = period.within(self.start_ms, self.end_ms)
        return None if inside is None else inside.within(since, until)

    def between(self, start_ms: int, end_ms: int) -> Iterator[Period]:
        """Its billing periods that overlap a span, in order, none of them cut by the span."""
        for whole in self.cycle.between(start_ms, end_ms):
            inside = whole.within(self.start_ms, self.end_ms)
            at_ms = whole.end_ms if inside is None else inside.start_ms
            while inside is not None and at_ms < inside.end_ms:
                part = self.cut(whole, at_ms)
                assert part is not None
                if part.start_ms < end_ms and part.end_ms > start_ms:
                    yield part
                at_ms = part.end_ms

    def holds(self, at_ms: int) -> bool:
        """Whether an instant lies in the contract."""
        return (self.start_ms is None or at_ms >= self.start_ms) and (self.end_ms is None or at_ms < self.end_ms)

    def overlaps(self, other: Contract) -> bool:
        """Whether the two hold at the same time."""
        return _before(self.start_ms, other.end_ms) and _before(other.start_ms, self.end_ms)


def _before(start_ms: int | None, end_ms: int | None) -> bool:
    return start_ms is None or end_ms is None or start_ms < end_ms


def contract(slug: str, given: Mapping[str, Any], zone: str, currency: str, origin: str) -> Contract:
    """The contract that validated options describe; `currency` is taken where they state none."""
    cut = given["cycle"]
    moment = Moment(zone, cut["at"], cut["clock"] == "standard")
    first = cut.get("first") or (2000, 1)
    tariff = given["tariff"]
    dated = [(moment.on(each["from"]), each["tariff"]) for each in tariff] if isinstance(tariff, list) else [(EVER, tariff)]
    return Contract(
        slug, given.get("name", slug), given.get("location", "home"), zone, given.get("currency", currency), tuple(dated),
        Cycle(moment, cut["day"], cut["months"], first, tuple(cut.get("dates", ()))),
        tuple(given.get("import", ())), tuple(given.get("export", ())), given.get("supplier"),
        given.get("grid_zone"), _instant(moment, given.get("start")), _instant(moment, given.get("end")), origin,
    )  # fmt: skip


def tariffs_of(given: Mapping[str, Any]) -> list[str]:
    """The ids of the tariffs that options name, in order of time."""
    tariff = given["tariff"]
    return [each["tariff"] for each in tariff] if isinstance(tariff, list) else [tariff]


def _instant(moment: Moment, day: date | None) -> int | None:
    return None if day is None else moment.on(day)
