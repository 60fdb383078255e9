"""The table of reconciliation: invoices as somebody entered them. What comes of comparing them is never kept."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

from ohmstead.core.plugin import Tables

metadata = MetaData()

invoices = Table(
    "invoices",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("contract_id", Text, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),  # JSON
    Column("author", Text, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
)

TABLES = Tables("invoices", Path(__file__).parent / "migrations")
