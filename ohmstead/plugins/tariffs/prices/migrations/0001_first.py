"""The first tables of prices: series, numbered imports, prices; and tariffs made over the API, with their versions."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _table(
        "price_series",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("longest_ms", sa.BigInteger, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )
    _table(
        "price_imports",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("series", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("recorded_ms", sa.BigInteger, nullable=False),
        sa.Column("start_ms", sa.BigInteger, nullable=False),
        sa.Column("end_ms", sa.BigInteger, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
    )
    op.create_index("price_imports_series", "price_imports", ["tenant_id", "series", "number"])
    _table(
        "prices",
        sa.Column("series", sa.Text, primary_key=True),
        sa.Column("start_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("end_ms", sa.BigInteger, nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    _table(
        "tariffs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("removed_ms", sa.BigInteger),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("first", sa.Integer, nullable=False),
    )
    _table(
        "tariff_versions",
        sa.Column("tariff", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("recorded_ms", sa.BigInteger, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )


def _table(name: str, *columns: sa.Column[Any], **options: bool) -> None:
    tenant = sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), primary_key=True, autoincrement=False)
    op.create_table(name, tenant, *columns, **options)
