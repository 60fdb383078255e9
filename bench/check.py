"""Says which rows of the last `make bench` fall short, and ends with 1 when any does: `make bench-check`."""

from __future__ import annotations

import json
import sys

from bench.row import read
from bench.run import LAST


def main() -> None:
    if not LAST.exists():
        sys.exit("nothing is measured yet: make bench")
    last = json.loads(LAST.read_text())
    print(last["machine"])
    short = 0
    for rows in last["rows"].values():
        for row in map(read, rows):
            shortfalls = row.shortfalls()
            short += bool(shortfalls)
            print(f"{'SHORT' if shortfalls else 'ok   '}  {row.what}")
            for shortfall in shortfalls:
                print(f"         {shortfall}")
            for beside in row.beside:
                if beside.value is None:
                    print(f"         {beside.text} (make bench-peers)")
    print(f"{short} rows fall short" if short else "every row is reached")
    sys.exit(1 if short else 0)


if __name__ == "__main__":
    main()
