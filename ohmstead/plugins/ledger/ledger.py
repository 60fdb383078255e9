"""The ledger: what each meter point measured, slot by slot, whatever it is derived from."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ohmstead.core.clock import EARLIEST_MS
from ohmstead.core.errors import Invalid
from ohmstead.plugins.ledger.archive.archive import Archive
from ohmstead.plugins.ledger.corrections.corrections import Corrections
from ohmstead.plugins.ledger.engine.deriver import Deriver
from ohmstead.plugins.ledger.engine.reading import Reading
from ohmstead.plugins.ledger.engine.verify import Verifier
from ohmstead.plugins.ledger.findings.findings import Findings
from ohmstead.plugins.ledger.imports.imports import Imports
from ohmstead.plugins.ledger.marks import Marks
from ohmstead.plugins.ledger.points.automatic import Automatic
from ohmstead.plugins.ledger.points.points import MeterPoints
from ohmstead.plugins.ledger.points.registrar import Registrar
from ohmstead.plugins.ledger.rollups import RESOLUTIONS, Rollup
from ohmstead.plugins.ledger.sheet import Layer, Sheet
from ohmstead.plugins.ledger.slots import Grid
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.core.bus import Bus
    from ohmstead.core.clock import Clock
    from ohmstead.plugins.devices.registry import Devices
    from ohmstead.plugins.ledger.archive.vault import Vault
    from ohmstead.plugins.ledger.corrections.correction import Correction
    from ohmstead.plugins.storage.storage import Storage


class Ledger:
    """The service other rooms use: `hub.get(Ledger)`. Belongs to the event loop's thread."""

    def __init__(self, storage: Storage, devices: Devices, bus: Bus, clock: Clock) -> None:
        self._storage, self._devices, self._bus, self._clock = storage, devices, bus, clock
        self.points = MeterPoints(devices.locations)
        self.marks = Marks(storage)
        self.deriver = Deriver(storage, bus, clock, self.points, self.marks)
        self.archive = Archive(storage, self.deriver.vault, self.points, self.deriver)
        self.reading = Reading(self.points, self.deriver)
        self.verifier = Verifier(storage, self.points, self.deriver)
        self.registrar = Registrar(storage, clock, self.points, self.marks, self.wake)
        self.automatic = Automatic(storage, devices, bus, self.points, self.registrar)
        self.imports = Imports(storage, clock, self.points, self.marks, self.wake)
        self.corrections = Corrections(storage, self.points, self.marks, self, bus, clock)
        self.findings = Findings(storage, self.points, self.registrar, self, self.corrections, bus, clock)

    async def open(self) -> None:
        """Read what the database holds. Storage and devices must be open."""
        await self.deriver.open()
        await self.registrar.open()
        await self.marks.join()

    async def sheets(
        self, slugs: Sequence[str], start_ms: int, end_ms: int, known_at_ms: int | None = None
    ) -> dict[str, list[Sheet]]:
        """The resolved slots of meter points that touch [start, end), in order; each slot is of the highest layer that speaks.

        The sheets of a meter point follow each other without a hole; there is more than one only where the length of
        slots changes. `known_at_ms` leaves out imports and corrections recorded later. NotFound.
        """
        async with self._storage.read() as conn:
            return await self.reading.sheets(conn, slugs, start_ms, end_ms, known_at_ms)

    async def layers(self, slug: str, start_ms: int, end_ms: int) -> Mapping[Layer, list[Sheet]]:
        """What every layer says of the slots that touch [start, end), winners and losers. NotFound."""
        async with self._storage.read() as conn:
            return await self.reading.layers(conn, slug, start_ms, end_ms)

    async def registers(self, slug: str, start_ms: int, end_ms: int) -> Mapping[str, list[Sheet]]:
        """The live slots of each tariff register, "t1", "t2"…, of the series that the bindings have. NotFound."""
        async with self._storage.read() as conn:
            return await self.reading.registers(conn, slug, start_ms, end_ms)

    async def sent(self, series: int, start_ms: int, end_ms: int, most: int) -> list[tuple[int, Any]]:
        """The raw readings of a stored series in [start, end) in order of time, at most so many, those archived too. Unavailable."""
        async with self._storage.read() as conn:
            return await self.vault.readings(conn, series, start_ms, end_ms, most)

    async def corrected(self, slug: str, start_ms: int, end_ms: int) -> Sequence[Correction]:
        """The corrections in force on a span of a meter point or on its readings, in order of their numbers. NotFound."""
        return await self.corrections.touching(slug, start_ms, end_ms)

    async def rollups(self, slugs: Sequence[str], resolution: str, start_ms: int, end_ms: int) -> dict[str, list[Rollup]]:
        """The stored hours, days, months or years that touch [start, end), in order. NotFound, Invalid."""
        if resolution not in RESOLUTIONS:
            raise Invalid(f"resolution {resolution!r}: choose {', '.join(RESOLUTIONS)}")
        points = [self.points.get(slug) for slug in slugs]
        async with self._storage.read() as conn:
            found = await self.deriver.echo.rolling.read(conn, resolution, [point.key for point in points], start_ms, end_ms)
        return {point.id: some for point, some in zip(points, found, strict=True)}

    async def caught_up(self, within_s: float) -> None:
        """Wait until all that was stored before this call is derived; Unavailable when that takes longer."""
        await self.deriver.caught_up(within_s)

    async def rebuild(self) -> int:
        """Have everything derived anew, from the first reading on; of how many meter points. What comes out is the same."""
        await self._storage.write(lambda tx: self.registrar.mark_all(tx, EARLIEST_MS))
        self.wake()
        return len(self.points)

    def wake(self) -> None:
        """Something was marked outside of the readings: derive it."""
        self.deriver.wake()

    @property
    def grid(self) -> Grid:
        """The slots of the house."""
        return self.deriver.grid

    @property
    def vault(self) -> Vault:
        """What is archived of the readings."""
        return self.deriver.vault

    @property
    def turn(self) -> asyncio.Lock:
        """Held by whoever derives, from reading to commit; taken before the transaction."""
        return self.deriver.turn

    async def derive(self, tx: AsyncConnection) -> Sequence[tuple[str, int, int]]:
        """Derive all that is marked, inside a transaction of the writer; which spans of meter points may have changed.

        Once it is committed, `tell` them.
        """
        return await self.deriver.derive(tx)

    async def sheets_in(self, tx: AsyncConnection, slugs: Sequence[str], start_ms: int, end_ms: int) -> dict[str, list[Sheet]]:
        """The same as `sheets`, as a connection or transaction sees it."""
        return await self.reading.sheets(tx, slugs, start_ms, end_ms)

    def tell(self, touched: Sequence[tuple[str, int, int]]) -> None:
        """Let everybody know what `derive` touched."""
        self.deriver.tell(touched)
