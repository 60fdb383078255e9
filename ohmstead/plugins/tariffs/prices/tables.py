"""The tables of prices and of tariffs that people make over the API. Nothing in them is ever changed: what is newer is laid over."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

from ohmstead.core.plugin import Tables

metadata = MetaData()


def _tenant() -> Column[int]:
    return Column("tenant_id", Integer, primary_key=True)


series = Table(
    "price_series",
    metadata,
    _tenant(),
    Column("id", Text, primary_key=True),
    Column("currency", Text, nullable=False),
    Column("longest_ms", BigInteger, nullable=False),  # of its spans: how far before an instant one may begin that covers it
    Column("created_ms", BigInteger, nullable=False),
)

imports = Table(
    "price_imports",
    metadata,
    _tenant(),
    Column("number", BigInteger, primary_key=True),
    Column("series", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
)

prices = Table(
    "prices",
    metadata,
    _tenant(),
    Column("series", Text, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("end_ms", BigInteger, nullable=False),
    Column("price", BigInteger, nullable=False),  # 10^-12 of the currency per kWh
)

tariffs = Table(
    "tariffs",
    metadata,
    _tenant(),
    Column("id", Text, primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("removed_ms", BigInteger),  # its versions stay: bills name them
    Column("head", Text, nullable=False),  # JSON: name and currency
    Column("first", Integer, nullable=False),  # its first version; those before are of a removed tariff of the same id
)

versions = Table(
    "tariff_versions",
    metadata,
    _tenant(),
    Column("tariff", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("recorded_ms", BigInteger, nullable=False),
    Column("author", Text, nullable=False),
    Column("document", Text, nullable=False),  # JSON, as it was given
)

TABLES = Tables("tariffs", Path(__file__).parent / "migrations")
