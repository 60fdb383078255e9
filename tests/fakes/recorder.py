"""Databases of Home Assistant's recorder, in the layouts it has had."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

META = {
    53: "id INTEGER PRIMARY KEY, statistic_id VARCHAR(255) UNIQUE, source VARCHAR(32), unit_of_measurement VARCHAR(255), "
        "unit_class VARCHAR(255), has_mean BOOLEAN, has_sum BOOLEAN, name VARCHAR(255), mean_type SMALLINT NOT NULL",
    49: "id INTEGER PRIMARY KEY, statistic_id VARCHAR(255) UNIQUE, source VARCHAR(32), unit_of_measurement VARCHAR(255), "
        "has_mean BOOLEAN, has_sum BOOLEAN, name VARCHAR(255), mean_type SMALLINT NOT NULL",
    31: "id INTEGER PRIMARY KEY, statistic_id VARCHAR(255), source VARCHAR(32), unit_of_measurement VARCHAR(255), "
        "has_mean BOOLEAN, has_sum BOOLEAN, name VARCHAR(255)",
    22: "id INTEGER PRIMARY KEY, statistic_id VARCHAR(255), source VARCHAR(32), unit_of_measurement VARCHAR(255), "
        "has_mean BOOLEAN, has_sum BOOLEAN",
}  # fmt: skip
ROWS = {
    53: "id INTEGER PRIMARY KEY, created CHAR(0), created_ts FLOAT, metadata_id INTEGER REFERENCES statistics_meta(id) ON DELETE CASCADE, "
        "start CHAR(0), start_ts FLOAT, mean FLOAT, mean_weight FLOAT, min FLOAT, max FLOAT, last_reset CHAR(0), last_reset_ts FLOAT, "
        "state FLOAT, sum FLOAT",
    31: "id INTEGER PRIMARY KEY, created DATETIME, created_ts FLOAT, metadata_id INTEGER, start DATETIME, start_ts FLOAT, mean FLOAT, "
        "min FLOAT, max FLOAT, last_reset DATETIME, last_reset_ts FLOAT, state FLOAT, sum FLOAT",
    22: "id INTEGER PRIMARY KEY, created DATETIME, metadata_id INTEGER, start DATETIME, mean FLOAT, min FLOAT, max FLOAT, "
        "last_reset DATETIME, state FLOAT, sum FLOAT",
}  # fmt: skip
ROWS[49] = ROWS[53]


def text(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


class RecorderFile:
    """One database of a schema version; `old` rows are those that a migration to seconds has not reached."""

    def __init__(self, path: Path, version: int = 53) -> None:
        self.path, self.version = path, version
        with closing(sqlite3.connect(path)) as db:
            db.execute(f"CREATE TABLE statistics_meta ({META[version]})")
            db.execute(f"CREATE TABLE statistics ({ROWS[version]})")
            db.execute("CREATE TABLE schema_changes (change_id INTEGER PRIMARY KEY, schema_version INTEGER, changed DATETIME)")
            db.execute("INSERT INTO schema_changes (schema_version) VALUES (?)", (version,))
            if version >= 49:
                db.execute("CREATE UNIQUE INDEX ix_statistics_statistic_id_start_ts ON statistics (metadata_id, start_ts)")
            db.commit()

    def add(self, statistic: str, unit: str | None, totals: Iterable[tuple[int, float | None]], has_sum: bool = True, old: bool = False) -> None:
        with closing(sqlite3.connect(self.path)) as db:
            names = "statistic_id, source, unit_of_measurement, has_mean, has_sum" + (", mean_type" if self.version >= 49 else "")
            values = [statistic, "recorder", unit, not has_sum, has_sum] + [0] * (self.version >= 49)
            key = db.execute(f"INSERT INTO statistics_meta ({names}) VALUES ({', '.join('?' * len(values))})", values).lastrowid
            in_text = old or self.version < 31
            column = "start" if in_text else "start_ts"
            db.executemany(
                f"INSERT INTO statistics (metadata_id, {column}, state, sum) VALUES (?, ?, ?, ?)",
                [(key, text(at_s) if in_text else float(at_s), 99.0, total) for at_s, total in totals],
            )
            db.commit()
