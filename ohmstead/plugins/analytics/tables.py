"""The one table of analytics: when a source of green energy was taken out of the balance, and back in."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, Table, Text

from ohmstead.core.plugin import Tables

metadata = MetaData()

toggles = Table(
    "green_toggles",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("source", Text, primary_key=True),  # the id of its meter point
    Column("at_ms", BigInteger, primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("author", Text, nullable=False),
)

TABLES = Tables("analytics", Path(__file__).parent / "migrations")
