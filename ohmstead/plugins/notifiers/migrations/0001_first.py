"""The first tables of the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _what_is_told()
    _what_is_sent()
    _what_is_known_of_addresses()
    _what_the_app_shows()


def _tenant(primary_key: bool = False) -> sa.Column[int]:
    return sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), nullable=False, primary_key=primary_key, autoincrement=False)


def _what_is_told() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer, primary_key=True),
        _tenant(),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("link", sa.Text),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("tenant_id", "key"),
        sqlite_autoincrement=True,
    )
    op.create_index("notices_at", "notices", ["tenant_id", "at_ms"])
    op.create_table(
        "notice_files",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("notice_id", sa.Integer, sa.ForeignKey("notices.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_index("notice_files_notice", "notice_files", ["notice_id"])


def _what_is_sent() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True),
        _tenant(),
        sa.Column("notice_id", sa.Integer, sa.ForeignKey("notices.id"), nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("person", sa.Text),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("address_key", sa.Text, nullable=False),
        sa.Column("due_ms", sa.BigInteger, nullable=False),
        sa.Column("held", sa.Text),
        sa.Column("message_id", sa.Text),
        sqlite_autoincrement=True,
    )
    waiting = sa.text("message_id IS NULL")
    op.create_index("outbox_waiting", "outbox", ["tenant_id", "due_ms"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_index("outbox_message", "outbox", ["message_id"])
    op.create_index("outbox_notice", "outbox", ["notice_id"])
    op.create_table(
        "messages",
        sa.Column("id", sa.Text, primary_key=True),
        _tenant(),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("person", sa.Text),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("address_key", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("notices", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("due_ms", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("runner", sa.Text),
        sa.Column("held_until_ms", sa.BigInteger),
        sa.Column("unsure", sa.Boolean, nullable=False),
        sa.Column("repeated", sa.Boolean, nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("ended_ms", sa.BigInteger),
    )
    pending = sa.text("status = 'pending'")
    op.create_index("messages_pending", "messages", ["tenant_id", "due_ms"], sqlite_where=pending, postgresql_where=pending)
    op.create_index("messages_address", "messages", ["address_key", "created_ms"])
    op.create_index("messages_created", "messages", ["tenant_id", "created_ms"])


def _what_is_known_of_addresses() -> None:
    op.create_table(
        "addresses",
        _tenant(primary_key=True),
        sa.Column("address_key", sa.Text, primary_key=True),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("bounces", sa.Integer, nullable=False),
        sa.Column("paused_ms", sa.BigInteger),
        sa.Column("reason", sa.Text),
    )
    op.create_table(
        "refusals",
        _tenant(primary_key=True),
        sa.Column("address_key", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
    )


def _what_the_app_shows() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", sa.Text, primary_key=True),
        _tenant(),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("link", sa.Text),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("read_ms", sa.BigInteger),
    )
    op.create_index("inbox_at", "inbox", ["tenant_id", "at_ms", "id"])
    op.create_table(
        "push_subscriptions",
        sa.Column("id", sa.Text, primary_key=True),
        _tenant(),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("subscription", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )
