"""The table of people: what they chose themselves."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

from ohmstead.core.plugin import Tables

metadata = MetaData()

preferences = Table(
    "preferences",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("chosen", Text, nullable=False),  # JSON, sealed: it holds addresses
    Column("changed_ms", BigInteger, nullable=False),
)

TABLES = Tables("people", Path(__file__).parent / "migrations")
