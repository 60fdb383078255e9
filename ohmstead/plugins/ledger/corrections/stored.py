"""What the database holds of readings and verdicts, as corrections ask it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select

from ohmstead.core.clock import iso
from ohmstead.core.errors import Invalid
from ohmstead.plugins.ledger.archive.vault import Rows, Vault
from ohmstead.plugins.ledger.corrections import refusals
from ohmstead.plugins.ledger.corrections.amend import amend, amend_deltas, source, touched
from ohmstead.plugins.ledger.corrections.asked import Step
from ohmstead.plugins.ledger.corrections.changes import OfReadings, ReadingChange, Shift
from ohmstead.plugins.ledger.points.bindings import Binding
from ohmstead.plugins.ledger.tables import verdicts
from ohmstead.plugins.storage.connection import AsyncConnection
from ohmstead.plugins.storage.tables import deltas, readings, series

ALL = 1 << 30

Instant = tuple[int, int]  # end and beginning of what a reading is about; of one instant they are the same


async def check_readings(
    tx: AsyncConnection, vault: Vault, tenant_id: int, changes: Sequence[ReadingChange], change: ReadingChange
) -> None:
    """There are readings to change, and a shift lands on none; `changes` are in force already. Invalid, Conflict, Lost."""
    found = await _instants(tx, vault, tenant_id, changes, change)
    meant = [instant for instant in found if _holds(change, instant)]
    if not meant:
        raise Invalid(f"{change.series} has no reading from {iso(change.start_ms)} to {iso(change.end_ms)}: there is nothing to correct")
    if lost := sorted(set(change.instants) - {at_ms for at_ms, _ in meant}):
        raise refusals.absent(change.series, lost)
    if isinstance(change, Shift):
        refusals.occupied(change, meant, {instant for instant in found if not _holds(change, instant)})


def _holds(change: OfReadings, instant: Instant) -> bool:
    at_ms, from_ms = instant
    return change.holds(at_ms) if at_ms == from_ms else change.holds_period(from_ms, at_ms)


async def _instants(
    tx: AsyncConnection, vault: Vault, tenant_id: int, changes: Sequence[ReadingChange], change: ReadingChange
) -> list[Instant]:
    """The instants of all readings that count where the change takes from and lands."""
    device, _, quantity = change.series.partition(".")
    mine = (series.c.tenant_id == tenant_id, series.c.device_id == device, series.c.quantity == quantity)
    key = await tx.scalar(select(series.c.id).where(*mine))
    low, high = source(changes, *touched(change))
    plain = select(readings.c.at_ms, readings.c.value).where(readings.c.series_id == key, readings.c.at_ms.between(low, high))
    rows: Rows = [(row.at_ms, row.value) for row in await tx.execute(plain.order_by(readings.c.at_ms))]
    if key is not None:
        rows = await vault.add(tx, key, (low, high + 1), rows, ALL)
    periods = select(deltas).where(deltas.c.series_id == key, deltas.c.at_ms.between(low, high)).order_by(deltas.c.at_ms, deltas.c.from_ms)
    spans = [(row.at_ms, row.from_ms, row.value) for row in await tx.execute(periods)]
    return [*((at_ms, at_ms) for at_ms, _ in amend(changes, rows)), *((at, start) for at, start, _ in amend_deltas(changes, spans))]


async def suspect(tx: AsyncConnection, bindings: Iterable[Binding], at_ms: int) -> Step:
    """The suspect step that the reading at an instant is. Invalid when there is none."""
    for binding in bindings:
        here = (verdicts.c.binding_id == binding.number, verdicts.c.at_ms == at_ms, verdicts.c.verdict == "suspect")
        row = (await tx.execute(select(verdicts).where(*here))).first()
        if row is not None:
            quality = "reset" if row.mwh < row.before_mwh else _quality(binding, row.at_ms - row.from_ms)
            return Step(row.from_ms, row.at_ms, row.step_mwh, quality)
    raise Invalid(f"at: no suspect step ends at {iso(at_ms)}; `ohmstead findings --cause suspect` lists those there are")


def _quality(binding: Binding, took_ms: int) -> str:
    return "measured" if took_ms <= binding.longest_gap_ms else "estimated"
