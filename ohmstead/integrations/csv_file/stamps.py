"""Times as files write them: naive or with an offset, at the start or the end of what they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from ohmstead.core import validate
from ohmstead.core.clock import from_ms, to_ms

NEXT = "next"  # a period that lasts until the next row
_OFFSET = re.compile(r"([+-])([01]\d|2[0-3]):?([0-5]\d)")
_MIDNIGHT = time()


def zone(value: Any) -> str:
    """An IANA zone, or a fixed offset such as +01:00, for files that know no summer time."""
    return str(value) if isinstance(value, str) and _OFFSET.fullmatch(value) else validate.time_zone(value)


def zone_info(name: str) -> tzinfo:
    """The zone of a checked name."""
    offset = _OFFSET.fullmatch(name)
    if offset is None:
        return ZoneInfo(name)
    minutes = int(offset[2]) * 60 + int(offset[3])
    return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes))


class Stamps:
    """Reads the times of one file, in the order of its rows."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._parse = _parser(options["time_format"])
        self._zone = zone_info(options["zone"]) if "zone" in options else None
        self._late_midnight = options["midnight"] == "end_of_day"
        self._last_ms: dict[str, int] = {}
        self._step_ms: dict[str, int] = {}  # from row to row; below 0 in files that begin with the newest

    def read(self, text: str, device: str) -> int:
        """Milliseconds of what a cell says; ValueError, for people, when it says no time that was."""
        local = self._parse(text.strip())
        if self._late_midnight and local.time() == _MIDNIGHT:
            local += timedelta(days=1)
        at_ms = to_ms(local) if local.tzinfo is not None else self._in_zone(local, device)
        last_ms = self._last_ms.get(device, at_ms)
        if at_ms != last_ms:
            self._step_ms[device] = at_ms - last_ms
        self._last_ms[device] = at_ms
        return at_ms

    def _in_zone(self, local: datetime, device: str) -> int:
        if self._zone is None:
            raise ValueError(f"{local} has no offset; give the zone of the file")
        first = local.replace(tzinfo=self._zone)
        first_ms, second_ms = to_ms(first.astimezone(UTC)), to_ms(first.replace(fold=1).astimezone(UTC))
        if first_ms == second_ms:
            return first_ms
        if from_ms(first_ms).astimezone(self._zone).replace(tzinfo=None) != local:
            raise ValueError(f"{local} does not exist in {self._zone}: the clocks were put forward")
        return self._fold(first_ms, second_ms, device)

    def _fold(self, first_ms: int, second_ms: int, device: str) -> int:
        """Which of the two an hour that comes twice is: the one in step with the rows before, else the next one on."""
        last_ms, step_ms = self._last_ms.get(device), self._step_ms.get(device, 0)
        if last_ms is None or first_ms - last_ms == step_ms:
            return first_ms
        if second_ms - last_ms == step_ms:
            return second_ms
        if step_ms < 0:
            return second_ms if second_ms < last_ms else first_ms
        return first_ms if first_ms > last_ms else second_ms


def _parser(pattern: str) -> Callable[[str], datetime]:
    if pattern == "iso":
        return datetime.fromisoformat
    if pattern == "unix":
        return lambda text: datetime.fromtimestamp(float(text), UTC)

    def parse(text: str) -> datetime:
        return datetime.strptime(text, pattern)  # noqa: DTZ007 - the zone is the file's

    return parse
