"""Meter points that appear by themselves: what devices are seen to measure, bound as `choice` says.

What is bound depends only on what is stored, on the kinds of devices and on what people stated, never on the order in
which it came: everything is looked at anew after a start, and a device again whenever something about it changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ohmstead.core.bus import Bus
from ohmstead.core.events import DeviceChanged, ReadingsStored
from ohmstead.core.model import Device, Row, Series
from ohmstead.core.supervise import Task
from ohmstead.plugins.devices.locations import HOME
from ohmstead.plugins.ledger.points import choice
from ohmstead.plugins.ledger.points.bindings import Binding, around
from ohmstead.plugins.ledger.points.choice import Flow
from ohmstead.plugins.ledger.points.plausible import plausible_per_h
from ohmstead.plugins.ledger.points.points import MeterPoint, MeterPoints, Role
from ohmstead.plugins.ledger.points.registrar import Registrar

if TYPE_CHECKING:
    from ohmstead.plugins.devices.registry import Devices
    from ohmstead.plugins.storage.storage import Storage

AT_ONCE = 100  # devices that are arranged in one transaction
NEVER = -(1 << 62)  # earlier than any reading: nothing more is to be learnt of that series


class Automatic:
    """Keeps the automatic meter points. Belongs to the event loop's thread."""

    def __init__(self, storage: Storage, devices: Devices, bus: Bus, points: MeterPoints, registrar: Registrar) -> None:
        self._storage, self._devices, self._bus, self._points, self._registrar = storage, devices, bus, points, registrar
        self._firsts: dict[str, dict[str, int]] = {}  # device -> quantity -> instant of its first reading
        self._swings: set[str] = set()  # devices whose power was below 0 at some time
        self._known: dict[int, int] = {}  # key of a series -> instant of its first reading
        self._signs: set[int] = set()  # keys of the series whose sign is still of interest
        self._waiting: set[str] = set()
        self._due = asyncio.Event()
        self._turn = asyncio.Lock()
        self._looked = False
        self.stated: Mapping[str, Mapping[str, Any]] = {}  # what the YAML says of meter points, by id

    def listen(self) -> None:
        """Hear from now on what is stored and which devices change."""
        self._bus.subscribe(ReadingsStored, lambda event: self._stored(event.rows))
        self._bus.subscribe(DeviceChanged, lambda event: self.look_at(event.device))

    def look_at(self, device: str) -> None:
        """Have the meter points of a device looked at again."""
        self._waiting.add(device)
        self._due.set()

    def look_at_all(self) -> None:
        """Have all devices looked at again: what people stated may have changed."""
        for device in self._firsts:
            self.look_at(device)

    async def work(self, task: Task) -> None:
        """Make and bind what is due, for ever."""
        while True:
            await self.settle()
            task.up()
            await self._due.wait()

    async def settle(self) -> None:
        """Make and bind what is due now. Unavailable when the database is."""
        async with self._turn:
            self._due.clear()
            if not self._looked:
                await self._look()
            while self._waiting:
                await self._next()

    async def _next(self) -> None:
        """Arrange some devices, in one transaction."""
        devices = sorted(self._waiting)[:AT_ONCE]
        self._waiting.difference_update(devices)
        done = False
        try:
            async with self._registrar.deciding:
                changed: dict[str, tuple[MeterPoint, list[Binding]]] = {}
                for device in devices:
                    await self._arrange(device, changed)
                if changed:
                    await self._registrar.put_all(list(changed.values()))
            done = True
        finally:
            if not done:
                self._waiting.update(devices)
                self._due.set()

    async def _look(self) -> None:
        """Learn what is stored. Retention may have taken the first readings, so what was bound by itself counts too."""
        book = self._registrar.book
        async with self._storage.read() as connection:
            for device, quantity, at_ms in await book.firsts(connection, choice.QUANTITIES):
                self._learn(device, quantity, at_ms)
            self._swings.update(device for device, _ in await book.negative(connection, choice.SWINGING))
        for point in self._points:
            for binding in self._points.bindings(point.id):
                for term in binding.terms if binding.automatic else ():
                    self._learn(term.device, term.quantity, binding.from_ms)
                    if point.flow == "back" and term.quantity in choice.SWINGING:
                        self._swings.add(term.device)
        self._looked = True
        self.look_at_all()

    def _learn(self, device: str, quantity: str, at_ms: int) -> bool:
        firsts = self._firsts.setdefault(device, {})
        if firsts.get(quantity, at_ms + 1) <= at_ms:
            return False
        firsts[quantity] = at_ms
        self.look_at(device)
        return True

    def _stored(self, rows: Iterable[Row]) -> None:
        """Rows come by series and time, so the first of each series is the earliest of it."""
        series: Series | None = None
        signed = False
        for row in rows:
            if row.series is not series:
                series = row.series
                key = series.key or 0
                at_ms = row.at_ms if row.from_ms is None else row.from_ms
                if at_ms < self._known.get(key, 1 << 62):
                    self._meet(key, row, at_ms)
                signed = key in self._signs
            if signed and row.value < 0:  # type: ignore[operator]  # gauges are numbers
                signed = False
                self._signs.discard(series.key or 0)
                self._swings.add(series.device)
                self.look_at(series.device)

    def _meet(self, key: int, row: Row, at_ms: int) -> None:
        series = row.series
        if series.quantity not in choice.QUANTITIES:
            self._known[key] = NEVER
            return
        self._known[key] = at_ms
        self._learn(series.device, series.quantity, at_ms)
        if series.quantity in choice.SWINGING and series.device not in self._swings:
            self._signs.add(key)

    async def _arrange(self, device: str, changed: dict[str, tuple[MeterPoint, list[Binding]]]) -> None:
        """Note in `changed`, by id, what the meter points of a device should be; take out those that should not be."""
        entry, firsts = self._devices.find(device), self._firsts.get(device, {})
        if entry is None or entry.unproven:
            return  # a device that was removed keeps the meter points it fed: their history is theirs
        wanted = {flow.name: flow for flow in choice.flows(entry.device.kind, firsts, device in self._swings)}
        mine = {point.flow or "": point for point in self._points.fed_by(device)}
        for name, flow in wanted.items():
            adopted = self._points.find(device + flow.suffix)
            if name not in mine and adopted is not None and self._open_to_choice(adopted):
                mine[name] = adopted
        for name, flow in wanted.items():
            if not self._spoken_for(device, flow, mine.get(name)):
                self._keep(entry.device, flow, mine.get(name), changed)
            elif name in mine and mine[name].origin == "auto":
                await self._registrar.remove(mine[name].id)
        for name, point in mine.items():
            if name not in wanted and point.origin == "auto":
                await self._registrar.remove(point.id)

    def _open_to_choice(self, point: MeterPoint) -> bool:
        """Whether the YAML names a meter point and leaves it to us what measures it."""
        return point.origin == "yaml" and point.device is None and not self._points.bindings(point.id)

    def _spoken_for(self, device: str, flow: Flow, mine: MeterPoint | None) -> bool:
        """Whether a person bound what this flow measures to another meter point, or does not want the one it makes."""
        taken = any(
            term.series == f"{device}.{quantity}" and choice.gives_way(flow, part, point.role, term.part)
            for quantities, part in flow.sources for quantity in quantities
            for point in self._points.measured_by(f"{device}.{quantity}") if point is not mine
            for binding in self._stated(point) for term in binding.terms
        )  # fmt: skip
        return taken or (mine is None and device + flow.suffix in self._registrar.refused)

    def _stated(self, point: MeterPoint) -> list[Binding]:
        return [binding for binding in self._points.bindings(point.id) if not binding.automatic]

    def _keep(
        self, device: Device, flow: Flow, mine: MeterPoint | None, changed: dict[str, tuple[MeterPoint, list[Binding]]]
    ) -> None:
        """Make or follow the meter point of a flow, and bind it where no person did."""
        point = mine if mine is not None and mine.origin == "api" else self._described(device, flow, mine)
        if mine is None:
            point = msgspec.structs.replace(point, id=next(self._free_ids(point.id, changed)))
        limit = plausible_per_h(self._points.kind_at(point.location), point.role)
        chosen = choice.spans(device.id, flow, self._firsts[device.id], limit)
        stated = self._stated(point)
        wanted = [*around(chosen, stated), *stated]
        if point != mine or not _same(wanted, self._points.bindings(point.id)):
            changed[point.id] = (point, wanted)

    def _described(self, device: Device, flow: Flow, mine: MeterPoint | None) -> MeterPoint:
        """The meter point a flow makes of a device, with what the YAML says of it. Its id stays when the device's kind changes."""
        key, slug = (0, (device.id + flow.suffix)[:64]) if mine is None else (mine.key, mine.id)
        meant = slug in self.stated and (mine is not None or slug not in self._points)  # else that one is bound to something else
        said = self.stated[slug] if meant else {}
        return MeterPoint(
            key, slug, said.get("name") or (f"{device.name}: {flow.title}" if flow.title else device.name),
            Role(said.get("role", flow.role)), said.get("location") or device.location or HOME, said.get("parent"),
            said.get("category") or device.kind, "yaml" if meant else "auto", device.id, flow.name,
        )  # fmt: skip

    def _free_ids(self, wanted: str, taken: Container[str]) -> Iterator[str]:
        """The id wanted, or where it is taken the next one with a number behind it."""
        names = (wanted if number == 1 else f"{wanted[:60]}-{number}" for number in range(1, 1000))
        return (name for name in names if name not in self._points and name not in taken)


def _same(wanted: Iterable[Binding], there: Iterable[Binding]) -> bool:
    """Whether they are the same bindings, whatever their numbers."""
    return {binding.unnumbered() for binding in wanted} == {binding.unnumbered() for binding in there}
