"""The registry's rows: read whole at the start, written in few statements after that.

Every write may be repeated and changes nothing the second time, because a group of readings that fails is tried again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import CursorResult, Table, delete, select, update

from ohmstead.core.model import Device
from ohmstead.plugins.devices.entry import Entry
from ohmstead.plugins.devices.locations import Location
from ohmstead.plugins.devices.secrets import Secret
from ohmstead.plugins.devices.status import Change
from ohmstead.plugins.devices.tables import changes, devices, locations, secrets, statuses
from ohmstead.plugins.storage.connection import AsyncConnection

CHUNK = 500  # rows in one statement, well below SQLite's 32,766 parameters

Row = Mapping[str, Any]


class Found(NamedTuple):
    """What the database holds: devices with the instant they were made, status rows by device, secrets by device, locations."""

    devices: list[tuple[Device, int]]
    stood: dict[str, Row]
    secrets: list[tuple[str, Secret]]
    places: list[Location]


class Book:
    """Statements on the registry's tables for one tenant; each takes the transaction it is to run in."""

    def __init__(self, tenant_id: int) -> None:
        self.tenant_id = tenant_id

    async def read(self, tx: AsyncConnection) -> Found:
        """Everything that is there; secrets newest first."""
        found = await self._all(tx, devices, devices.c.removed_ms.is_(None))
        stood = {row["device_id"]: row for row in await self._all(tx, statuses)}
        kept = sorted(await self._all(tx, secrets), key=lambda row: -row["created_ms"])
        places = await self._all(tx, locations)
        return Found(
            [(device_of(row), row["created_ms"]) for row in found],
            stood,
            [(row["device_id"], Secret(row["digest"], row["created_ms"], row["ends_ms"])) for row in kept],
            [Location(**{name: value for name, value in row.items() if name != "tenant_id"}) for row in places],
        )

    async def _all(self, tx: AsyncConnection, table: Table, *where: Any) -> list[Row]:
        return _rows(await tx.execute(select(table).where(table.c.tenant_id == self.tenant_id, *where)))

    async def put_devices(self, tx: AsyncConnection, entries: Iterable[Entry]) -> None:
        """Write devices as they are, also over a row of one that was removed."""
        await self._upsert(tx, devices, [self._device(entry) for entry in entries])

    async def differing(self, tx: AsyncConnection, ids: Sequence[str], entries: Mapping[str, Entry]) -> list[tuple[str, str]]:
        """What writing `entries` would do to the rows of these ids: pairs of an id and added, changed or removed."""
        rows: dict[str, Row] = {}
        for start in range(0, len(ids), CHUNK):
            some = devices.c.id.in_(ids[start : start + CHUNK]), devices.c.removed_ms.is_(None)
            rows |= {row["id"]: row for row in await self._all(tx, devices, *some)}
        found = []
        for id_ in ids:
            row = {"tenant_id": self.tenant_id, **_cleaned(self._device(entries[id_]))} if id_ in entries else None
            if row != rows.get(id_):
                found.append((id_, "removed" if row is None else "changed" if id_ in rows else "added"))
        return found

    async def remove_device(self, tx: AsyncConnection, device: str, at_ms: int) -> None:
        """Mark a device removed and forget its secrets; its status history and readings stay."""
        await tx.execute(update(devices).where(*self._is(devices, devices.c.id, device)).values(removed_ms=at_ms))
        await self.put_secrets(tx, device, ())

    async def put_secrets(self, tx: AsyncConnection, device: str, kept: Sequence[Secret]) -> None:
        """Make these all the secrets a device has."""
        await tx.execute(delete(secrets).where(*self._is(secrets, secrets.c.device_id, device)))
        await self._upsert(tx, secrets, [
            {"device_id": device, "digest": s.digest, "created_ms": s.created_ms, "ends_ms": s.ends_ms} for s in kept
        ])  # fmt: skip

    async def put_statuses(self, tx: AsyncConnection, entries: Iterable[Entry]) -> None:
        """Write where devices stand and when they were last seen."""
        await self._upsert(tx, statuses, [
            {"device_id": e.device.id, "status": e.status.value, "reason": e.reason, "code": e.code,
             "since_ms": e.since_ms, "last_seen_ms": e.feed.heard_ms or None}
            for e in entries
        ])  # fmt: skip

    async def put_changes(self, tx: AsyncConnection, made: Sequence[Change]) -> list[Change]:
        """Write lines of the status history; those that were not there yet."""
        rows = [
            {"device_id": c.device, "at_ms": c.at_ms, "old": c.old.value, "status": c.status.value, "reason": c.reason, "code": c.code}
            for c in made
        ]
        new = {(device, at_ms) for device, at_ms in await self._upsert(tx, changes, rows, "DO NOTHING RETURNING device_id, at_ms")}
        return [c for c in made if (c.device, c.at_ms) in new]

    async def put_locations(self, tx: AsyncConnection, places: Iterable[Location]) -> None:
        """Write locations as they are."""
        await self._upsert(tx, locations, [msgspec.structs.asdict(place) for place in places])

    async def remove_location(self, tx: AsyncConnection, location: str) -> None:
        """Delete the row of a location."""
        await tx.execute(delete(locations).where(*self._is(locations, locations.c.id, location)))

    async def history(self, tx: AsyncConnection, device: str, before_ms: int | None, limit: int) -> list[Row]:
        """Lines of a device's status history, newest first, older than `before_ms`."""
        mine = self._is(changes, changes.c.device_id, device)
        query = select(changes).where(*mine).order_by(changes.c.at_ms.desc()).limit(limit)
        if before_ms is not None:
            query = query.where(changes.c.at_ms < before_ms)
        return _rows(await tx.execute(query))

    async def prune(self, tx: AsyncConnection, before_ms: int) -> int:
        """Delete lines of the status history older than that; how many."""
        gone = delete(changes).where(changes.c.tenant_id == self.tenant_id, changes.c.at_ms < before_ms)
        return (await tx.execute(gone)).rowcount

    def _is(self, table: Table, column: Any, value: str) -> tuple[Any, Any]:
        return table.c.tenant_id == self.tenant_id, column == value

    def _device(self, entry: Entry) -> dict[str, Any]:
        device = entry.device
        plain = {name: getattr(device, name) for name in (
            "id", "name", "kind", "location", "manufacturer", "model", "firmware", "serial", "via", "offline_after_s", "origin",
        )}  # fmt: skip
        packed = {name: _json(getattr(device, name)) for name in ("tags", "metadata", "ranges")}
        return {**plain, **packed, "created_ms": entry.created_ms, "removed_ms": None}

    async def _upsert(self, tx: AsyncConnection, table: Table, rows: Sequence[Row], known: str | None = None) -> list[Any]:
        """Put rows in; over those that are there, unless `known` says otherwise. What that gives back."""
        keys = [column.name for column in table.primary_key.columns]
        clean = [{"tenant_id": self.tenant_id, **_cleaned(row)} for row in rows]
        found: list[Any] = []
        once = {tuple(row[key] for key in keys): row for row in clean}  # PostgreSQL takes no row twice in one statement
        for chunk in _chunks(list(once.values())):
            sql = _upsert_sql(table.name, list(chunk[0]), keys, len(chunk), tx.dialect.name, known)
            result = await tx.exec_driver_sql(sql, tuple(value for row in chunk for value in row.values()))
            found += result.all() if result.returns_rows else []
        return found


def _upsert_sql(table: str, names: Sequence[str], keys: Sequence[str], count: int, engine: str, known: str | None) -> str:
    """One statement for many rows, as text: SQLAlchemy takes seconds to compile one for a thousand."""
    places = (f"${place}" if engine == "postgresql" else "?" for place in range(1, count * len(names) + 1))
    rows = ",".join(f"({','.join(islice(places, len(names)))})" for _ in range(count))
    rest = ",".join(f"{name}=excluded.{name}" for name in names if name not in keys)
    return f"INSERT INTO {table} ({','.join(names)}) VALUES {rows} ON CONFLICT ({','.join(keys)}) {known or f'DO UPDATE SET {rest}'}"  # noqa: S608


def _rows(result: CursorResult[Any]) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in result.mappings()]


def _chunks(rows: list[Row]) -> Iterator[list[Row]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def _clean(value: Any) -> Any:
    """Texts every engine takes, because a device may say anything: PostgreSQL knows no NUL, none knows half a surrogate pair."""
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _cleaned(row: Row) -> dict[str, Any]:
    return {name: _clean(value) for name, value in row.items()}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def device_of(row: Row) -> Device:
    """The device a row describes."""
    packed = {name: msgspec.json.decode(row[name]) for name in ("tags", "metadata", "ranges")}
    ranges = {quantity: (low, high) for quantity, (low, high) in packed["ranges"].items()}
    plain = {name: row[name] for name in (
        "id", "name", "kind", "location", "manufacturer", "model", "firmware", "serial", "via", "offline_after_s", "origin",
    )}  # fmt: skip
    return Device(**plain, tags=tuple(packed["tags"]), metadata=packed["metadata"], ranges=ranges)
