"""The rows of tracks: how far they are derived, their days, their verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from ohmstead.plugins.ledger.derive.state import State
from ohmstead.plugins.ledger.engine.days import Day
from ohmstead.plugins.ledger.engine.tracks import Derived, Head, Job, StoredDay, edges
from ohmstead.plugins.ledger.lists import delete, listed, written
from ohmstead.plugins.ledger.slots import DAY_MS
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

MOST = 1 << 30  # no limit
LAST = 1 << 30  # a day behind all days
LARGEST = (1 << 63) - 1
Rows = list[tuple[int, float | Fraction]]


class TrackBook:
    """Statements on tracks; each takes the connection it is to run on."""

    def __init__(self, storage: Storage) -> None:
        self._storage, self._reader = storage, storage.reader

    async def resume(self, conn: AsyncConnection, jobs: Sequence[Job]) -> None:
        """Find for each job the checkpoint it resumes from, and for a late one those it may meet."""
        heads = await self._each(conn, _HEAD, [job.track.key for job in jobs])
        for job, rows in zip(jobs, heads, strict=True):
            job.head = next((Head(last_ms, State.decode(state)) for last_ms, state in rows), None)
        for job in jobs:
            if job.head is not None and not job.late:
                job.resume(job.head.state)
        late = [job for job in jobs if job.late]
        days = [(*job.track.key, job.dirty[0][0] // DAY_MS) for job in late]
        found = await self._each(conn, _BEFORE, days)
        behind = await self._each(conn, _BEHIND, days)
        for job, earlier, later in zip(late, found, behind, strict=True):
            states = [State.decode(state) for (state,) in earlier]
            job.stored = dict(later)
            job.resume(next((state for state in states if state.until_ms < job.dirty[0][0]), None))

    async def readings(self, conn: AsyncConnection, jobs: Sequence[Job], most: int) -> list[Rows]:
        """The readings of each job, until there are `most`; fewer lists than jobs where they ran out, the last one cut short."""
        spans = [(job.track.series, job.after_ms, min(job.until_ms, job.track.end_ms)) for job in jobs]
        return await self._reader.fetch_each(conn, _READINGS, spans, most)

    async def edges(self, conn: AsyncConnection, done: Sequence[tuple[Job, Derived]]) -> list[dict[int, StoredDay]]:
        """The stored days at which what was derived meets what stays, of each job."""
        wanted = [(place, day) for place, (job, derived) in enumerate(done) for day in edges(derived, job)]
        found: list[dict[int, StoredDay]] = [{} for _ in done]
        rows = await self._each(conn, _DAY, [(*done[place][0].track.key, day) for place, day in wanted])
        for (place, day), some in zip(wanted, rows, strict=True):
            for slot_ms, energy, cover, state in some:
                found[place][day] = StoredDay(Day(day, slot_ms, energy, cover), state)
        return found

    async def stale(self, conn: AsyncConnection, done: Iterable[Derived]) -> list[tuple[int, int, int, int]]:
        """The keys of the stored verdicts that are given anew."""
        spans = [(*each.track.key, each.verdicts_after, each.verdicts_until) for each in done]
        rows = await self._each(conn, _VERDICTS, spans)
        return [(*span[:2], at_ms, from_ms) for span, some in zip(spans, rows, strict=True) for at_ms, from_ms in some]

    async def write(self, tx: AsyncConnection, done: Sequence[Derived], stale: Sequence[tuple[int, int, int, int]]) -> None:
        """Put what was derived in the place of what was."""
        spans = [(*each.track.key, each.first_day, LAST if each.to_the_end else each.last_day) for each in done]
        if spans:
            await self._reader.fetch(tx, _CLEAR.format(rows=listed(self._reader.engine_name, ["bigint"] * 4, "$1")), written(spans))
        days = [(*each.track.key, *row.slots, row.state) for each in done for _, row in sorted(each.days.items())]
        await self._storage.bulk(tx, "track_days", ("binding_id", "term", "day", "slot_ms", "energy", "cover", "state"), days)
        await delete(tx, self._reader, "track_heads", ("binding_id", "term"), [each.track.key for each in done])
        heads = [(*each.track.key, each.head.last_ms, each.head.state.encode()) for each in done if each.head is not None]
        await self._storage.bulk(tx, "track_heads", ("binding_id", "term", "last_ms", "state"), heads)
        await delete(tx, self._reader, "verdicts", ("binding_id", "term", "at_ms", "from_ms"), stale)
        await self._storage.bulk(tx, "verdicts", _VERDICT, [row for each in done for row in _verdicts(each)])
        for each in done:
            for from_ms, until_ms in each.lost:
                await tx.execute(_LOST, {"binding": each.track.key[0], "term": each.track.key[1], "at": until_ms - 1, "from": from_ms})

    async def _each(self, conn: AsyncConnection, sql: str, params: Sequence[Sequence[Any]]) -> list[list[tuple[Any, ...]]]:
        return await self._reader.fetch_each(conn, sql, params, MOST)


def _verdicts(derived: Derived) -> list[tuple[Any, ...]]:
    found = {(verdict.at_ms, verdict.from_ms): verdict for verdict in derived.verdicts}
    return [
        (*derived.track.key, v.at_ms, v.from_ms, v.cause, *(max(-LARGEST, min(LARGEST, x)) for x in (v.before, v.value, v.mwh)))
        for v in found.values()
    ]


_HEAD = "SELECT last_ms, state FROM track_heads WHERE binding_id = $1 AND term = $2 LIMIT $3"
_BEFORE = """
    SELECT state FROM track_days WHERE binding_id = $1 AND term = $2 AND day <= $3 AND state IS NOT NULL
    ORDER BY day DESC LIMIT CASE WHEN CAST($4 AS BIGINT) < 3 THEN CAST($4 AS BIGINT) ELSE 3 END
"""
_BEHIND = "SELECT day, state FROM track_days WHERE binding_id = $1 AND term = $2 AND day >= $3 AND state IS NOT NULL ORDER BY day LIMIT $4"
_READINGS = "SELECT at_ms, value FROM readings WHERE series_id = $1 AND at_ms > $2 AND at_ms < $3 ORDER BY at_ms LIMIT $4"
_DAY = "SELECT slot_ms, energy, cover, state FROM track_days WHERE binding_id = $1 AND term = $2 AND day = $3 LIMIT $4"
_VERDICTS = """
    SELECT at_ms, from_ms FROM verdicts WHERE binding_id = $1 AND term = $2 AND at_ms > $3 AND at_ms <= $4 ORDER BY at_ms LIMIT $5
"""
_VERDICT = ("binding_id", "term", "at_ms", "from_ms", "verdict", "before_mwh", "mwh", "step_mwh")
_LOST = text("""
    INSERT INTO verdicts (binding_id, term, at_ms, from_ms, verdict, before_mwh, mwh, step_mwh)
    VALUES (:binding, :term, :at, :from, 'sealed', 0, 0, 0) ON CONFLICT DO NOTHING
""")
_CLEAR = """
    DELETE FROM track_days WHERE (binding_id, term, day) IN (
        SELECT t.binding_id, t.term, t.day FROM ({rows}) r
        JOIN track_days t ON t.binding_id = r.c0 AND t.term = r.c1 AND t.day >= r.c2 AND t.day <= r.c3)
"""
