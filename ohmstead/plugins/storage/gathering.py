"""SQL that gathers readings or finer rollups into spans, in the words of each engine.

SQLite is made to read one range of the key for each span, in order; PostgreSQL the same by a lateral query, whatever
its planner knows of the tables. So sums come about in order of time, and the same rows give the same bytes.
"""

from __future__ import annotations

_ROLLED = {"instant": "start_ms", "low": "low", "high": "high", "total": "total", "last": "last"}
_RAW = {"instant": "at_ms", "low": "value", "high": "value", "total": "value", "last": "value"}


def by_bucket(engine_name: str, source: str, with_first: bool) -> str:
    """The query of one series by the table `bucket (start_ms, end_ms)`: start, min, max, sum, first, last, count.

    Parameters: the series' key, the first and the last instant. `with_first` only makes sense of raw readings.
    """
    sqlite = engine_name == "sqlite"
    first = "NULL"
    if with_first:
        first = "(SELECT " + _END.replace("{order}", "") + ")" if sqlite else "(array_agg({last} ORDER BY {instant}))[1]"
    return (_BUCKET_SQLITE if sqlite else _BUCKET_POSTGRES).replace("{first}", first).format(source=source, **_names(source, sqlite))


def into_rollup(engine_name: str, source: str, table: str) -> str:
    """The statement that gathers the source in the table `span (series_id, start_ms, end_ms)` into a rollup.

    A bucket that is there is replaced only by one of more readings, or of another zone's day.
    """
    sqlite, days = engine_name == "sqlite", table == "rollup_1d"
    return ((_SPAN_SQLITE if sqlite else _SPAN_POSTGRES) + _KEEP).format(
        table=table,
        source=source,
        end=", end_ms" if days else "",
        span_end=", s.end_ms" if days else "",
        set_end=", end_ms = excluded.end_ms" if days else "",
        or_end=f" OR excluded.end_ms <> {table}.end_ms" if days else "",
        **_names(source, sqlite),
    )


def _names(source: str, sqlite: bool) -> dict[str, str]:
    if not source.startswith("rollup_"):
        return {**_RAW, "count": "count(*)"}
    return {**_ROLLED, "count": f"CAST(sum({'r.' if sqlite else ''}count) AS bigint)"}


_END = "{last} FROM {source} WHERE series_id = $1 AND {instant} >= b.start_ms AND {instant} < b.end_ms ORDER BY {instant}{order} LIMIT 1"
_BUCKET_SQLITE = """
    SELECT b.start_ms, min(r.{low}), max(r.{high}), sum(r.{total}), {first}, (SELECT {newest}), {count}
    FROM temp.bucket b CROSS JOIN {source} r ON r.series_id = $1 AND r.{instant} >= b.start_ms AND r.{instant} < b.end_ms
    WHERE b.start_ms >= $2 AND b.end_ms <= $3 GROUP BY b.start_ms
""".replace("{newest}", _END.replace("{order}", " DESC"))
_BUCKET_POSTGRES = """
    SELECT b.start_ms, g.* FROM bucket b CROSS JOIN LATERAL (
        SELECT min({low}) AS low, max({high}), sum({total} ORDER BY {instant}), {first},
            (array_agg({last} ORDER BY {instant} DESC))[1], {count}
        FROM {source} WHERE series_id = $1 AND {instant} >= b.start_ms AND {instant} < b.end_ms AND {instant} >= $2 AND {instant} < $3) g
    WHERE g.low IS NOT NULL ORDER BY b.start_ms
"""
_SPAN_SQLITE = """
    INSERT INTO {table} (series_id, start_ms, low, high, total, last, count{end})
    SELECT s.series_id, s.start_ms, min(r.{low}), max(r.{high}), sum(r.{total}),
        (SELECT {last} FROM {source} WHERE series_id = s.series_id AND {instant} >= s.start_ms AND {instant} < s.end_ms
         ORDER BY {instant} DESC LIMIT 1), {count}{span_end}
    FROM span s CROSS JOIN {source} r ON r.series_id = s.series_id AND r.{instant} >= s.start_ms AND r.{instant} < s.end_ms
    WHERE true GROUP BY s.series_id, s.start_ms
"""
_SPAN_POSTGRES = """
    INSERT INTO {table} (series_id, start_ms, low, high, total, last, count{end})
    SELECT s.series_id, s.start_ms, g.low, g.high, g.total, g.last, g.count{span_end} FROM span s CROSS JOIN LATERAL (
        SELECT min({low}) AS low, max({high}) AS high, sum({total} ORDER BY {instant}) AS total,
            (array_agg({last} ORDER BY {instant} DESC))[1] AS last, {count} AS count
        FROM {source} WHERE series_id = s.series_id AND {instant} >= s.start_ms AND {instant} < s.end_ms) g
    WHERE g.low IS NOT NULL
"""
_KEEP = """
    ON CONFLICT (series_id, start_ms) DO UPDATE SET low = excluded.low, high = excluded.high, total = excluded.total,
        last = excluded.last, count = excluded.count{set_end}
    WHERE excluded.count > {table}.count{or_end}
"""
