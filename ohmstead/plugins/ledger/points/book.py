"""The rows of meter points and bindings, and what is asked of the readings for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, RowMapping, bindparam, delete, select, text, tuple_, update

from ohmstead.plugins.ledger.lists import given, listed
from ohmstead.plugins.ledger.points.bindings import Binding, Term
from ohmstead.plugins.ledger.points.points import MeterPoint, Role
from ohmstead.plugins.ledger.tables import bindings, meter_points, seals, track_days, track_heads, verdicts
from ohmstead.plugins.storage.connection import AsyncConnection

PLAIN = ("name", "location", "parent", "category", "device", "flow", "origin")  # columns that are fields of a meter point


BINDING = ("id", "point_id", "from_ms", "to_ms", "automatic", "body")  # the columns that `bound` reads


class Found(NamedTuple):
    """What the database holds: meter points with their bindings, the ids of those that a person removed, and of all removed."""

    points: list[tuple[MeterPoint, list[Binding]]]
    refused: set[str]
    gone: set[str]


class _Body(msgspec.Struct):
    terms: tuple[Term, ...]
    longest_gap_ms: int
    plausible_per_h: int


class PointBook:
    """Statements for one tenant; each takes the transaction it is to run in."""

    def __init__(self, tenant_id: int) -> None:
        self._tenant = tenant_id

    async def read(self, tx: AsyncConnection) -> Found:
        """Everything that is there."""
        rows = (await tx.execute(select(meter_points).where(meter_points.c.tenant_id == self._tenant))).mappings().all()
        by_point: dict[int, list[Binding]] = {}
        for row in await tx.execute(select(*(bindings.c[name] for name in BINDING)).where(bindings.c.tenant_id == self._tenant)):
            by_point.setdefault(row.point_id, []).append(bound(tuple(row)))
        present = [row for row in rows if row["removed_ms"] is None]
        gone = [row for row in rows if row["removed_ms"] is not None]
        refused = {row["slug"] for row in gone if row["origin"] != "auto"}
        return Found([(_point(row), by_point.get(row["id"], [])) for row in present], refused, {row["slug"] for row in gone})

    async def put(self, tx: AsyncConnection, points: Sequence[MeterPoint], zones: Sequence[str], now_ms: int) -> dict[str, int]:
        """Write meter points as they are, with their time zones, also over the rows of removed ones; their keys by id."""
        rows = [(self._tenant, point.id, point.role.value, *(getattr(point, name) for name in PLAIN), zone, now_ms)
                for point, zone in zip(points, zones, strict=True)]  # fmt: skip
        kinds = ["bigint", *["text"] * (3 + len(PLAIN)), "bigint"]
        done = await tx.execute(text(_PUT.format(rows=listed(tx.dialect.name, kinds))), given(rows))
        return {str(slug): int(key) for slug, key in done}

    async def zones(self, tx: AsyncConnection) -> dict[int, str]:
        """By key, in which time zone the rollups of each meter point are made."""
        rows = await tx.execute(select(meter_points.c.id, meter_points.c.time_zone).where(meter_points.c.tenant_id == self._tenant))
        return {row[0]: row[1] for row in rows}

    async def rezone(self, tx: AsyncConnection, key: int, zone: str) -> None:
        """They are made in another zone from now on."""
        await tx.execute(update(meter_points).where(meter_points.c.id == key).values(time_zone=zone))

    async def remove(self, tx: AsyncConnection, point: MeterPoint, now_ms: int, refused: bool) -> None:
        """Take a meter point and its bindings out. `refused`: a person did, so it does not come back by itself."""
        gone = {"removed_ms": now_ms, "origin": "api" if refused else "auto"}
        await tx.execute(update(meter_points).where(meter_points.c.id == point.key).values(gone))
        await self._delete(tx, bindings.c.point_id == point.key)

    async def bind(self, tx: AsyncConnection, fresh: Sequence[tuple[int, Binding]]) -> dict[tuple[int, int], int]:
        """Write new bindings of meter points, by key; their numbers by key and beginning."""
        found = [(key, _columns(binding)) for key, binding in fresh]
        rows = [(self._tenant, key, *(columns[name] for name in ("from_ms", "to_ms", "automatic", "body"))) for key, columns in found]
        done = await tx.execute(text(_BIND.format(rows=listed(tx.dialect.name, [*["bigint"] * 5, "text"]))), given(rows))
        return {(key, from_ms): number for key, from_ms, number in done}

    async def rebind(self, tx: AsyncConnection, binding: Binding) -> None:
        """Write a binding that keeps its number."""
        await tx.execute(update(bindings).where(bindings.c.id == binding.number).values(_columns(binding)))

    async def unbind(self, tx: AsyncConnection, numbers: Iterable[int]) -> None:
        """Delete bindings, with all that was derived from their readings."""
        await self._delete(tx, bindings.c.id.in_(tuple(numbers)))

    async def _delete(self, tx: AsyncConnection, where: ColumnElement[bool]) -> None:
        derived = select(bindings.c.point_id, track_days.c.day).join(track_days, track_days.c.binding_id == bindings.c.id).where(where)
        await tx.execute(delete(seals).where(tuple_(seals.c.point_id, seals.c.day).in_(derived)))
        for table in (track_days, track_heads, verdicts):
            await tx.execute(delete(table).where(table.c.binding_id.in_(select(bindings.c.id).where(where))))
        await tx.execute(delete(bindings).where(where))

    async def first_ms(self, tx: AsyncConnection, addresses: Iterable[str]) -> int | None:
        """The instant of the earliest stored reading of these series; None when there is none."""
        found: list[int] = []
        for address in sorted(addresses):
            device, _, quantity = address.partition(".")
            row = (await tx.execute(_FIRST, {"tenant": self._tenant, "device": device, "quantity": quantity})).one()
            found += [at_ms for at_ms in row if at_ms is not None]
        return min(found, default=None)

    async def firsts(self, tx: AsyncConnection, quantities: Iterable[str]) -> list[tuple[str, str, int]]:
        """(device, quantity, instant of the earliest stored reading) of every series of these quantities."""
        rows = await tx.execute(_FIRSTS, {"tenant": self._tenant, "quantities": sorted(quantities)})
        return [(row[0], row[1], min(at_ms for at_ms in row[2:] if at_ms is not None)) for row in rows if set(row[2:]) != {None}]

    async def negative(self, tx: AsyncConnection, quantities: Iterable[str]) -> list[tuple[str, str]]:
        """(device, quantity) of the gauges of these quantities that ever were below 0, as far as rollups and readings go back."""
        rows = await tx.execute(_NEGATIVE, {"tenant": self._tenant, "quantities": sorted(quantities)})
        return [(row[0], row[1]) for row in rows]


def _point(row: RowMapping) -> MeterPoint:
    return MeterPoint(key=row["id"], id=row["slug"], role=Role(row["role"]), **{name: row[name] for name in PLAIN})


def bound(row: Sequence[Any]) -> Binding:
    """The binding of a row with the columns BINDING."""
    number, _, from_ms, to_ms, automatic, text_ = row
    body = msgspec.json.decode(text_, type=_Body)
    return Binding(from_ms, to_ms, body.terms, body.plausible_per_h, body.longest_gap_ms, bool(automatic), number)


def _columns(binding: Binding) -> dict[str, Any]:
    body = msgspec.json.encode(_Body(binding.terms, binding.longest_gap_ms, binding.plausible_per_h)).decode()
    return {"from_ms": binding.from_ms, "to_ms": binding.to_ms, "automatic": int(binding.automatic), "body": body}


_PUT = """
    INSERT INTO meter_points (tenant_id, slug, role, name, location, parent, category, device, flow, origin, time_zone, created_ms)
    SELECT c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 FROM ({rows}) fresh WHERE true
    ON CONFLICT (tenant_id, slug) DO UPDATE SET name = excluded.name, role = excluded.role, location = excluded.location,
        parent = excluded.parent, category = excluded.category, device = excluded.device, flow = excluded.flow,
        origin = excluded.origin, removed_ms = NULL, time_zone = CASE WHEN meter_points.location = excluded.location
            AND meter_points.removed_ms IS NULL THEN meter_points.time_zone ELSE excluded.time_zone END
    RETURNING slug, id
"""
_BIND = """
    INSERT INTO bindings (tenant_id, point_id, from_ms, to_ms, automatic, body)
    SELECT c0, c1, c2, c3, c4, c5 FROM ({rows}) fresh WHERE true RETURNING point_id, from_ms, id
"""
_FIRST = text("""
    SELECT (SELECT min(at_ms) FROM readings WHERE series_id = s.id), (SELECT min(from_ms) FROM deltas WHERE series_id = s.id),
        (SELECT min(first_ms) FROM archived_days WHERE series_id = s.id)
    FROM (SELECT max(id) AS id FROM series WHERE tenant_id = :tenant AND device_id = :device AND quantity = :quantity) s
""")
_FIRSTS = text("""
    SELECT device_id, quantity, (SELECT min(at_ms) FROM readings WHERE series_id = s.id),
        (SELECT min(from_ms) FROM deltas WHERE series_id = s.id), (SELECT min(first_ms) FROM archived_days WHERE series_id = s.id)
    FROM series s WHERE tenant_id = :tenant AND quantity IN :quantities ORDER BY device_id, quantity
""").bindparams(bindparam("quantities", expanding=True))
_NEGATIVE = text("""
    SELECT device_id, quantity FROM series s WHERE tenant_id = :tenant AND quantity IN :quantities AND (
        EXISTS (SELECT 1 FROM rollup_1d WHERE series_id = s.id AND low < 0)
        OR EXISTS (SELECT 1 FROM rollup_marks m JOIN readings r ON r.series_id = m.series_id
            AND r.at_ms >= m.start_ms AND r.at_ms < m.start_ms + 300000 WHERE m.series_id = s.id AND r.value < 0))
""").bindparams(bindparam("quantities", expanding=True))
