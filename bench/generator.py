"""Starts the load generator as a process of its own and reads what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from bench.machine import end


class Generator:
    """`with Generator("http", …) as load: load.go(); load.result()`."""

    def __init__(self, *arguments: object, module: str = "bench.load") -> None:
        self._command = [sys.executable, "-m", module, *map(str, arguments)]

    def __enter__(self) -> Generator:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self._line() != "ready":
            raise RuntimeError(f"the load generator did not start: {self._command}")
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process)

    def go(self, word: str = "") -> None:
        """Give the word; everything is encoded."""
        assert self._process.stdin is not None
        self._process.stdin.write(word.encode() + b"\n")
        self._process.stdin.flush()

    def listening(self) -> None:
        """Wait until it says so."""
        if self._line() != "listening":
            raise RuntimeError("the sockets are gone")

    def result(self) -> dict[str, Any]:
        """What it measured, once it is done. RuntimeError with the answers that were no success."""
        line = self._line()
        found: dict[str, Any] = json.loads(line) if line else {"failures": ["it broke off"]}
        if found.get("failures"):
            raise RuntimeError(f"the hub refused load: {found['failures']}")
        return found

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().strip()
