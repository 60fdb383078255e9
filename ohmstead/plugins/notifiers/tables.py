"""The tables of the outbox: what is to be told, to which addresses, in which messages, and how each went."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

from ohmstead.core.plugin import Tables

metadata = MetaData()

notices = Table(
    "notices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("key", Text, nullable=False),  # a second notice with the same one is dropped
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("facts", Text, nullable=False),  # JSON
    Column("link", Text),
    Column("at_ms", BigInteger, nullable=False),
    UniqueConstraint("tenant_id", "key"),
    sqlite_autoincrement=True,
)

notice_files = Table(
    "notice_files",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("notice_id", Integer, ForeignKey("notices.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

outbox = Table(  # one notice for one address; `message_id` is NULL while it waits
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("notice_id", Integer, ForeignKey("notices.id"), nullable=False),
    Column("recipient", Text, nullable=False),  # as it is shown
    Column("person", Text),
    Column("address", Text, nullable=False),  # sealed
    Column("address_key", Text, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("held", Text),  # why it waits: quiet, digest, rate
    Column("message_id", Text),
    sqlite_autoincrement=True,
)

messages = Table(  # one message to one address, and the log of its delivery
    "messages",
    metadata,
    Column("id", Text, primary_key=True),  # becomes the Message-ID and the idempotency key
    Column("tenant_id", Integer, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("person", Text),
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False),  # sealed
    Column("address_key", Text, nullable=False),
    Column("place", Text, nullable=False),  # the address as it is shown
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("notices", Integer, nullable=False),
    Column("status", Text, nullable=False),  # pending, sent, failed, bounced
    Column("created_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("runner", Text),  # who tries it now, until `held_until_ms`
    Column("held_until_ms", BigInteger),
    Column("unsure", Boolean, nullable=False),  # an attempt began and nobody knows how it ended
    Column("repeated", Boolean, nullable=False),  # an attempt was made although one before may have arrived
    Column("answer", Text),
    Column("ended_ms", BigInteger),
)

addresses = Table(  # what is known of an address: that it bounces, that it is paused
    "addresses",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("address_key", Text, primary_key=True),
    Column("place", Text, nullable=False),
    Column("bounces", Integer, nullable=False),  # in a row
    Column("paused_ms", BigInteger),
    Column("reason", Text),
)

refusals = Table(  # who unsubscribed from what
    "refusals",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("address_key", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
)

inbox = Table(  # messages shown in the app
    "inbox",
    metadata,
    Column("id", Text, primary_key=True),  # that of the message
    Column("tenant_id", Integer, nullable=False),
    Column("person", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("facts", Text, nullable=False),  # JSON
    Column("link", Text),
    Column("at_ms", BigInteger, nullable=False),
    Column("read_ms", BigInteger),
)

push_subscriptions = Table(  # browsers
    "push_subscriptions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("person", Text, nullable=False),
    Column("subscription", Text, nullable=False),  # JSON as the browser gave it, sealed
    Column("created_ms", BigInteger, nullable=False),
)

TABLES = Tables("notifiers", Path(__file__).parent / "migrations")
