"""Webhooks: JSON by POST, signed. A receiver checks the signature, the age, and the key (docs/channels.md)."""

import hashlib
import hmac
from datetime import datetime
from urllib.parse import urlsplit

from alerts.channels.failures import Final
from alerts.channels.parcel import Parcel
from alerts.channels.posting import Poster, judge

TIMESTAMP = "Hcawatch-Timestamp"
SIGNATURE = "Hcawatch-Signature"
IDEMPOTENCY_KEY = "Idempotency-Key"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`v1=` and the hex HMAC-SHA256 over timestamp, a point and the body's bytes.

    >>> signature("s3cret", "1764500000", b"{}")
    'v1=b1e0e1d2d2ddb2519b2302aec9a744d2415ccec29a9a8516773d22670d1b235f'
    """
    signed = timestamp.encode() + b"." + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def signed_headers(secrets: str, key: str, body: bytes, now: datetime) -> dict[str, str]:
    """Headers of one request. Two secrets, one a line, give two signatures: so a secret is exchanged without a gap."""
    timestamp = str(int(now.timestamp()))
    signatures = [
        signature(secret.strip(), timestamp, body) for secret in secrets.splitlines() if secret.strip()
    ]
    return {IDEMPOTENCY_KEY: key, TIMESTAMP: timestamp, SIGNATURE: ",".join(signatures)}


class Webhook:
    """One webhook; its own URL, or each address is one."""

    def __init__(self, url: str | None, secrets: str, poster: Poster) -> None:
        self._url, self._secrets, self._poster = url, secrets, poster

    def __call__(self, parcel: Parcel) -> None:
        url = parcel.address or self._url
        if not url:
            raise Final("the channel has no url, and the receiver no address of this channel")
        headers = signed_headers(self._secrets, parcel.key, parcel.payload, parcel.now)
        headers = {"Content-Type": "application/json", **headers}
        answer = self._poster.post(url, headers, parcel.payload, repeatable=True)
        judge(answer, urlsplit(url).hostname or "", parcel.now)
