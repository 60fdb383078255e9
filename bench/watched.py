"""The hub with a timer in its event loop that notes how late it fires: `python -m bench.watched -c DIR run …`.

When the hub stops it writes the lateness in seconds to DIR/lateness.json.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import sys
import threading
import time
from pathlib import Path

EVERY_S = 0.005


class Watching(asyncio.DefaultEventLoopPolicy):
    """Watches the first loop of the main thread, which is the hub's."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[float] = []
        self._watched = False

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A loop as always."""
        loop = super().new_event_loop()
        if not self._watched and threading.current_thread() is threading.main_thread():
            self._watched = True
            self._wait(loop)
        return loop

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(EVERY_S, self._fired, loop, time.perf_counter() + EVERY_S)

    def _fired(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self.late.append(time.perf_counter() - due)
        self._wait(loop)


def main() -> None:
    from ohmstead.config.cli import main as ohmstead

    policy = Watching()
    asyncio.set_event_loop_policy(policy)
    file = Path(sys.argv[sys.argv.index("-c") + 1]) / "lateness.json"
    atexit.register(lambda: file.write_text(json.dumps(policy.late)))
    ohmstead()


if __name__ == "__main__":
    main()
