"""Brings the tables of every feature to the version of its migrations.

A folder holds files named `0001_what.py`, whose `revision` is that number; the greatest is the version the code
expects. Alembic, which takes a second to import, is loaded only when the database has another one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from ohmstead.core.errors import ConfigError
from ohmstead.core.plugin import Tables
from ohmstead.plugins.storage.connection import AsyncConnection

log = logging.getLogger(__name__)

OWN = Tables("storage", Path(__file__).parent / "migrations")


def head(folder: Path) -> str:
    """The version a folder of migrations leads to."""
    return max(path.name[:4] for path in folder.glob("[0-9][0-9][0-9][0-9]_*.py"))


def in_order(features: Iterable[Tables]) -> list[Tables]:
    """Storage first, then every feature behind those it comes after; ConfigError where that cannot be."""
    waiting, done = {tables.feature: tables for tables in features}, [OWN]
    while waiting:
        names = {tables.feature for tables in done}
        ready = [tables for tables in waiting.values() if names.issuperset(tables.after)]
        if not ready:
            raise ConfigError(f"tables of {', '.join(sorted(waiting))}: they wait for tables that nobody brings")
        for tables in ready:
            done.append(waiting.pop(tables.feature))
    return done


async def migrate(conn: AsyncConnection, features: Sequence[Tables]) -> None:
    """Bring every feature to its newest version, inside the connection's transaction.

    ConfigError when the database was written by a newer release.
    """
    stored = await conn.run_sync(versions)
    due = [tables for tables in in_order(features) if stored.get(tables.feature) != head(tables.migrations)]
    for tables in due:
        version = stored.get(tables.feature)
        if version is not None and version > head(tables.migrations):
            raise ConfigError(
                f"database: tables of {tables.feature} have version {version}, this release knows {head(tables.migrations)}."
                " Install the newer release, or restore a backup made before the upgrade"
            )
        await conn.run_sync(_upgrade, tables)
        log.info("tables of %s: version %s -> %s", tables.feature, version or "none", head(tables.migrations))


def versions(conn: Connection) -> Mapping[str, str]:
    """The stored version of every feature that has one."""
    tables = [name for name in inspect(conn).get_table_names() if name.startswith("schema_")]
    each = [f"SELECT '{name.removeprefix('schema_')}', version_num FROM {name}" for name in tables]  # noqa: S608
    return {row[0]: row[1] for row in conn.execute(text(" UNION ALL ".join(each)))} if each else {}


def _upgrade(conn: Connection, tables: Tables) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    folder = str(tables.migrations)
    script = ScriptDirectory(folder, version_locations=[folder])
    context = MigrationContext.configure(
        conn,
        opts={
            "version_table": f"schema_{tables.feature}",
            "fn": lambda revision, _: script._upgrade_revs("head", revision),
        },
    )
    with Operations.context(context):
        context.run_migrations()
