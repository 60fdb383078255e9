"""Keeps addresses in the database unreadable without the key file beside it, and signs what leaves the house."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from pathlib import Path

from ohmstead.core.errors import Unsupported
from ohmstead.core.key_file import key

NONCE = 12


class Vault:
    """Seals texts with AES-256-GCM; digests and signatures are keyed BLAKE2b, each purpose under its own name."""

    def __init__(self) -> None:
        self._key = b""

    def open(self, path: Path) -> None:
        """Read the key, made on the first start. ConfigError."""
        self._key = key(path, "delete it and choose the addresses of people anew")

    def seal(self, text: str) -> str:
        """`text`, unreadable."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # not before there is something to say

        nonce = secrets.token_bytes(NONCE)
        return base64.b64encode(nonce + AESGCM(self._key).encrypt(nonce, text.encode(), None)).decode()

    def unseal(self, sealed: str) -> str:
        """What was sealed; Unsupported when that was done with another key."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        raw = base64.b64decode(sealed)
        try:
            return AESGCM(self._key).decrypt(raw[:NONCE], raw[NONCE:], None).decode()
        except InvalidTag:
            raise Unsupported("it was written with another key than the one in data/notifications.key") from None

    def name(self, text: str) -> str:
        """16 hex digits that stand for `text` and tell nothing of it."""
        return self._digest(text, b"name").hex()[:16]

    def signed(self, text: str) -> str:
        """`text` with a signature, fit for a URL when `text` is."""
        return f"{text}.{self._signature(text)}"

    def verified(self, signed: str) -> str | None:
        """The text that was signed, None when the signature is not ours."""
        text, _, signature = signed.rpartition(".")
        same = hmac.compare_digest(signature.encode("utf-8", "surrogateescape"), self._signature(text).encode())
        return text if same else None

    def _signature(self, text: str) -> str:
        return base64.urlsafe_b64encode(self._digest(text, b"sign")[:24]).decode()

    def _digest(self, text: str, purpose: bytes) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), key=self._key, person=purpose, digest_size=32).digest()
