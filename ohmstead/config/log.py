"""What the hub writes about itself: one line for people or JSON for machines, secrets blanked."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping
from typing import TextIO

import msgspec

from ohmstead.config.problem import HIDDEN
from ohmstead.core.clock import iso

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
ACCESS = "ohmstead.access"  # whose messages are JSON already
QUIET = {"aiosqlite": logging.WARNING, "asyncio": logging.WARNING, "pymodbus": logging.ERROR, "zeroconf": logging.ERROR,
         "transitions": logging.WARNING, "alembic": logging.WARNING}  # fmt: skip  # what they say at INFO helps only their own authors


class Lines(logging.Formatter):
    """`2026-02-07 11:26:00 INFO    hub: text`, with secrets blanked, tracebacks too."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(shortname)s: %(message)s", "%Y-%m-%d %H:%M:%S")
        self._secrets = tuple(sorted(secrets, key=len, reverse=True))

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        if record.name == ACCESS:
            return self.blanked(record.getMessage())
        record.shortname = record.name.rpartition(".")[2]
        return self.blanked(super().format(record))

    def blanked(self, text: str) -> str:
        """`text` without any secret."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return text


class Json(Lines):
    """One JSON object a line: level, message, timestamp, service, logger, and exception where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        if record.name == ACCESS:
            return self.blanked(record.getMessage())
        line = {
            "level": record.levelname.lower(), "message": record.getMessage(), "timestamp": iso(int(record.created * 1000)),
            "service": "ohmstead", "logger": record.name,
        }  # fmt: skip
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return self.blanked(msgspec.json.encode(line).decode())


def set_up(options: Mapping[str, str], secrets: Iterable[str] = (), to: TextIO | None = None) -> None:
    """Make the root logger write as the section `log:` says, from now on; may be called again."""
    handler = logging.StreamHandler(to or sys.stderr)
    handler.setFormatter((Json if options.get("format") == "json" else Lines)(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[options.get("level", "info")])
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)
