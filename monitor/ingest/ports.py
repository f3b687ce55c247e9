"""What ingest needs of a store. PostgresIngestStore is the real one; tests have one in memory that passes
the same contract tests.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import msgspec

from monitor.domain.events import EdgeStatus, Receipt
from monitor.domain.numbers import Range, Stored
from monitor.ingest.judge import DeadReason

#: (edge_id, epoch)
Source = tuple[str, str]


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """A message as the broker gave it."""

    topic: str
    payload: bytes
    pairs: tuple[tuple[str, str], ...] = ()  # MQTT 5 user properties
    received_at: datetime


class DeviceAlarm(msgspec.Struct, frozen=True, kw_only=True):
    """A smart camera's own alarm, as the alert module takes it."""

    camera_id: str
    violation: str
    #: which condition of the device: camera, event and its source
    device_key: str
    #: the same bytes on the same topic are the same message, if the device says when it was
    message_key: str
    #: False: what the device told of is over
    active: bool
    at: datetime
    said: str = ""


class Verdict(StrEnum):
    """What became of a message."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    SAME_NUMBER_OTHER_HASH = "same_number_other_hash"
    DEAD_LETTER = "dead_letter"


class Outcome(msgspec.Struct, frozen=True):
    """A verdict with its reason, for logs and counters."""

    verdict: Verdict
    reason: DeadReason | None = None
    detail: str = ""


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch, in its order, and what is stored now of each source that it touched."""

    outcomes: tuple[Outcome, ...]
    receipts: Mapping[Source, Stored]


class GapReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the alert module is told of one source; nothing missing means that reported gaps are filled."""

    edge_id: str
    epoch: str
    missing: tuple[Range, ...]


class IngestStore(Protocol):
    """Each call is one transaction: when it returns, everything is committed; when it raises, nothing is.

    Raises psycopg.OperationalError or psycopg_pool.PoolTimeout while the database is away: try again.
    """

    def store(self, batch: Sequence[Arrived], now: datetime) -> BatchResult:
        """Judges and stores numbered messages; one that cannot be stored never keeps back the others."""
        ...

    def keep_dead_letter(self, arrived: Arrived, reason: DeadReason, detail: str, now: datetime) -> None:
        """Keeps a message that is not numbered and cannot be used, and tells the alert module."""
        ...

    def note_device(self, alarm: DeviceAlarm, now: datetime) -> None:
        """Leaves a smart camera's own alarm to the alert module."""
        ...

    def note_status(self, status: EdgeStatus, now: datetime) -> None:
        """Keeps an edge's status, changes of its cameras' states, and the highest number it gave out."""
        ...

    def note_online(self, edge_id: str, online: bool, now: datetime) -> None:
        """Keeps whether an edge is there."""
        ...

    def note_silent(self, now: datetime, limit_s: float) -> Sequence[str]:
        """Edges that the broker says are there, but whose last status is older: told as gone, each once."""
        ...

    def note_missing(self, now: datetime, limit_s: float) -> Sequence[GapReport]:
        """Reports gaps that stand for `limit_s`, each once, and once more when all of a source's are filled."""
        ...

    def note_unwatched(self, now: datetime, grace_s: float) -> int:
        """Writes minutes of known cameras without a record as unwatched, once `grace_s` has passed."""
        ...

    def prune_numbers(self, now: datetime, keep: timedelta) -> int:
        """Forgets numbers that the receipt covers and that came longer than `keep` ago."""
        ...

    def receipts(self) -> Sequence[Receipt]:
        """What is stored of every source, the one that changed last at the end."""
        ...
