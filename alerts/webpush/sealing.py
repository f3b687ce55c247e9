"""What a push service is handed: the message sealed for one browser (RFC 8291), and who we are (RFC 8292). Pure.

The push service carries it without being able to read it: only the browser holds the key.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from alerts.errors import AlertsError

#: of the sealed message; push services refuse more (RFC 8030, 7.2), and one record must hold it
RECORD_BYTES: Final = 4096
#: of the message itself: without the header of 86 bytes, the tag of 16 and the delimiter
MOST_BYTES: Final = RECORD_BYTES - 86 - 17
#: services refuse tokens of more than a day (RFC 8292, 2)
TOKEN_FOR: Final = timedelta(hours=12)


class PushKeyError(AlertsError):
    """A key that is none."""


class BrowserKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser gives when it subscribes: its public key (65 bytes) and a secret that it shares with us (16)."""

    public: bytes
    auth: bytes

    @classmethod
    def read(cls, p256dh: str, auth: str) -> "BrowserKeys":
        """As browsers write them (base64url); PushKeyError if they are none."""
        try:
            keys = cls(public=unb64(p256dh), auth=unb64(auth))
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), keys.public)
        except ValueError as exc:
            raise PushKeyError(f"not the keys of a browser: {exc}") from exc
        if len(keys.auth) != 16 or len(keys.public) != 65:
            raise PushKeyError("not the keys of a browser: wrong length")
        return keys


def b64(data: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """ValueError if it is not base64url; padding may be there or not."""
    if not text.isascii():
        raise ValueError("not base64url")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def seal(
    message: bytes,
    keys: BrowserKeys,
    ours: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """One aes128gcm record that only that browser can open. `ours` and `salt` are fresh each time, but in tests."""
    if len(message) > MOST_BYTES:
        raise ValueError(f"a push message has at most {MOST_BYTES} bytes, not {len(message)}")
    ours, salt = ours or ec.generate_private_key(ec.SECP256R1()), salt or os.urandom(16)
    our_public = _point(ours.public_key())
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), keys.public)
    shared = ours.exchange(ec.ECDH(), theirs)
    secret = _derive(shared, keys.auth, b"WebPush: info\0" + keys.public + our_public, 32)
    key = _derive(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(secret, salt, b"Content-Encoding: nonce\0", 12)
    header = salt + RECORD_BYTES.to_bytes(4, "big") + bytes([len(our_public)]) + our_public
    # 2: the last record
    return header + AESGCM(key).encrypt(nonce, message + b"\x02", None)


def _derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


class Sender:
    """Who we are to push services: one key for years, since a browser's subscription is bound to it."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, contact: str) -> None:
        """`contact`: mailto: or https:, where a push service's people reach us."""
        self._key, self._contact = key, contact

    @classmethod
    def of_pem(cls, pem: str, contact: str) -> "Sender":
        """PushKeyError if it is no private key of the curve P-256."""
        try:
            key = serialization.load_pem_private_key(pem.encode(), None)
        except (ValueError, TypeError) as exc:
            raise PushKeyError(f"not a private key in PEM: {exc}") from exc
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise PushKeyError("not a key of the curve P-256")
        return cls(key, contact)

    @property
    def public(self) -> str:
        """What a browser subscribes with (applicationServerKey), base64url."""
        return b64(_point(self._key.public_key()))

    def authorization(self, endpoint: str, now: datetime) -> str:
        """Value of `Authorization` for one request."""
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}", "exp": int((now + TOKEN_FOR).timestamp()), "sub": self._contact,
        }  # fmt: skip
        signed = ".".join(b64(msgspec.json.encode(part)) for part in ({"typ": "JWT", "alg": "ES256"}, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"vapid t={signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}, k={self.public}"


def new_key_pem() -> str:
    """A fresh private key."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def load_or_create(path: Path) -> str:
    """The private key in this file (mode 0600), made at the first call."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(
            path.with_name(path.name + ".part"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600
        )
        with os.fdopen(descriptor, "w") as file:
            file.write(new_key_pem())
            file.flush()
            os.fsync(file.fileno())
        path.with_name(path.name + ".part").replace(path)
    return path.read_text()
