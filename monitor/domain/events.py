"""Messages between edge and centre, exactly as they travel (JSON, schema names kind and version).

Unknown fields pass, so that an older centre reads a newer edge. Every numbered message carries its
number and hash as MQTT user properties too, so that one that cannot be parsed still counts.
"""

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec

from monitor.domain.levels import Level
from monitor.domain.violations import Activity

TOPICS = "hcawatch/v1"


class Kind(StrEnum):
    """Kinds of numbered messages."""

    EVENT = "event"
    WATCH = "watch"
    LOSS = "loss"


class CameraState(StrEnum):
    """What a camera's watchdog says of it. Only `streaming` counts as watching.

    A camera that sees by infrared at night streams: its reason says so.
    """

    STARTING = "starting"
    STREAMING = "streaming"
    STALLED = "stalled"
    FROZEN = "frozen"
    OBSCURED = "obscured"  # covered: nothing of the scene is left
    BLURRED = "blurred"  # out of focus, fog, dirt: its shapes are left
    DARK = "dark"
    OVEREXPOSED = "overexposed"
    MOVED = "moved"  # another scene than the surveyed one: no position until it is registered again
    ENDED = "ended"
    UNREACHABLE = "unreachable"
    BLOCKED = "blocked"  # outside the networks that the edge's file lists
    UNANALYSED = "unanalysed"  # pictures come, and the detector has no time for them or isn't there


class NoFix(StrEnum):
    """Why an event has no position: a missing fix is named, never guessed."""

    NOT_CALIBRATED = "not_calibrated"
    ABOVE_HORIZON = "above_horizon"
    OUTSIDE_SURVEY = "outside_survey"
    CAMERA_MOVED = "camera_moved"
    BEYOND_LENS = "beyond_lens"  # the lens' model has no way from that pixel to a ray


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Base of what travels."""


class Position(_Message, frozen=True, kw_only=True):
    """A place on the ground, WGS84 degrees, with its 1-sigma error in metres."""

    lon: float
    lat: float
    accuracy_m: float


class EvidenceRef(_Message, frozen=True, kw_only=True):
    """Evidence named by its SHA-256 at capture; its bytes follow over HTTP."""

    sha256: str
    kind: Literal["snapshot_annotated", "snapshot_clean", "clip", "photo"]
    bytes: int
    content_type: str = "image/jpeg"
    #: a snapshot of the small stream that the camera is watched by: the main stream's follows in an update, if it can be had
    of_substream: bool = False


class ModelRef(_Message, frozen=True, kw_only=True):
    """The detector that saw it."""

    name: str
    version: str
    sha256: str


#: reasons of messages that only name evidence: sent later, when the object may be gone
NO_LOOK = frozenset({"clip_closed", "still_taken"})


class RiskEvent(_Message, frozen=True, kw_only=True, tag_field="schema", tag="hcawatch.event/1"):
    """Onset, update or end of one episode of a suspected violation."""

    event_id: str  # UUIDv7, made on the edge
    edge_id: str
    epoch: str
    seq: int
    episode_id: str
    phase: Literal["onset", "update", "end"]
    site_id: str
    camera_id: str
    captured_at: datetime  # UTC, of the packet
    published_at: datetime | None = None
    time_uncertain: bool = False
    violation: str
    also: tuple[str, ...] = ()
    rule_id: str
    object_class: str
    track_id: int
    confidence: float
    bbox: tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels of the full frame
    frame_size_px: tuple[int, int]
    position: Position | None = None
    no_fix: NoFix | None = None
    pipeline_id: str | None = None
    chainage_m: float | None = None
    offset_m: float | None = None
    #: probability that the nearest footprint edge is within the article's band; None for picture zones
    within_band: float | None = None
    #: graded as the inner band although it only may lie within it (design.md, 'Bands and errors')
    may_lie_within: bool = False
    zone_id: str | None = None
    dwell_s: float
    activity: Activity
    risk_edge: Level
    reason: str  # why this message was sent: onset | position_moved | risk_changed | heartbeat | clip_closed | still_taken | gone | …
    footage: Literal["real", "simulated"] = "real"
    evidence: tuple[EvidenceRef, ...] = ()
    model: ModelRef
    config_version: str


class WatchRecord(_Message, frozen=True, kw_only=True, tag_field="schema", tag="hcawatch.watch/1"):
    """What one camera really watched in one minute. One record per camera and minute."""

    edge_id: str
    epoch: str
    seq: int
    camera_id: str
    minute: datetime  # UTC, start of the minute
    watched_s: float
    #: seconds of the minute in which this worker was responsible for the camera
    span_s: float
    frames: int
    looks: int
    detector_runs: int
    detections: int
    longest_blind_s: float
    state_s: dict[str, float]
    #: ranges of chainage that the picture covers, as (pipeline_id, from_m, to_m)
    seen: tuple[tuple[str, float, float], ...] = ()
    calibration_version: str
    config_version: str


class LossRecord(_Message, frozen=True, kw_only=True, tag_field="schema", tag="hcawatch.loss/1"):
    """Something that was named or should have been numbered, and had to be thrown away."""

    edge_id: str
    epoch: str
    seq: int
    what: Literal["evidence", "refused"]
    count: int
    reason: str
    sha256: str | None = None
    event_id: str | None = None
    from_at: datetime
    to_at: datetime


Numbered = RiskEvent | WatchRecord | LossRecord


class Receipt(_Message, frozen=True, kw_only=True, tag_field="schema", tag="hcawatch.receipt/1"):
    """What the database has of one edge's numbers: everything up to `stored_through`, and `ranges` above."""

    edge_id: str
    epoch: str
    stored_through: int
    ranges: tuple[tuple[int, int], ...] = ()


