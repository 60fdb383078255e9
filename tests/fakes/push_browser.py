"""A browser that subscribed to web push: its keys, and reading what it is sent (RFC 8291 over RFC 8188, aes128gcm).

Written from the RFCs with `cryptography` alone: it shares no code with the library that encrypts.
"""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class PushBrowser:
    """`subscription` is what its script would send to the hub."""

    def __init__(self, endpoint: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self._auth = secrets.token_bytes(16)
        self.subscription = {"endpoint": endpoint, "keys": {"p256dh": b64(self._point), "auth": b64(self._auth)}}

    def read(self, body: bytes) -> Any:
        """The JSON in an encrypted message."""
        salt, size, known = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        theirs, record = body[21 : 21 + known], body[21 + known :]
        assert len(record) <= size
        shared = self._key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
        ikm = _hkdf(self._auth, shared, b"WebPush: info\0" + self._point + theirs, 32)
        key, nonce = (_hkdf(salt, ikm, b"Content-Encoding: " + what + b"\0", length) for what, length in ((b"aes128gcm", 16), (b"nonce", 12)))
        plain = AESGCM(key).decrypt(nonce, record, None).rstrip(b"\0")
        assert plain.endswith(b"\x02")  # the last record
        return json.loads(plain[:-1])


def claims(authorization: str, public_key: str) -> Any:
    """What a VAPID header (RFC 8292) says, once its signature was checked against the hub's public key."""
    fields = dict(pair.strip().split("=", 1) for pair in authorization.removeprefix("vapid ").split(","))
    assert fields["k"] == public_key
    signed, _, signature = fields["t"].rpartition(".")
    raw = unb64(signature)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(public_key))
    key.verify(encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")), signed.encode(),
               ec.ECDSA(hashes.SHA256()))
    return json.loads(unb64(signed.partition(".")[2]))


def _hkdf(salt: bytes, material: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(material)
