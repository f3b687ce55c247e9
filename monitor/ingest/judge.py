"""Decides of one arrived message whether it is accepted or a dead letter, and whether its number counts.

Pure. A dead letter counts (the receipt covers it, the edge forgets it) when its topic and properties
say beyond doubt which number it is and the bytes are the ones that were numbered. It does not count
when the number may be another's (foreign edge) or the bytes were damaged on the way (the edge resends).
Whether a number is new is decided by the store.
"""

import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from monitor.domain.events import (
    TOPICS,
    Kind,
    LossRecord,
    Numbered,
    Properties,
    RiskEvent,
    WatchRecord,
    decode_numbered,
    sha256_hex,
)

#: an event with its evidence and model is about 1.5 kB
MAX_PAYLOAD_BYTES = 256 * 1024
#: the largest number that JSON readers agree on, far beyond any outbox
MAX_SEQ = 2**53 - 1
MAX_NAME_LENGTH = 128
#: clocks of edges drift; beyond this the event is kept and flagged
FUTURE_TOLERANCE = timedelta(minutes=5)
#: an edge without network time starts in 1970 or with its firmware's year
CLOCK_SET_SINCE = datetime(2020, 1, 1, tzinfo=UTC)
YEARS = range(1970, 2200)


class DeadReason(StrEnum):
    """Why a message is a dead letter."""

    UNKNOWN_TOPIC = "unknown_topic"
    NO_NUMBER = "no_number"  # user properties missing or malformed
    FOREIGN_EDGE = "foreign_edge"  # numbered as another edge's than the topic's
    HASH_MISMATCH = "hash_mismatch"  # not the bytes that were numbered
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"  # not JSON, or not of a schema that we know
    DISAGREES = "disagrees"  # payload, topic and properties name different things
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_DEVICE = "unknown_device"  # a camera whose own alarms the configuration does not name
    UNMAPPED_EVENT = "unmapped_event"  # an event of a device that the configuration maps to no violation
    REFUSED_BY_STORE = "refused_by_store"  # the database would not take the row
    SAME_NUMBER_OTHER_HASH = "same_number_other_hash"


class Flag(StrEnum):
    """What is odd about an accepted message."""

    CAPTURED_IN_FUTURE = "captured_in_future"
    CLOCK_UNSET = "clock_unset"


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A message that can be stored."""

    message: Numbered
    properties: Properties
    flags: tuple[Flag, ...] = ()


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is kept with its bytes and reason. `counted`: its number is covered by the receipt."""

    reason: DeadReason
    detail: str
    edge_id: str | None = None  # of the topic, which the broker's access list vouches for
    properties: Properties | None = None
    counted: bool = False


Judged = Accepted | DeadLetter


class Address(msgspec.Struct, frozen=True):
    """What a topic of an edge says."""

    name: str  # event | watch | status | online
    edge_id: str
    camera_id: str = ""


def read_topic(topic: str) -> Address | None:
    """The topic's parts, None if it is none of an edge's.

    >>> read_topic("hcawatch/v1/event/e1/c1")
    Address(name='event', edge_id='e1', camera_id='c1')
    """
    if not topic.startswith(TOPICS + "/"):
        return None
    match topic.removeprefix(TOPICS + "/").split("/"):
        case ["event", edge_id, camera_id] if edge_id and camera_id:
            return Address("event", edge_id, camera_id)
        case [("watch" | "status" | "online") as name, edge_id] if edge_id:
            return Address(name, edge_id)
    return None


