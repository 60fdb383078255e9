"""A file that has to be complete before it can be sent: written beside the loop, sent in pieces, gone in the end."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

CHUNK = 1 << 18


@asynccontextmanager
async def folder() -> AsyncIterator[Path]:
    """A folder of its own, removed when the block ends."""
    made = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="ohmstead-export-")
    try:
        yield Path(made.name)
    finally:
        await asyncio.to_thread(made.cleanup)


async def pieces(path: Path) -> AsyncIterator[bytes]:
    """The content of a file."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, CHUNK):
            yield piece
