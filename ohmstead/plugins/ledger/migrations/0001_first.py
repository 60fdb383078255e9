"""The first tables of the ledger; tables.py says what they hold."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _said()
    _marks()
    _derived()
    _imports()
    _decided()


def _said() -> None:
    op.create_table(
        "meter_points",
        sa.Column("id", sa.Integer, primary_key=True),
        _tenant(),
        sa.Column("slug", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("parts", sa.Text, nullable=False, server_default=""),
        sa.Column("parent", sa.Text),
        sa.Column("category", sa.Text),
        sa.Column("device", sa.Text),
        sa.Column("flow", sa.Text),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("removed_ms", sa.BigInteger),
        sa.UniqueConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "slug"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "bindings",
        sa.Column("id", sa.Integer, primary_key=True),
        _tenant(),
        sa.Column("point_id", sa.Integer, nullable=False),
        sa.Column("from_ms", sa.BigInteger, nullable=False),
        sa.Column("to_ms", sa.BigInteger),
        sa.Column("automatic", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("tenant_id", "id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "slot_lengths",
        sa.Column("tenant_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("from_day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("slot_ms", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )


def _marks() -> None:
    op.create_table(
        "ledger_marks",
        sa.Column("series_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("round", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("from_ms", sa.BigInteger, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "point_marks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("point_id", sa.Integer, nullable=False),
        sa.Column("start_ms", sa.BigInteger, nullable=False),
        sa.Column("end_ms", sa.BigInteger),
        sa.Column("reach", sa.Text, nullable=False),
        sa.Column("binding_id", sa.Integer),
        sa.Column("term", sa.Integer),
        sqlite_autoincrement=True,
    )


def _derived() -> None:
    op.create_table(
        "track_days",
        sa.Column("binding_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("term", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("slot_ms", sa.Integer, nullable=False),
        sa.Column("energy", sa.LargeBinary, nullable=False),
        sa.Column("cover", sa.LargeBinary),
        sa.Column("state", sa.LargeBinary),
    )
    op.create_table(
        "track_heads",
        sa.Column("binding_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("term", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("last_ms", sa.BigInteger, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "verdicts",
        sa.Column("binding_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("term", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("from_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("before_mwh", sa.BigInteger, nullable=False),
        sa.Column("mwh", sa.BigInteger, nullable=False),
        sa.Column("step_mwh", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "layer_days",
        sa.Column("point_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("layer", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("slot_ms", sa.Integer, nullable=False),
        sa.Column("energy", sa.LargeBinary, nullable=False),
        sa.Column("cover", sa.LargeBinary),
        sa.Column("origin", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "energy_rollups",
        sa.Column("point_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("resolution", sa.Text, primary_key=True),
        sa.Column("start_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("end_ms", sa.BigInteger, nullable=False),
        sa.Column("mwh", sa.BigInteger, nullable=False),
        sa.Column("measured_ms", sa.BigInteger, nullable=False),
        sa.Column("estimated_ms", sa.BigInteger, nullable=False),
        sa.Column("reset_ms", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Integer, nullable=False),
        sa.Column("peak_15_mwh", sa.BigInteger),
        sa.Column("peak_15_ms", sa.BigInteger),
        sa.Column("peak_60_mwh", sa.BigInteger),
        sa.Column("peak_60_ms", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "seals",
        sa.Column("point_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "archived_days",
        sa.Column("series_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("first_ms", sa.BigInteger, nullable=False),
        sa.Column("last_ms", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _imports() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.Integer, primary_key=True),
        _tenant(),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("point_id", sa.Integer, nullable=False),
        sa.Column("layer", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("recorded_ms", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("start_ms", sa.BigInteger),
        sa.Column("end_ms", sa.BigInteger),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("longest_ms", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("note", sa.Text),
        sa.UniqueConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "number"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "imported_periods",
        sa.Column("import_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("end_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("mwh", sa.BigInteger, nullable=False),
        sa.Column("quality", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "imported_registers",
        sa.Column("import_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("mwh", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _decided() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer, primary_key=True),
        _tenant(),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("point_id", sa.Integer),
        sa.Column("series", sa.Text),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("start_ms", sa.BigInteger, nullable=False),
        sa.Column("end_ms", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("recorded_ms", sa.BigInteger, nullable=False),
        sa.Column("undone_ms", sa.BigInteger),
        sa.Column("undone_by", sa.Text),
        sa.Column("undone_reason", sa.Text),
        sa.UniqueConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "number"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "findings",
        sa.Column("id", sa.Integer, primary_key=True),
        _tenant(),
        sa.Column("point_id", sa.Integer, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("start_ms", sa.BigInteger, nullable=False),
        sa.Column("end_ms", sa.BigInteger, nullable=False),
        sa.Column("mwh", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("found_ms", sa.BigInteger, nullable=False),
        sa.Column("due_ms", sa.BigInteger, nullable=False),
        sa.Column("notified_ms", sa.BigInteger),
        sa.Column("news_ms", sa.BigInteger),
        sa.Column("closed_ms", sa.BigInteger),
        sa.Column("closed_by", sa.Text),
        sa.Column("reason", sa.Text),
        sa.UniqueConstraint("tenant_id", "id"),
        sa.UniqueConstraint("point_id", "cause", "place"),
        sqlite_autoincrement=True,
    )
    op.create_index("findings_status", "findings", ["tenant_id", "status"])


def _tenant() -> sa.Column[Any]:
    return sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), nullable=False)
