"""A file sealed with a passphrase: scrypt makes the key, AES-256-GCM seals chunk by chunk.

The number of a chunk is its nonce, the key being of one file alone; the last chunk is marked, so that a file cut short
does not pass for a whole one.
"""

from __future__ import annotations

import os
import struct
from typing import IO

from ohmstead.core.errors import ConfigError

CHUNK = 1 << 16
SALT = 16
COST = {"n": 1 << 15, "r": 8, "p": 1}  # 32 MiB and about 0.1 s
DAMAGED = "wrong passphrase, or the file is damaged"


class Sealer:
    """A file to write to; what it writes to `file` is sealed. It must be closed, which does not close `file`."""

    def __init__(self, file: IO[bytes], passphrase: str) -> None:
        salt = os.urandom(SALT)
        file.write(salt)
        self._file = file
        self._key = _Key(passphrase, salt)
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        """Take bytes in."""
        self._waiting += data
        while len(self._waiting) > CHUNK:
            self._put(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]
        return len(data)

    def flush(self) -> None:
        """Nothing: chunks are sealed whole."""

    def close(self) -> None:
        """Seal what is left, as the last chunk."""
        self._put(bytes(self._waiting), last=True)

    def _put(self, plain: bytes, last: bool) -> None:
        sealed = self._key.seal(plain, last)
        self._file.write(struct.pack(">I", len(sealed)) + sealed)


class Opener:
    """A file to read from; it opens what a Sealer wrote. ConfigError for a wrong passphrase or a damaged file."""

    def __init__(self, file: IO[bytes], passphrase: str) -> None:
        self._file = file
        self._key = _Key(passphrase, file.read(SALT))
        self._ready = bytearray()
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, all when it is negative."""
        while not self._ended and (size < 0 or len(self._ready) < size):
            self._take()
        end = len(self._ready) if size < 0 else size
        part = bytes(self._ready[:end])
        del self._ready[:end]
        return part

    def _take(self) -> None:
        head = self._file.read(4)
        length = struct.unpack(">I", head)[0] if len(head) == 4 else 0
        if not 0 < length <= CHUNK + 64:
            raise ConfigError(DAMAGED)
        plain, self._ended = self._key.open(self._file.read(length))
        self._ready += plain


class _Key:
    def __init__(self, passphrase: str, salt: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

        self._aes = AESGCM(Scrypt(salt, 32, **COST).derive(passphrase.encode()))
        self._number = 0

    def _nonce(self) -> bytes:
        self._number += 1
        return self._number.to_bytes(12, "big")

    def seal(self, plain: bytes, last: bool) -> bytes:
        mark = b"\1" if last else b"\0"
        return mark + self._aes.encrypt(self._nonce(), plain, mark)

    def open(self, sealed: bytes) -> tuple[bytes, bool]:
        from cryptography.exceptions import InvalidTag

        try:
            return self._aes.decrypt(self._nonce(), sealed[1:], sealed[:1]), sealed[:1] == b"\1"
        except (InvalidTag, ValueError):
            raise ConfigError(DAMAGED) from None
