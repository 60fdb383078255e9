"""The first tables of the log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        _tenant(),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("device_id", sa.Text),
        sa.Column("who", sa.Text),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("personal", sa.Text),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    for column in ("type", "device_id", "who", "at_ms"):
        op.create_index(f"audit_by_{column}", "audit_entries", ["tenant_id", column, "number"])
    op.create_table(
        "audit_head",
        _tenant(),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "audit_checkpoints",
        _tenant(),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "audit_personal",
        _tenant(),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("who", sa.Text),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_index("audit_personal_by_who", "audit_personal", ["tenant_id", "who"])
    op.create_index("audit_personal_by_age", "audit_personal", ["tenant_id", "at_ms"])


def _tenant() -> sa.Column[int]:
    return sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), primary_key=True, autoincrement=False)
