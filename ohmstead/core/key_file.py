"""A key of the house: 32 random bytes in a file beside the data that only its owner can read, made on the first start."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ohmstead.core.errors import ConfigError

SIZE = 32


def key(path: Path, or_else: str) -> bytes:
    """The key in the file. ConfigError for a file that holds none; `or_else` says what deleting it would entail."""
    try:
        found = bytes.fromhex(path.read_text())
        if len(found) != SIZE:
            raise ValueError(f"{len(found)} bytes")
        return found
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        found = secrets.token_bytes(SIZE)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(found.hex())
            os.fsync(file.fileno())
        return found
    except ValueError as error:
        raise ConfigError(f"{path}: no key of 32 bytes in hex ({error}); restore it from a backup, or {or_else}") from error
