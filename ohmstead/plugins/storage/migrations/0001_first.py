"""The first tables: tenants, series, readings in their three kinds, rollups, dead letters."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("slug", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
    )
    op.execute("INSERT INTO tenants (id, slug, name) VALUES (1, 'home', 'Home')")
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("device_id", sa.Text, nullable=False),
        sa.Column("quantity", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("time_zone", sa.Text),
        sa.UniqueConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "device_id", "quantity"),
        sqlite_autoincrement=True,
    )
    _clustered("readings", _value(), postgresql_partition_by="RANGE (at_ms)")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TABLE readings_other PARTITION OF readings DEFAULT")
    _clustered("deltas", sa.Column("from_ms", sa.BigInteger, primary_key=True), _value())
    _clustered("texts", sa.Column("value", sa.Text, nullable=False))
    _clustered("reading_notes", sa.Column("sampled_ms", sa.BigInteger), sa.Column("flags", sa.Text))
    _clustered("rollup_marks", instant="start_ms")
    _clustered("rollup_5m", *_summary(), instant="start_ms")
    _clustered("rollup_1h", *_summary(), instant="start_ms")
    _clustered("rollup_1d", sa.Column("end_ms", sa.BigInteger, nullable=False), *_summary(), instant="start_ms")
    _dead_letters()


def _clustered(name: str, *columns: sa.Column[Any], instant: str = "at_ms", **options: Any) -> None:
    op.create_table(
        name,
        sa.Column("series_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column(instant, sa.BigInteger, primary_key=True, autoincrement=False),
        *columns,
        sqlite_with_rowid=False,
        **options,
    )


def _value() -> sa.Column[float]:
    return sa.Column("value", sa.Double, nullable=False)


def _summary() -> list[sa.Column[Any]]:
    doubles: list[sa.Column[Any]] = [sa.Column(name, sa.Double, nullable=False) for name in ("low", "high", "total", "last")]
    return [*doubles, sa.Column("count", sa.Integer, nullable=False)]


def _dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("device_id", sa.Text),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("tenant_id", "id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "dead_letter_ring",
        sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), primary_key=True, autoincrement=False),
        sa.Column("held", sa.Integer, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("gone", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO dead_letter_ring (tenant_id, held, bytes, gone) VALUES (1, 0, 0, 0)")
