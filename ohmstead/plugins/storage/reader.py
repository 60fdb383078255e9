"""Queries the way the engine's driver likes them: one visit to its thread or server, plain tuples back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from ohmstead.plugins.storage import sqlite_path
from ohmstead.plugins.storage.connection import AsyncConnection

Read = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
Rows = list[tuple[Any, ...]]


class Reader:
    """Runs queries with the parameters $1, $2, … on the connections that only read."""

    def __init__(self, read: Read, engine_name: str) -> None:
        self._read = read
        self.engine_name = engine_name
        if engine_name == "sqlite":
            self._fetch, self._each, self._by_bucket = sqlite_path.fetch, sqlite_path.fetch_each, sqlite_path.fetch_by_bucket
        else:
            from ohmstead.plugins.storage import postgres_path  # asyncpg is an extra

            self._fetch, self._each, self._by_bucket = postgres_path.fetch, postgres_path.fetch_each, postgres_path.fetch_by_bucket

    async def rows(self, sql: str, *params: Any) -> Rows:
        """All rows of a query."""
        async with self._read() as conn:
            return await self._fetch(conn, sql, params)

    async def fetch(self, conn: AsyncConnection, sql: str, *params: Any) -> Rows:
        """All rows of a query on a connection that somebody holds: a snapshot, or the writer's in its transaction."""
        return await self._fetch(conn, sql, params)

    async def fetch_each(self, conn: AsyncConnection, sql: str, params: Sequence[Sequence[Any]], most: int) -> list[Rows]:
        """The rows of one query for each set of parameters, one behind the other, until `most` rows were read in all.

        The last parameter of the query is how many rows are left to read. The last list may be cut short, and there are
        fewer lists than sets where nothing was left.
        """
        return await self._each(conn, sql, params, most)

    async def by_bucket(self, sql: str, spans: Sequence[tuple[int, int]], *params: Any) -> Rows:
        """All rows of a query that uses the table `bucket (start_ms, end_ms)`, made of the spans."""
        async with self._read() as conn:
            return await self._by_bucket(conn, sql, params, spans)
