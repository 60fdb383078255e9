"""Runs a measurement of Home Assistant's core in its own environment, which `make bench-peers` makes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
PYTHON = Path(os.environ.get("OHMSTEAD_BENCH_PEER", HERE / ".peers" / "bin" / "python"))


def peer(what: str, *more: str) -> dict[str, float]:
    """Figures of Home Assistant by name; empty where it is not installed."""
    if not PYTHON.exists():
        return {}
    command = [str(PYTHON), "-P", str(HERE / "home_assistant.py"), what, *more]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if ran.returncode:
        raise RuntimeError(f"Home Assistant could not be measured:\n{ran.stderr[-2000:]}")
    found: dict[str, float] = json.loads(ran.stdout.strip().splitlines()[-1])
    return found