def judge(topic: str, payload: bytes, pairs: Sequence[tuple[str, str]], now: datetime) -> Judged:
    """The verdict on one message of `…/event/…` or `…/watch/…`, in numbered steps. The first fault decides."""
    # 1. whose topic it is
    address = read_topic(topic)
    if address is None or address.name not in ("event", "watch"):
        return DeadLetter(
            reason=DeadReason.UNKNOWN_TOPIC, detail=f"no numbered message travels on {topic[:200]!r}"
        )
    # 2. which number it has
    try:
        properties = _numbered(pairs)
    except ValueError as exc:
        return DeadLetter(reason=DeadReason.NO_NUMBER, detail=str(exc), edge_id=address.edge_id)

    def dead(reason: DeadReason, detail: str, *, counted: bool = True) -> DeadLetter:
        return DeadLetter(
            reason=reason, detail=detail, edge_id=address.edge_id, properties=properties, counted=counted
        )

    # 3. nobody numbers for another edge
    if properties.edge_id != address.edge_id:
        detail = f"numbered as of edge {properties.edge_id!r} on a topic of {address.edge_id!r}"
        return DeadLetter(reason=DeadReason.FOREIGN_EDGE, detail=detail, edge_id=address.edge_id)
    # 4. these are the bytes that were numbered
    actual = sha256_hex(payload)
    if properties.sha256 != actual:
        detail = f"the payload's SHA-256 is {actual}, the property says {properties.sha256}"
        return dead(DeadReason.HASH_MISMATCH, detail, counted=False)
    # 5. from here on the number counts, whatever the payload says
    if len(payload) > MAX_PAYLOAD_BYTES:
        return dead(DeadReason.TOO_LARGE, f"{len(payload)} bytes, at most {MAX_PAYLOAD_BYTES}")
    # 6. it can be read
    try:
        message = decode_numbered(payload)
        _refuse_nul(payload)
    except (msgspec.MsgspecError, RecursionError, ValueError) as exc:
        return dead(DeadReason.UNREADABLE, str(exc))
    # 7. payload, topic and properties name the same
    if fault := _disagreement(message, properties, address):
        return dead(DeadReason.DISAGREES, fault)
    # 8. values are possible (JSON has no NaN, and msgspec refuses numbers beyond a float)
    if fault := _impossible(message):
        return dead(DeadReason.OUT_OF_RANGE, fault)
    # 9. an odd clock is flagged, never a reason to lose a violation
    return Accepted(message=message, properties=properties, flags=_flags(message, now))


_SHA256 = re.compile(r"[0-9a-f]{64}")


def _numbered(pairs: Sequence[tuple[str, str]]) -> Properties:
    properties = Properties.from_pairs(list(pairs))
    if properties.seq > MAX_SEQ:
        raise ValueError(f"seq must be at most {MAX_SEQ}, got {properties.seq}")
    if not _SHA256.fullmatch(properties.sha256):
        raise ValueError("user property 'sha256' must be 64 hex digits in lower case")
    for name, value in (("edge", properties.edge_id), ("epoch", properties.epoch)):
        if not 0 < len(value) <= MAX_NAME_LENGTH or not value.isprintable():
            raise ValueError(f"user property {name!r} must be 1 to {MAX_NAME_LENGTH} printable characters")
    return properties


def _refuse_nul(payload: bytes) -> None:
    """ValueError for a NUL character in any text, unknown fields too: PostgreSQL cannot store it."""
    if b"\\u0000" in payload and any("\0" in text for text in _texts(msgspec.json.decode(payload))):
        raise ValueError("a text holds the character U+0000")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


_KIND: dict[type[Numbered], Kind] = {RiskEvent: Kind.EVENT, WatchRecord: Kind.WATCH, LossRecord: Kind.LOSS}


def _disagreement(message: Numbered, properties: Properties, address: Address) -> str:
    """Which names differ, or ''."""
    kind = _KIND[type(message)]
    pairs: list[tuple[str, object, object]] = [
        ("edge", message.edge_id, properties.edge_id),
        ("epoch", message.epoch, properties.epoch),
        ("seq", message.seq, properties.seq),
        ("kind", str(kind), str(properties.kind)),
        ("topic", "event" if kind is Kind.EVENT else "watch", address.name),
    ]
    if isinstance(message, RiskEvent):
        pairs.append(("camera", message.camera_id, address.camera_id))
    return "; ".join(
        f"{name}: the payload says {ours!r}, topic or properties {theirs!r}"
        for name, ours, theirs in pairs
        if ours != theirs
    )