class CameraStatus(_Message, frozen=True, kw_only=True):
    """The watchdog's word on one camera."""

    state: CameraState
    since: datetime
    reason: str = ""
    #: pictures since its process began: that came whole; of those, replaced by a newer one before anybody
    #: looked (the latest wins); and that came broken, or built on a broken one, and were shown to nobody
    arrived: int = 0
    dropped: int = 0
    broken: int = 0


class CameraLoad(_Message, frozen=True, kw_only=True):
    """Looks of the detector in the last minute: what a camera's pictures called for, and what it had."""

    asked: int
    served: int


class DetectorLoad(_Message, frozen=True, kw_only=True):
    """Whether an edge's detector keeps up with its cameras."""

    #: whether the cameras share one
    shared: bool
    #: since when looks are refused for want of time: by HCA grade, III last; None while all are served
    overloaded_since: datetime | None = None
    cameras: dict[str, CameraLoad] = msgspec.field(default_factory=dict)


class ConfigReason(_Message, frozen=True, kw_only=True):
    """One thing that an edge found wrong in a configuration; `monitor.domain.answers` says it in words."""

    code: str
    #: where, as people write it: `cameras[gate].zones[valve].polygon_px`
    path: str = ""
    facts: dict[str, str] = msgspec.field(default_factory=dict)


class ConfigAnswer(_Message, frozen=True, kw_only=True):
    """What an edge did with the configuration that it heard last."""

    #: None: the message did not even say which version it is
    number: int | None
    config_version: str = ""
    taken: bool
    at: datetime
    #: why it was refused, or what is still to be known of one that was taken
    reasons: tuple[ConfigReason, ...] = ()


class ModelStatus(_Message, frozen=True, kw_only=True):
    """Which promoted set of weights an edge is to use, and which it uses; None: its own."""

    wanted: str | None = None
    in_use: str | None = None
    #: why the one that is wanted is not in use; empty while it is, or is on its way
    trouble: str = ""


class EdgeStatus(_Message, frozen=True, kw_only=True, tag_field="schema", tag="hcawatch.status/1"):
    """An edge's retained status."""

    edge_id: str
    epoch: str
    at: datetime
    started_at: datetime
    version: str
    config_version: str
    queue_depth: int
    #: highest number that this edge has given out, so that the centre knows of a missing tail
    last_seq: int
    evidence_pending: int
    detector: dict[str, str]
    cameras: dict[str, CameraStatus]
    #: what is wrong with the worker itself, for people: a part that died and was started again
    troubles: tuple[str, ...] = ()
    #: the data folder's disk in bytes: total, free, evidence (that waits), reserve, reserve_wanted
    disk: dict[str, int] = {}
    load: DetectorLoad | None = None
    #: number of the configuration in force; None: it is the edge's own file
    config_number: int | None = None
    #: the answer to the configuration that came last; None: none came yet
    answer: ConfigAnswer | None = None
    model: ModelStatus | None = None


def topic(
    kind: Kind | Literal["status", "online", "receipt", "config"], edge_id: str, camera_id: str = ""
) -> str:
    """The topic of a message of one edge. Losses travel with the watch records.

    >>> topic(Kind.EVENT, "e1", "c1")
    'hcawatch/v1/event/e1/c1'
    """
    name = "watch" if kind == Kind.LOSS else str(kind)
    tail = f"/{camera_id}" if kind == Kind.EVENT else ""
    return f"{TOPICS}/{name}/{edge_id}{tail}"


def encode(message: msgspec.Struct) -> bytes:
    """A message as the bytes that travel and are hashed."""
    return msgspec.json.encode(message)


_NUMBERED: msgspec.json.Decoder[Numbered] = msgspec.json.Decoder(Numbered)


def decode_numbered(payload: bytes) -> Numbered:
    """Bytes to a numbered message; msgspec.DecodeError (ValidationError) says what is wrong and where."""
    return _NUMBERED.decode(payload)


def sha256_hex(data: bytes) -> str:
    """SHA-256 as lower-case hex."""
    return hashlib.sha256(data).hexdigest()


class Properties(msgspec.Struct, frozen=True, kw_only=True):
    """The MQTT user properties of a numbered message: enough to count it when it cannot be read."""

    edge_id: str
    epoch: str
    seq: int
    kind: Kind
    sha256: str

    def as_pairs(self) -> list[tuple[str, str]]:
        """As MQTT 5 user properties."""
        return [("edge", self.edge_id), ("epoch", self.epoch), ("seq", str(self.seq)),
                ("kind", self.kind.value), ("sha256", self.sha256)]  # fmt: skip

    @staticmethod
    def from_pairs(pairs: list[tuple[str, str]]) -> "Properties":
        """From MQTT 5 user properties; ValueError names what is missing or malformed."""
        found = dict(pairs)
        try:
            properties = Properties(edge_id=found["edge"], epoch=found["epoch"], seq=int(found["seq"]),
                                    kind=Kind(found["kind"]), sha256=found["sha256"])  # fmt: skip
        except KeyError as exc:
            raise ValueError(f"user property {exc.args[0]!r} is missing") from exc
        if properties.seq < 1:
            raise ValueError(f"seq must be 1 or more, got {properties.seq}")
        return properties
