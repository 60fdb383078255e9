"""Brings the periods or registers of a meter point in: `ohmstead import green-button | csv | home-assistant`.

Each file is an import with its own number, and counts only once it is committed whole.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from ohmstead.config.cli.api import Api
from ohmstead.config.cli.readings import SHOWN
from ohmstead.core.errors import ConfigError, Rejected
from ohmstead.core.plugin import Found, Importer, PeriodRow, RegisterRow

PORTION = 10_000  # rows sent at once
DERIVED_S = 30.0
LOOKED_AT = 300_000  # rows up to which it is worked out what changes; for more only when that alone is asked for
FLOWS = {"grid_import": "forward", "grid_export": "reverse"}  # role of a meter point -> direction in a file that has both


class Outcome(msgspec.Struct):
    """What became of a file. `number` is that of the import, `known` that of the one that brought the same file before.

    `preview` is empty for a very large file that was not only looked at.
    """

    number: int | None = None
    known: int | None = None
    taken: int = 0
    committed: bool = False
    start: str | None = None
    end: str | None = None
    wrong: int = 0
    mistakes: list[str] = msgspec.field(default_factory=list)
    preview: dict[str, Any] = msgspec.field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "number": self.number, "known": self.known, "rows": self.taken, "committed": self.committed, "start": self.start,
            "end": self.end, "preview": self.preview, "rejected": self.wrong, "mistakes": self.mistakes,
        }  # fmt: skip


class Wanted(msgspec.Struct, frozen=True):
    """One file for one meter point. `given` are the importer's options as they were written, `skip` that mistakes are passed over."""

    importer: Importer
    file: Path
    meter_point: str
    layer: str
    given: Mapping[str, Any]
    dry_run: bool = False
    skip: bool = False

    def fingerprint(self) -> str:
        """What tells this file, read in this way, from all others."""
        digest = hashlib.sha256(msgspec.json.encode([self.importer.name, sorted(self.given.items())]))
        with self.file.open("rb") as content:
            while chunk := content.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()

    def begin(self, api: Api) -> dict[str, Any]:
        """The import that the hub began for it, or knows already."""
        body = {"meter_point": self.meter_point, "kind": self.layer, "source": self.importer.name, "fingerprint": self.fingerprint(),
                "note": self.file.name[:200]}  # fmt: skip
        made: dict[str, Any] = api.call("POST", "/imports", body=body)
        return made


def flow(api: Api, importer: Importer, meter_point: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options, with the direction that the meter point's role means where the format asks for one."""
    direction = FLOWS.get(api.call("GET", f"/meter-points/{meter_point}")["role"])
    if direction is None or "flow" in given or "flow" not in {str(marker) for marker in importer.schema}:
        return dict(given)
    return {**given, "flow": direction}


def bring(api: Api, wanted: Wanted, found: Iterator[Found], outcome: Outcome) -> Iterator[Outcome]:
    """Send the rows in portions, look at what would change, then commit or discard; the outcome after each step.

    ConfigError when there are mistakes that nobody asked to pass over; nothing is kept of the import then, or of one that
    breaks off.
    """
    begun = wanted.begin(api)
    if begun["known"]:
        outcome.known = begun["number"]
        return
    number = outcome.number = begun["number"]
    path = f"/imports/{number}"
    try:
        yield from _send(api, path, found, outcome)
        _refuse(wanted, outcome)
        if wanted.dry_run or outcome.taken <= LOOKED_AT:
            outcome.preview = api.call("GET", f"{path}/preview")
        if not wanted.dry_run:
            made = api.call("POST", f"{path}/commit", body=None)
            outcome.start, outcome.end, outcome.committed = made["start"], made["end"], True
            yield outcome
            _derived(api)
        yield outcome
    finally:
        if not outcome.committed:
            _discard(api, path)


def _derived(api: Api) -> None:
    """Wait a while until intervals follow the import, so that whoever asks for them next sees it."""
    until_s = time.monotonic() + DERIVED_S
    while not api.call("GET", "/ledger")["caught_up"] and time.monotonic() < until_s:
        time.sleep(0.2)


def _discard(api: Api, path: str) -> None:
    with suppress(Rejected):  # the hub has cleared it away already
        api.call("DELETE", path)


def _refuse(wanted: Wanted, outcome: Outcome) -> None:
    if outcome.wrong and not wanted.skip:
        more = [f"and {outcome.wrong - len(outcome.mistakes)} more"] if outcome.wrong > len(outcome.mistakes) else []
        lines = [f"{wanted.file}: {mistake}" for mistake in outcome.mistakes] + more
        raise ConfigError([*lines, "nothing was brought in; mend the file, or pass over these with --skip-mistakes"])
    if not outcome.taken:
        raise ConfigError(f"{wanted.file}: nothing in it is for this meter point")


def _send(api: Api, path: str, found: Iterator[Found], outcome: Outcome) -> Iterator[Outcome]:
    while some := list(islice(found, PORTION)):
        mistakes = [each for each in some if isinstance(each, str)]
        outcome.wrong += len(mistakes)
        outcome.mistakes += mistakes[: max(0, SHOWN - len(outcome.mistakes))]
        periods = [[row.from_ms, row.to_ms, row.amount, row.estimated, row.place] for row in some if isinstance(row, PeriodRow)]
        registers = [[row.at_ms, row.amount, row.place] for row in some if isinstance(row, RegisterRow)]
        if periods or registers:
            unit = next(row.unit for row in some if isinstance(row, PeriodRow | RegisterRow))
            api.call("POST", f"{path}/rows", body={"unit": unit, "periods": periods, "registers": registers})
        outcome.taken += len(periods) + len(registers)
        yield outcome
