"""Measures every row and prints the table: `make bench`, or `python -m bench.run mqtt batches` for some."""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

from bench.machine import described
from bench.private import Missing
from bench.row import HEAD, Row, plain

MODULES = (
    "bus", "states", "mqtt", "batches", "writer", "ledger", "soak", "sockets", "year", "money", "rules", "notify",
    "green_button", "size", "start",
)  # fmt: skip
LAST = Path(__file__).parent / "last.json"


def measured(name: str) -> list[Row]:
    """The rows of one module; none, said aloud, where a program they need is missing."""
    began = time.monotonic()
    print(f"{name} …", end=" ", file=sys.stderr, flush=True)
    try:
        rows: list[Row] = importlib.import_module(f"bench.{name}").measure()
    except Missing as missing:
        print(f"not measured: {missing}", file=sys.stderr)
        return []
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return rows


def main() -> None:
    names = sys.argv[1:] or list(MODULES)
    rows: dict[str, list[Row]] = {}
    for name in names:
        rows[name] = measured(name)
        known = json.loads(LAST.read_text()) if LAST.exists() and sys.argv[1:] else {}
        merged = {**known.get("rows", {}), **{key: [plain(row) for row in found] for key, found in rows.items()}}
        LAST.write_text(json.dumps({"machine": described(), "rows": merged}, indent=1))
    print(f"{described()}. “Beside it” is the limit or a peer doing the same work in the same run.\n\n{HEAD}")
    for found in rows.values():
        for row in found:
            print(row.markdown())


if __name__ == "__main__":
    main()
