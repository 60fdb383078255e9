"""Folders with configurations, and the command line."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Commands set logging up for their own process, which here is that of the tests."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def folder(tmp_path: Path) -> Write:
    """Writes a configuration (and other files, by name with _ for the dot) into a folder of its own."""

    def write(yaml: str = "", **files: str) -> Path:
        there = tmp_path / "house"
        there.mkdir(exist_ok=True)
        (there / "configuration.yaml").write_text(yaml)
        for name, text in files.items():
            (there / name.replace("_", ".")).write_text(text)
        return there

    return write


@pytest.fixture
def ohmstead() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real command; `folder` is -c, `environment` is laid over ours."""

    def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ohmstead", "-c", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **environment}, check=False)

    return run
