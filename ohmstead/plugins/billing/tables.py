"""The tables of billing: contracts that the API made, and bills."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text

from ohmstead.core.plugin import Tables

metadata = MetaData()

contracts = Table(
    "contracts",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("body", Text, nullable=False),  # as the API took it, JSON
    Column("created_ms", BigInteger, nullable=False),
)

bills = Table(
    "bills",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("id", Text, primary_key=True),  # contract and local day of the period's beginning; adjustments count on behind it
    Column("contract_id", Text, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("status", Text, nullable=False),  # draft, issued, adjusted
    Column("adjusts", Text),  # the issued bill that this one corrects
    Column("currency", Text, nullable=False),
    Column("total_micro", BigInteger, nullable=False),  # millionths of the currency
    Column("digest", Text, nullable=False),  # SHA-256 of `body`, hex
    Column("body", Text, nullable=False),  # the bill as JSON: frozen once it is issued
    Column("slots", LargeBinary, nullable=False),  # what it was made of, slot by slot; empty for a draft
    Column("made_ms", BigInteger, nullable=False),
    Column("issued_ms", BigInteger),
    Column("issued_by", Text),
)

TABLES = Tables("billing", Path(__file__).parent / "migrations")
