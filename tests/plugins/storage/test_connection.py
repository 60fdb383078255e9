"""The connections come without the object mapper, and do not keep it from whoever wants it."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from ohmstead.plugins.storage.connection import AsyncConnection
print("sqlalchemy.orm" in sys.modules)
import sqlalchemy.ext.asyncio as whole
print(whole.AsyncConnection is AsyncConnection, whole.AsyncSession.__name__)
"""


def test_only_who_wants_the_object_mapper_loads_it() -> None:
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60)
    assert run.stdout.splitlines() == ["False", "True AsyncSession"], run.stderr
