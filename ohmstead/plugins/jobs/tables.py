"""The one table of the jobs: when each is due next, who runs it until when, and how the last run went."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, Table, Text

from ohmstead.core.plugin import Tables

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("schedule", Text, nullable=False),  # a changed one is planned anew
    Column("next_ms", BigInteger),  # NULL: not planned yet, because the clock was not trusted
    Column("held_until_ms", BigInteger),  # whoever runs it moves this on; once it passed, the runner is dead
    Column("started_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("took_s", Double),
    Column("result", Text),  # running, ok, failed, interrupted
    Column("error", Text),
)

TABLES = Tables("jobs", Path(__file__).parent / "migrations")
