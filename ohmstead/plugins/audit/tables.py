"""The tables of the log.

The chain is only ever added to, and shortened at its old end by pruning. What must be deletable is beside it.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text

from ohmstead.core.plugin import Tables

metadata = MetaData()

entries = Table(
    "audit_entries",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),  # 1, 2, 3 … without a gap
    Column("at_ms", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Text),
    Column("device_id", Text),
    Column("who", Text),
    Column("data", Text, nullable=False),  # JSON
    Column("personal", Text),  # the id of what is kept beside
    Column("hash", LargeBinary, nullable=False),
)

head = Table(  # the newest entry: whoever adds one takes this row first
    "audit_head",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("seal", LargeBinary, nullable=False),  # HMAC-SHA256 with the key in data/audit_key
)

checkpoints = Table(  # where the chain was cut off: it goes on behind `number` from `hash`
    "audit_checkpoints",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("file", Text, nullable=False),  # in data/archive/audit
    Column("digest", Text, nullable=False),  # SHA-256 of the file, hex
    Column("seal", LargeBinary, nullable=False),
)

personal = Table(  # `id` is SHA-256 of salt and data, hex: it proves what is there, and says nothing once that is deleted
    "audit_personal",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", Text),
    Column("salt", LargeBinary, nullable=False),
    Column("data", Text, nullable=False),  # JSON
)

TABLES = Tables("audit", Path(__file__).parent / "migrations")
