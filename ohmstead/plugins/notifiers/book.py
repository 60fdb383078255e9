"""The rows of the outbox: what waits, the messages made of it, and how each went. Claims are single statements."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import ColumnElement, TextClause, and_, case, delete, func, insert, or_, select, text, true, update

from ohmstead.core.notice import SEVERITIES, Attachment, Notice
from ohmstead.plugins.notifiers.plan import COLLECTED, DIGEST, HOUR_MS
from ohmstead.plugins.notifiers.tables import messages, notice_files, notices, outbox
from ohmstead.plugins.storage.connection import AsyncConnection

if TYPE_CHECKING:
    from ohmstead.plugins.storage.storage import Storage

FAR_MS = 8 * 86_400_000  # nothing waits longer than for a weekly digest: what is due later was written by a clock that was wrong
HOLD_MS = 60_000  # how long a claim lasts; longer than an attempt may take
AT_ONCE = 5_000  # rows looked at in one turn, while everything else waits
NAMED = 20  # notices that are named in a message; the others are counted
MANY = 500  # values in one statement
ROWS = 1000  # rows in one statement


class Goal(msgspec.Struct, frozen=True):
    """One address a notice goes to: sealed, its name, and whose it is."""

    recipient: str
    person: str | None
    address: str
    address_key: str


class Kept(msgspec.Struct, frozen=True):
    """A notice as it is kept."""

    id: int
    kind: str
    severity: str
    title: str
    body: str
    facts: Mapping[str, str]
    link: str | None
    at_ms: int


class Book:
    """All statements of one tenant. Times are the hub's clock, milliseconds since 1970."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.tenant_id = storage.tenant_id
        once = "ON CONFLICT (tenant_id, key) DO NOTHING RETURNING key, id"
        self._notices = _insert(storage.engine_name, "notices", "tenant_id key kind severity title body facts link at_ms", once)
        self._outbox = _insert(storage.engine_name, "outbox", "tenant_id notice_id recipient person address address_key due_ms")

    async def add(self, tx: AsyncConnection, told: Sequence[tuple[Notice, Sequence[Goal]]], now_ms: int) -> list[int | None]:
        """Keep notices and what each waits for; their ids, None for one whose key is there already."""
        keys = [notice.key or f"~{secrets.token_hex(8)}" for notice, _ in told]
        ids: dict[str, int] = {}
        first = {key: notice for (notice, _), key in reversed(list(zip(told, keys, strict=True)))}  # of two with one key the first
        for some in batches([self._notice(first[key], key, now_ms) for key in dict.fromkeys(keys)], ROWS):
            ids.update((row.key, row.id) for row in await tx.execute(self._notices, {"rows": _json(some)}))
        fresh = [(notice, goals, ids[key]) for (notice, goals), key in zip(told, keys, strict=True) if first[key] is notice and key in ids]
        for some in batches([self._goal(goal, id_, now_ms) for _, goals, id_ in fresh for goal in goals], ROWS):
            await tx.execute(self._outbox, {"rows": _json(some)})
        files = [
            {"notice_id": id_, "name": each.name, "content_type": each.content_type, "content": each.content}
            for notice, _, id_ in fresh for each in notice.attachments
        ]  # fmt: skip
        if files:
            await tx.execute(insert(notice_files), files)
        return [ids.get(key) if first[key] is notice else None for (notice, _), key in zip(told, keys, strict=True)]

    def _notice(self, notice: Notice, key: str, now_ms: int) -> tuple[Any, ...]:
        facts = _json(dict(notice.facts))
        return self.tenant_id, key, notice.kind, notice.severity, notice.title, notice.body, facts, notice.link, now_ms

    def _goal(self, goal: Goal, notice_id: int, now_ms: int) -> tuple[Any, ...]:
        return self.tenant_id, notice_id, goal.recipient, goal.person, goal.address, goal.address_key, now_ms

    async def waiting(self, tx: AsyncConnection, now_ms: int) -> list[Any]:
        """What is due and in no message yet, by address and in order of arrival, locked for this transaction."""
        columns = (outbox, notices.c.kind, notices.c.severity, notices.c.title, notices.c.at_ms)
        query = select(*columns).join(notices, notices.c.id == outbox.c.notice_id)
        query = query.where(outbox.c.tenant_id == self.tenant_id, outbox.c.message_id.is_(None), due(outbox.c.due_ms, now_ms))
        query = query.where(outbox.c.held.is_distinct_from(DIGEST))
        query = query.order_by(outbox.c.id).limit(AT_ONCE).with_for_update(skip_locked=True, of=outbox)
        return sorted(await tx.execute(query), key=lambda row: (row.address_key, row.id))

    async def sent(self, tx: AsyncConnection, address_keys: Iterable[str], now_ms: int) -> dict[str, list[int]]:
        """The instants of the last hour's messages to these addresses."""
        found: dict[str, list[int]] = {}
        within = and_(messages.c.created_ms > now_ms - HOUR_MS, messages.c.created_ms <= now_ms)
        for some in batches(sorted(address_keys), MANY):
            query = select(messages.c.address_key, messages.c.created_ms).where(messages.c.address_key.in_(some), within)
            for key, at_ms in await tx.execute(query):
                found.setdefault(key, []).append(at_ms)
        return found

    async def hold(self, tx: AsyncConnection, ids: Sequence[int], until_ms: int, why: str) -> None:
        """Let these wait."""
        for some in batches(ids, MANY):
            await tx.execute(update(outbox).where(outbox.c.id.in_(some)).values(due_ms=until_ms, held=why))

    async def release(self, tx: AsyncConnection, now_ms: int) -> int:
        """Let go of what waits for digests whose hour has come; how many rows."""
        waits = and_(outbox.c.tenant_id == self.tenant_id, outbox.c.message_id.is_(None), outbox.c.held == DIGEST)
        ready = update(outbox).where(waits, due(outbox.c.due_ms, now_ms)).values(due_ms=now_ms, held=COLLECTED)
        return int((await tx.execute(ready)).rowcount)

    async def form(self, tx: AsyncConnection, ids: Sequence[int], row: Mapping[str, Any]) -> None:
        """Make one message of these."""
        message_id = secrets.token_hex(16)
        fresh = {"attempts": 0, "unsure": False, "repeated": False, "status": "pending"}
        await tx.execute(insert(messages).values({**fresh, **row, "id": message_id, "tenant_id": self.tenant_id}))
        for some in batches(ids, MANY):
            await tx.execute(update(outbox).where(outbox.c.id.in_(some)).values(message_id=message_id))

    async def claim(self, tx: AsyncConnection, runner: str, most: int, now_ms: int) -> list[Any]:
        """Take messages that are due to send them, the most severe first; who dies with one loses it after HOLD_MS."""
        held = messages.c.held_until_ms
        free = or_(held.is_(None), held <= now_ms, held > now_ms + HOLD_MS)
        mine = and_(messages.c.tenant_id == self.tenant_id, messages.c.status == "pending")
        wanted = select(messages.c.id).where(mine, due(messages.c.due_ms, now_ms), free)
        wanted = wanted.order_by(messages.c.severity != "critical", messages.c.due_ms).limit(most).with_for_update(skip_locked=True)
        values = {
            "runner": runner, "held_until_ms": now_ms + HOLD_MS, "attempts": messages.c.attempts + 1,
            "repeated": or_(messages.c.repeated, messages.c.unsure), "unsure": true(),
        }  # fmt: skip
        statement = update(messages).where(messages.c.id.in_(wanted)).values(values).returning(*messages.c)
        return list(await tx.execute(statement))

    async def forget_runner(self, runner: str) -> None:
        """Free what this runner held when it died; nobody else goes by its name."""
        statement = update(messages).where(messages.c.runner == runner, messages.c.status == "pending").values(held_until_ms=None)
        await self._storage.write(lambda tx: tx.execute(statement))

    async def finish(self, tx: AsyncConnection, id_: str, runner: str, **outcome: Any) -> None:
        """Note how an attempt went (status, due_ms, unsure, answer, ended_ms) and let go of the message."""
        statement = update(messages).where(messages.c.id == id_, messages.c.runner == runner)
        await tx.execute(statement.values(held_until_ms=None, **outcome))

    async def content(self, message_id: str) -> tuple[list[Kept], list[Attachment]]:
        """The notices of a message, the most severe first and no more than are named in one, and all their files."""
        of = select(outbox.c.notice_id).where(outbox.c.message_id == message_id)
        rank = case({severity: rank for rank, severity in enumerate(SEVERITIES)}, value=notices.c.severity)
        query = select(notices).where(notices.c.id.in_(of)).order_by(rank.desc(), notices.c.id).limit(NAMED)
        async with self._storage.read() as connection:
            rows = (await connection.execute(query)).all()
            found = await connection.execute(select(notice_files).where(notice_files.c.notice_id.in_(of)).order_by(notice_files.c.id))
            files = [Attachment(row.name, row.content_type, row.content) for row in found]
        return [
            Kept(row.id, row.kind, row.severity, row.title, row.body, msgspec.json.decode(row.facts), row.link, row.at_ms) for row in rows
        ], files

    async def next_ms(self) -> int | None:
        """When something is due next."""
        wait = select(func.min(outbox.c.due_ms)).where(outbox.c.tenant_id == self.tenant_id, outbox.c.message_id.is_(None))
        wait = wait.where(outbox.c.held.is_distinct_from(DIGEST))
        ready = func.coalesce(messages.c.held_until_ms, messages.c.due_ms)
        again = select(func.min(ready)).where(messages.c.tenant_id == self.tenant_id, messages.c.status == "pending")
        async with self._storage.read() as connection:
            dues = [await connection.scalar(query) for query in (wait, again)]
        return min((due_ms for due_ms in dues if due_ms is not None), default=None)

    async def prune(self, before_ms: int) -> int:
        """Delete notices told before an instant, with their messages; what still waits stays. How many."""
        mine = notices.c.tenant_id == self.tenant_id
        pending = select(messages.c.id).where(messages.c.status == "pending")
        busy = select(outbox.c.notice_id).where(or_(outbox.c.message_id.is_(None), outbox.c.message_id.in_(pending)))
        old = select(notices.c.id).where(mine, notices.c.at_ms < before_ms, notices.c.id.not_in(busy))

        async def write(tx: AsyncConnection) -> int:
            ids = list(await tx.scalars(old.limit(AT_ONCE)))
            for some in batches(ids, MANY):
                await tx.execute(delete(outbox).where(outbox.c.notice_id.in_(some)))
                await tx.execute(delete(notice_files).where(notice_files.c.notice_id.in_(some)))
                await tx.execute(delete(notices).where(notices.c.id.in_(some)))
            gone = and_(messages.c.tenant_id == self.tenant_id, messages.c.created_ms < before_ms, messages.c.status != "pending")
            await tx.execute(delete(messages).where(gone))
            return len(ids)

        return int(await self._storage.write(write))


def due(column: ColumnElement[int], now_ms: int) -> ColumnElement[bool]:
    """Due, also when a clock that was ahead wrote the row."""
    return or_(column <= now_ms, column > now_ms + FAR_MS)


def batches(some: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """Pieces of at most `size`."""
    return (some[start : start + size] for start in range(0, len(some), size))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _insert(engine: str, table: str, columns: str, tail: str = "") -> TextClause:
    """Rows from one JSON parameter: to have a statement compiled with a parameter for each value costs more than to run it."""
    names = columns.split()
    value = {"sqlite": "json_extract(value, '$[{}]')", "postgresql": "value->>{}"}[engine]
    each = {"sqlite": "json_each(:rows)", "postgresql": "jsonb_array_elements(CAST(:rows AS jsonb))"}[engine]
    integers = {"tenant_id": "integer", "notice_id": "integer", "due_ms": "bigint", "at_ms": "bigint"}
    values = (value.format(place) if name not in integers else f"CAST({value.format(place)} AS {integers[name]})"
              for place, name in enumerate(names))  # fmt: skip
    sql = f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} FROM {each} WHERE true {tail}"  # noqa: S608 - our own names
    return text(sql)
