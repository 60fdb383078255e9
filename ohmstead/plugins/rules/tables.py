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

automations = Table(  # those that people made over the API
    "automations",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("body", Text, nullable=False),  # JSON, in the words of YAML
    Column("created_ms", BigInteger, nullable=False),
)

automation_state = Table(  # of any automation, wherever it is defined
    "automation_state",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("enabled", Integer),  # what somebody decided while the hub ran; NULL: as it is defined
    Column("count", BigInteger, nullable=False),
    Column("last_ms", BigInteger),
)

automation_runs = Table(  # those that wait
    "automation_runs",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("automation", Text, nullable=False),
    Column("body", Text, nullable=False),  # JSON: where it stands, and its trace so far
)

automation_traces = Table(  # a ring for each automation
    "automation_traces",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("automation", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("began_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),  # JSON
)

holds = Table(  # what is kept from commands of a lower priority beyond the run that commanded it
    "rule_holds",
    metadata,
    Column("tenant_id", Integer, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("capability", Text, primary_key=True),
    Column("automation", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)

TABLES = Tables("rules", Path(__file__).parent / "migrations")