def _impossible(message: Numbered) -> str:
    """The first value that cannot be, or ''."""
    match message:
        case RiskEvent():
            return _impossible_event(message)
        case WatchRecord():
            return _impossible_watch(message)
        case LossRecord():
            return _first(
                _time("from_at", message.from_at),
                _time("to_at", message.to_at),
                _within("count", message.count, 0, MAX_SEQ),
                _hash("sha256", message.sha256) if message.sha256 is not None else "",
            )


def _impossible_event(event: RiskEvent) -> str:
    place = event.position
    return _first(
        _time("captured_at", event.captured_at),
        _time("published_at", event.published_at) if event.published_at else "",
        _uuid("event_id", event.event_id),
        _uuid("episode_id", event.episode_id),
        *(_short(name, getattr(event, name)) for name in ("site_id", "camera_id", "violation", "rule_id")),
        *(_hash(f"evidence[{n}].sha256", item.sha256) for n, item in enumerate(event.evidence)),
        _within("confidence", event.confidence, 0, 1),
        _within("within_band", event.within_band or 0, 0, 1),
        _within("dwell_s", event.dwell_s, 0, 1e9),
        _within("track_id", event.track_id, -MAX_SEQ, MAX_SEQ),
        *(_within(f"evidence[{n}].bytes", item.bytes, 0, MAX_SEQ) for n, item in enumerate(event.evidence)),
        *(
            (
                _within("position.lon", place.lon, -180, 180),
                _within("position.lat", place.lat, -90, 90),
                _within("position.accuracy_m", place.accuracy_m, 0, 1e7),
            )
            if place
            else ()
        ),
    )


def _impossible_watch(record: WatchRecord) -> str:
    counts = ("frames", "looks", "detector_runs", "detections")
    # a minute measured by a clock that is being set may be a little long
    seconds = ("watched_s", "span_s", "longest_blind_s")
    minute = record.minute
    return _first(
        _time("minute", minute),
        _short("camera_id", record.camera_id),
        "minute must be the start of a minute" if minute.second or minute.microsecond else "",
        *(_within(name, getattr(record, name), 0, MAX_SEQ) for name in counts),
        *(_within(name, getattr(record, name), 0, 120) for name in seconds),
    )


def _first(*faults: str) -> str:
    return next((fault for fault in faults if fault), "")


def _time(name: str, at: datetime) -> str:
    if at.tzinfo is None:
        return f"{name} has no time zone"
    return "" if at.year in YEARS else f"{name} is in the year {at.year}"


def _within(name: str, value: float, low: float, high: float) -> str:
    return "" if low <= value <= high else f"{name} must be {low} to {high}, got {value}"


def _short(name: str, value: str) -> str:
    return "" if 0 < len(value) <= MAX_NAME_LENGTH else f"{name} must have 1 to {MAX_NAME_LENGTH} characters"


def _hash(name: str, value: str) -> str:
    return "" if _SHA256.fullmatch(value) else f"{name} is no SHA-256 in lower-case hex: {value[:80]!r}"


def _uuid(name: str, value: str) -> str:
    try:
        uuid.UUID(value)
    except ValueError:
        return f"{name} is no UUID: {value[:80]!r}"
    return ""


def _flags(message: Numbered, now: datetime) -> tuple[Flag, ...]:
    at = _when(message)
    flags = []
    if at > now + FUTURE_TOLERANCE:
        flags.append(Flag.CAPTURED_IN_FUTURE)
    if at < CLOCK_SET_SINCE:
        flags.append(Flag.CLOCK_UNSET)
    return tuple(flags)


def _when(message: Numbered) -> datetime:
    match message:
        case RiskEvent():
            return message.captured_at
        case WatchRecord():
            return message.minute
        case LossRecord():
            return message.to_at
