"""What the hub counts of itself, in the text format of Prometheus.

The hot path only adds to plain integers; names, labels and text are made when somebody asks.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ohmstead.core.durations import BUCKETS_S, Durations
from ohmstead.core.route import Call, Reply

if TYPE_CHECKING:
    from prometheus_client import Metric

CONTENT_TYPE = "text/plain; version=0.0.4"

COUNTERS = {
    "energy_readings_processed": "readings taken in",
    "telemetry_messages": "messages and batches taken in",
    "dead_letters": "messages that were refused",
}
GAUGES = {
    "websocket_active_connections": "open live sockets",
    "queue_jobs_pending": "jobs that are due and have not run",
    "devices_online": "devices that are online",
}

Number = Callable[[], float]


class Metrics:
    """All numbers of the hub.

    `numbers` are read when somebody asks, by the name they go under in COUNTERS or GAUGES; `queries` are the durations
    of database queries by their kind.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._requests: dict[tuple[str, str, int], int] = {}
        self._durations: dict[tuple[str, str], Durations] = {}
        self.numbers: dict[str, Number] = {}
        self.queries: Mapping[str, Durations] = {}
        self.notifications: Mapping[tuple[str, str], int] = {}  # channel and status -> messages
        self.alerts: Callable[[], Mapping[str, int]] = dict  # severity -> open alerts
        self.evaluations = Durations()  # of the rules of one reading, by samples

    def request(self, method: str, template: str, status: int, took_s: float | None) -> None:
        """Count one answered request; `template` is the route's path, never the one that was asked for.

        `took_s` is None for a live socket, which stays open for days.
        """
        key = (method, template, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        if took_s is None:
            return
        durations = self._durations.get((method, template))
        if durations is None:
            durations = self._durations[method, template] = Durations()
        durations.add(took_s)

    def traffic(self) -> tuple[int, int, tuple[int, ...]]:
        """All answered requests, those with a status of 500 and more, and how long they took, as Durations counts."""
        errors = sum(count for (_, _, status), count in self._requests.items() if status >= 500)
        counts = [durations.counts for durations in self._durations.values()]
        took = tuple(map(sum, zip(*counts, strict=True))) or (0,) * (len(BUCKETS_S) + 1)
        return sum(self._requests.values()), errors, took

    async def read(self, call: Call) -> Reply:
        """The route's handler."""
        disk = await asyncio.to_thread(shutil.disk_usage, self._data_dir)
        return Reply(self.text(disk.free, disk.total), content_type=CONTENT_TYPE)

    def text(self, disk_free: int, disk_total: int) -> bytes:
        """Everything in the text format."""
        from prometheus_client import CollectorRegistry, ProcessCollector
        from prometheus_client.exposition import generate_latest

        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        registry.register(_Snapshot([*self._http(), *self._house(), *_disk(disk_free, disk_total)]))
        return generate_latest(registry)

    def _http(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily

        requests = CounterMetricFamily("http_requests", "answered requests", labels=("method", "route", "status"))
        for (method, template, status), count in self._requests.items():
            requests.add_metric((method, template, str(status)), count)
        yield requests
        yield _histogram("http_request_duration_seconds", "time to answer a request", ("method", "route"), self._durations)

    def _house(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for name, text in COUNTERS.items():
            yield CounterMetricFamily(name, text, value=self._number(name))
        for name, text in GAUGES.items():
            yield GaugeMetricFamily(name, text, value=self._number(name))
        notifications = CounterMetricFamily("notifications", "messages that were sent or never will be", labels=("channel", "status"))
        for labels, count in self.notifications.items():
            notifications.add_metric(labels, count)
        yield notifications
        alerts = GaugeMetricFamily("alerts_active", "alerts that are not resolved", labels=("severity",))
        for severity, count in self.alerts().items():
            alerts.add_metric((severity,), count)
        yield alerts
        took = "time to evaluate all rules of one reading, of some of the readings"
        yield _histogram("rule_evaluation_duration_seconds", took, (), {(): self.evaluations})
        queries = {(kind,): durations for kind, durations in self.queries.items()}
        yield _histogram("db_query_duration_seconds", "time of a database query", ("kind",), queries)

    def _number(self, name: str) -> float:
        read = self.numbers.get(name)
        return 0.0 if read is None else float(read())


def _histogram(name: str, text: str, labels: tuple[str, ...], found: Mapping[Any, Durations]) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(name, text, labels=labels)
    for values, durations in found.items():
        family.add_metric(values, list(durations.cumulated()), durations.sum_s)
    return family


def _disk(free: int, total: int) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    yield GaugeMetricFamily("data_disk_free_bytes", "free space where the data are", value=free)
    yield GaugeMetricFamily("data_disk_total_bytes", "size of the disk where the data are", value=total)


class _Snapshot:
    """Families that were made already, as the registry wants them."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families
