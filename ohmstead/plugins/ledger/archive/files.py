"""Where the files of the archive are: a folder, for now."""

from __future__ import annotations

import os
from pathlib import Path


class Files:
    """Files that are written once, under a name with slashes, and never changed. Everything here blocks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def draft(self) -> Path:
        """A path to write a file at before it is put; what was left there by a crash is overwritten."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / ".draft"

    def put(self, draft: Path, name: str) -> None:
        """Have a draft under its name, for good: it survives a power cut once this returns."""
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _sync(draft, os.O_RDWR)
        draft.replace(target)
        for folder in target.parents[: len(Path(name).parents) + 1]:  # up to the one that the archive is in
            _sync(folder, os.O_RDONLY)

    def path(self, name: str) -> Path:
        """Where a file is, or would be."""
        return self._folder / name

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return self.path(name).is_file()


def _sync(path: Path, mode: int) -> None:
    descriptor = os.open(path, mode)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
