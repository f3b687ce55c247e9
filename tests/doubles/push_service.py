"""A FAKE of a browser and its push service (Google's, Mozilla's, Apple's): checks who posts (RFC 8292), and opens
what is sealed for its browser (RFC 8291), written from the receiver's side."""

from __future__ import annotations

import json
import os
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from alerts.webpush.sealing import b64, unb64
from tests.doubles.receivers import Got, Reply


class FakePushService:
    """One browser behind it; `answers` are given in turn instead of 201."""

    def __init__(self, sender_public: str = "") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = os.urandom(16)
        #: with which key the browser subscribed: others are refused
        self.sender_public = sender_public
        self.answers: list[int] = []
        self.shown: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    @property
    def keys(self) -> dict[str, str]:
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"p256dh": b64(point), "auth": b64(self._auth)}

    def __call__(self, got: Got) -> Reply:
        if self.answers:
            return self.answers.pop(0), {}, b""
        if not self._may_post(got):
            return 403, {}, b"who are you"
        if (
            got.headers.get("content-encoding") != "aes128gcm"
            or "ttl" not in got.headers
            or len(got.body) > 4096
        ):
            return 400, {}, b"not a push message"
        self.headers.append(got.headers)
        self.shown.append(json.loads(open_sealed(got.body, self._key, self._auth)))
        return 201, {}, b""

    def _may_post(self, got: Got) -> bool:
        scheme, _, rest = got.headers.get("authorization", "").partition(" ")
        fields = dict(part.strip().split("=", 1) for part in rest.split(","))
        if scheme != "vapid" or fields["k"] != self.sender_public:
            return False
        signed, _, signature = fields["t"].rpartition(".")
        raw = unb64(signature)
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(fields["k"]))
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        key.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
        claims = json.loads(unb64(signed.split(".")[1]))
        return claims["aud"] == f"http://{got.headers['host']}" and claims["sub"].startswith("mailto:")


def open_sealed(body: bytes, key: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """As a browser does it."""
    salt, length = body[:16], body[20]
    theirs, sealed = body[21 : 21 + length], body[21 + length :]
    shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
    ours = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    secret = _expand(_extract(auth, shared), b"WebPush: info\0" + ours + theirs, 32)
    pseudo = _extract(salt, secret)
    plain = AESGCM(_expand(pseudo, b"Content-Encoding: aes128gcm\0", 16)).decrypt(
        _expand(pseudo, b"Content-Encoding: nonce\0", 12), sealed, None
    )
    return plain.rstrip(b"\0").removesuffix(b"\x02")


def _extract(salt: bytes, secret: bytes) -> bytes:
    mac = HMAC(salt, hashes.SHA256())
    mac.update(secret)
    return mac.finalize()


def _expand(secret: bytes, info: bytes, length: int) -> bytes:
    return HKDFExpand(algorithm=hashes.SHA256(), length=length, info=info).derive(secret)
