"""SQLAlchemy's connections for asyncio, without its object mapper.

Their package imports the mapper for its sessions, of which the house has none: a twelfth of the start and 6 MiB. So its
own `__init__` is left out here. Who imports the whole package later gets it, with these same classes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec

__all__ = ["AsyncConnection", "AsyncEngine", "create_async_engine"]


@contextmanager
def _bare(package: str) -> Iterator[None]:
    """Let modules of a package be imported without the package itself, unless it is there already."""
    spec = find_spec(package)
    if package in sys.modules or spec is None:
        yield
        return
    sys.modules[package] = module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[package]


with _bare("sqlalchemy.ext.asyncio"):
    from sqlalchemy.ext.asyncio.engine import AsyncConnection, AsyncEngine, create_async_engine
