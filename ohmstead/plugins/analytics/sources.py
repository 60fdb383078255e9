"""Sources of green energy: the meter points of generation and batteries, what is stated of them, and their toggles."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import voluptuous as vol
from sqlalchemy import insert, select

from ohmstead.core import validate
from ohmstead.core.errors import NotFound
from ohmstead.plugins.analytics.tables import toggles
from ohmstead.plugins.ledger.points.points import MeterPoint, MeterPoints, Role
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.core.clock import Clock
    from ohmstead.plugins.storage.storage import Storage

SOLAR, BATTERY = "solar", "battery"
KINDS = (SOLAR, "wind", "hydro", BATTERY)
SOURCE = {
    vol.Optional("kind", description=f"{', '.join(KINDS)}; solar unless it is a battery"): validate.one_of(*KINDS),
    vol.Optional("capacity_kw", description="the most that it gives, in kW"): validate.between(0, 1e6, "kW"),
    vol.Optional("capacity_kwh", description="what a battery holds, in kWh"): validate.between(0, 1e7, "kWh"),
    vol.Optional("device", description="the device that is switched with it; the one that measures it unless given"): validate.slug,
}


class Source(msgspec.Struct, frozen=True):
    """One source, called like its meter point. `charging` are the meter points of a battery's charge."""

    point: MeterPoint
    kind: str
    capacity_kw: float | None
    capacity_kwh: float | None
    device: str | None
    charging: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The id of its meter point."""
        return self.point.id


class Toggled:
    """When a source was in the balance: always, but for what its toggles say."""

    def __init__(self, changes: Sequence[tuple[int, bool]] = ()) -> None:
        self.changes = sorted(changes)
        self._instants = [at_ms for at_ms, _ in self.changes]

    def at(self, at_ms: int) -> bool:
        """Whether it counts in a slot that begins at an instant."""
        place = bisect_right(self._instants, at_ms) - 1
        return place < 0 or self.changes[place][1]


class Sources:
    """The sources of this house; `stated` is what the YAML says of them."""

    def __init__(self, points: MeterPoints, storage: Storage, clock: Clock) -> None:
        self._points, self._storage, self._clock = points, storage, clock
        self.stated: Mapping[str, Mapping[str, Any]] = {}

    def of(self, location: str) -> list[Source]:
        """Those of the premises of a location, by id. NotFound."""
        self._points.locations.get(location)
        return [self._source(point) for point in self._points.by_role(location, Role.PV, Role.BATTERY_OUT)]

    def get(self, source: str) -> Source:
        """One source; NotFound for what is no meter point of generation or of a battery's discharge."""
        point = self._points.find(source)
        if point is None or point.role not in (Role.PV, Role.BATTERY_OUT):
            raise NotFound(f"there is no source of green energy {source[:64]!r}")
        return self._source(point)

    def _source(self, point: MeterPoint) -> Source:
        stated, battery = self.stated.get(point.id, {}), point.role is Role.BATTERY_OUT
        device = stated.get("device") or self._device(point)
        kind = BATTERY if battery else stated.get("kind", SOLAR)
        return Source(point, kind, stated.get("capacity_kw"), stated.get("capacity_kwh"), device, self._charging(point) if battery else ())

    def _charging(self, point: MeterPoint) -> tuple[str, ...]:
        """The charge of the same battery: of the same device; of all where there is but one battery."""
        charges = self._points.by_role(point.location, Role.BATTERY_IN)
        device = self._device(point)
        own = [each.id for each in charges if device is not None and self._device(each) == device]
        only = len(self._points.by_role(point.location, Role.BATTERY_OUT)) == 1
        return tuple(own or ([each.id for each in charges] if only else []))

    def _device(self, point: MeterPoint) -> str | None:
        bindings = self._points.bindings(point.id)
        return point.device or (bindings[-1].terms[0].device if bindings and bindings[-1].terms else None)

    async def toggled(self) -> dict[str, Toggled]:
        """The toggles of every source that has any."""
        t = toggles.c
        async with self._storage.read() as connection:
            query = select(t.source, t.at_ms, t.enabled).where(t.tenant_id == self._storage.tenant_id)
            rows = (await connection.execute(query)).all()
        found: dict[str, list[tuple[int, bool]]] = {}
        for source, at_ms, enabled in rows:
            found.setdefault(source, []).append((at_ms, bool(enabled)))
        return {source: Toggled(changes) for source, changes in found.items()}

    async def toggle(self, source: Source, enabled: bool, author: str) -> int:
        """Take a source out of the balance, or back in, from now on; that instant. Nothing happens when it is so already."""
        known = (await self.toggled()).get(source.id, Toggled())
        now = self._clock.now_ms()
        if known.at(now) == enabled:
            return next((at_ms for at_ms, _ in reversed(known.changes)), now)
        at_ms = max([now, *(at_ms + 1 for at_ms, _ in known.changes[-1:])])
        row = {"tenant_id": self._storage.tenant_id, "source": source.id, "at_ms": at_ms, "enabled": enabled, "author": author}

        async def write(tx: AsyncConnection) -> None:
            await tx.execute(insert(toggles).values(row))

        await self._storage.write(write)
        return at_ms
