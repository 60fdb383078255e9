"""The tables of the rules.

What people say (rules) and what happened (alerts and their history) is kept; gates are how comparisons stand now.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, Table, Text, UniqueConstraint

from ohmstead.core.plugin import Tables

metadata = MetaData()

gates = Table(  # comparisons that hold: those that wait for their duration, and those that are on
    "rule_gates",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("since_ms", BigInteger, nullable=False),  # instant of the reading from which it holds
    Column("is_on", Integer, nullable=False),  # 1: long enough
    Column("number", Double),  # the value, or
    Column("text", Text),
)

alert_rules = Table(  # those that people made over the API
    "alert_rules",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("body", Text, nullable=False),  # JSON, in the words of YAML
    Column("created_ms", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("rule", Text, nullable=False),
    Column("subject", Text, nullable=False),  # what of the rule it is about: a series, a device, a contract …
    Column("open_key", Text),  # rule and subject while it is open, so that there is never a second one; NULL once resolved
    Column("status", Text, nullable=False),  # triggered, acknowledged, suppressed, snoozed, resolved
    Column("severity", Text, nullable=False),
    Column("device", Text),
    Column("triggered_ms", BigInteger, nullable=False),  # the instant that is so, by the readings
    Column("due_ms", BigInteger),  # when something is to be done about it by itself: escalate, repeat, end a snooze
    Column("group_id", Integer),  # the alert under which it is suppressed
    Column("body", Text, nullable=False),  # JSON: all else
    UniqueConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "open_key"),
    sqlite_autoincrement=True,
)

alert_events = Table(  # the history of an alert, in order
    "alert_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant_id", Integer, nullable=False),
    Column("alert_id", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("what", Text, nullable=False),  # triggered, acknowledged, commented, escalated, repeated …
    Column("who", Text),  # NULL: the house
    Column("text", Text),
    UniqueConstraint("tenant_id", "id"),
    sqlite_autoincrement=True,
)

TABLES = Tables("rules", Path(__file__).parent / "migrations")
