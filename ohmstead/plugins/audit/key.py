"""The key in data/audit_key: without it nobody can make a chain that this house would have made."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from ohmstead.core.key_file import key

FILE = "audit_key"


class Key:
    """Seals the ends of the chain with HMAC-SHA256. The file is made on the first start."""

    def __init__(self, data_dir: Path) -> None:
        """ConfigError for a file that holds no key."""
        self._key = key(data_dir / FILE, "delete it, after which audit verify can pass for a new log only")

    def head(self, tenant_id: int, number: int, hash_: bytes) -> bytes:
        """The seal of the newest entry."""
        return self._seal(f"head {tenant_id} {number}", hash_)

    def checkpoint(self, tenant_id: int, first: int, number: int, hash_: bytes, digest: str) -> bytes:
        """The seal of a place where the chain was cut off, and of the file that has what was before."""
        return self._seal(f"checkpoint {tenant_id} {first} {number} {digest}", hash_)

    def _seal(self, text: str, hash_: bytes) -> bytes:
        return hmac.digest(self._key, text.encode() + b"\n" + hash_, hashlib.sha256)
