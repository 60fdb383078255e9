"""Finds the system programs that tests need; skips by name where one is missing, and fails where CI demands them all."""

from __future__ import annotations

import glob
import os
import shutil

import pytest

PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin", *sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True))


def find(program: str) -> str | None:
    """The path of a program on PATH or where Debian hides servers."""
    return shutil.which(program) or next((p for place in PLACES if (p := shutil.which(program, path=place))), None)


def require(program: str) -> str:
    """The path of a program, or skip the test by its name (fail with OHMSTEAD_REQUIRE_SERVICES=1)."""
    path = find(program)
    if path is None:
        missing = f"{program} is not installed"
        if os.environ.get("OHMSTEAD_REQUIRE_SERVICES") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return path
