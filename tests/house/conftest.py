"""Whole-day stories: the real hub as its own process, with real brokers and databases around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.running import RunningHub

YAML = """
home: {name: Test house, time_zone: Europe/Berlin}
web: {host: 127.0.0.1}
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Callable[..., RunningHub]]:
    """Makes hubs, and ends whatever a test left running."""
    made: list[RunningHub] = []

    def make(extra: str = "", **environment: str) -> RunningHub:
        running = RunningHub(tmp_path / f"house{len(made)}", YAML + extra, environment)
        made.append(running)
        return running

    yield make
    for running in made:
        running.kill()
