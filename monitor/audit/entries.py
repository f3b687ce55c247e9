"""What one audit entry says and which bytes are hashed: canonical JSON by RFC 8785. Pure.

`body` holds JSON values only; times, UUIDs and enums are written as text. The bytes are the leaf:
whoever has them can hash and read them without us.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import rfc8785

from monitor.audit import canonical
from monitor.audit.canonical import LARGEST_INTEGER
from monitor.audit.errors import AuditError
from monitor.audit.tree import leaf_hash

SCHEMA = "hcawatch.audit/1"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to which subject, and when (aware, by the centre's clock).

    kind: dotted, as 'event.accepted', 'alert.transition', 'evidence.viewed', 'login', 'export'.
    """

    kind: str
    subject: str
    actor: str
    at: datetime
    body: Mapping[str, Any] = {}

    def canonical(self) -> bytes:
        """The leaf's bytes. AuditError if the body holds what RFC 8785 cannot (NaN, integers from 2^53)."""
        if self.at.tzinfo is None:
            raise AuditError(f"an audit entry needs an aware time, got {self.at!r} ({self.kind})")
        document = {
            "schema": SCHEMA,
            "kind": self.kind,
            "subject": self.subject,
            "actor": self.actor,
            "at": timestamp(self.at),
            "body": msgspec.to_builtins(self.body, str_keys=True),
        }
        try:
            return canonical.dumps(document)
        except rfc8785.CanonicalizationError as exc:
            raise AuditError(
                f"the body of the audit entry {self.kind!r} is not canonical JSON: {exc}"
            ) from exc

    def leaf_hash(self) -> bytes:
        """SHA-256(0x00 || canonical bytes), RFC 9162."""
        return leaf_hash(self.canonical())


def timestamp(at: datetime) -> str:
    """UTC with microseconds and Z, always the same length.

    >>> timestamp(datetime(2026, 11, 24, 8, 0, tzinfo=UTC))
    '2026-11-24T08:00:00.000000Z'
    """
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _as_doubles(value: Any) -> Any:
    """JSON values with the numbers that can only have been doubles as doubles again.

    Canonical JSON writes those below 10^21 without a point.
    """
    if isinstance(value, dict):
        return {key: _as_doubles(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_doubles(item) for item in value]
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return float(value)
    return value


def read(body: bytes) -> Entry:
    """A leaf's bytes back to its entry; AuditError if they are not canonical bytes of one."""
    try:
        document = _as_doubles(msgspec.json.decode(body))
        if canonical.dumps(document) != body:
            raise AuditError("the bytes are not canonical JSON (RFC 8785)")
        if document["schema"] != SCHEMA:
            raise AuditError(f"unknown schema {document['schema']!r}, wanted {SCHEMA!r}")
        return msgspec.convert(document, Entry)
    except (msgspec.MsgspecError, rfc8785.CanonicalizationError, KeyError, TypeError, OverflowError) as exc:
        raise AuditError(f"the bytes are not an audit entry: {exc}") from exc
