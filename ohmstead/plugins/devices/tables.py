"""The tables of the devices. Every row belongs to a tenant; ids are unique within it.

A removed device keeps its row, so that its history still has an owner; `removed_ms` tells it from those that are there.
What the YAML defines has rows too: other features point at devices wherever they are defined.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, Table, Text

from ohmstead.core.plugin import Tables

metadata = MetaData()


def _tenant() -> Column[int]:
    return Column("tenant_id", Integer, primary_key=True)


locations = Table(
    "locations",
    metadata,
    _tenant(),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("parent", Text),
    Column("address", Text),
    Column("area_m2", Double),
    Column("time_zone", Text),  # NULL: the parent's
    Column("latitude", Double),
    Column("longitude", Double),
    Column("origin", Text, nullable=False),  # yaml or api
)

devices = Table(
    "devices",
    metadata,
    _tenant(),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("location", Text),
    Column("manufacturer", Text),
    Column("model", Text),
    Column("firmware", Text),
    Column("serial", Text),
    Column("via", Text),
    Column("tags", Text, nullable=False),  # JSON list
    Column("metadata", Text, nullable=False),  # JSON object
    Column("offline_after_s", Double, nullable=False),
    Column("ranges", Text, nullable=False),  # JSON object: quantity -> [low, high]
    Column("origin", Text, nullable=False),  # yaml, api or auto
    Column("created_ms", BigInteger, nullable=False),
    Column("removed_ms", BigInteger),
)

statuses = Table(
    "device_status",
    metadata,
    _tenant(),
    Column("device_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("code", Text),
    Column("since_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger),
)

changes = Table(
    "device_status_history",
    metadata,
    _tenant(),
    Column("device_id", Text, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True),
    Column("old", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("code", Text),
)

secrets = Table(
    "device_secrets",
    metadata,
    _tenant(),
    Column("device_id", Text, primary_key=True),
    Column("digest", Text, primary_key=True),  # HMAC-SHA256 with the key in data/secret_key, hex
    Column("created_ms", BigInteger, nullable=False),
    Column("ends_ms", BigInteger),  # NULL: until it is replaced
)

TABLES = Tables("devices", Path(__file__).parent / "migrations")
