"""What goes when an edge's disk fills, in which order, and how much room numbered messages are owed."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest
from uuid_utils import uuid7

from edge import reserve
from edge.outbox import Make, SqliteOutbox
from edge.shedding import Disk, Sheddable, choose, floor_bytes, need
from monitor.domain.events import EvidenceRef, ModelRef, Numbered, Position, WatchRecord
from monitor.domain.levels import Level
from tests.doubles.edge_things import NOON, event

MB = 2**20


def piece(
    name: str,
    kind: str = "clip",
    level: Level | None = Level.III,
    *,
    ended: bool = True,
    at: float = 0.0,
    episode: str = "",
) -> Sheddable:
    return Sheddable(sha256=name, name=name, kind=kind, bytes=10, event_id="e", episode_id=episode or name, level=level,
                     ended=ended, announced_at=at)  # fmt: skip


#: as they must go, one after the other
ORDER = (
    piece("oldest clip of an ended IV", level=Level.IV, at=1.0),
    piece("younger clip of an ended IV", level=Level.IV, at=2.0),
    piece("clip of an ended III", level=Level.III, at=0.0),
    piece("clip of a running IV", level=Level.IV, ended=False),
    piece("clip of a running III", level=Level.III, ended=False),
    piece("clip of an ended II", level=Level.II),
    piece("clip of an ended I", level=Level.I, at=1.0),
    piece("clip of an unknown level", level=None, at=2.0),
    piece("snapshot of a IV", "snapshot_clean", Level.IV),
    piece("snapshot of a III", "snapshot_annotated", Level.III),
    piece("snapshot of a II", "snapshot_clean", Level.II),
    piece("snapshot of a I", "snapshot_clean", Level.I),
)


@pytest.mark.parametrize("count", range(len(ORDER) + 1))
def test_what_can_be_spared_goes_first_and_no_more_than_is_needed(count: int) -> None:
    """Mild clips, other clips, snapshots; the worst last, the oldest first among equals."""
    shuffled = random.Random(count).sample(ORDER, len(ORDER))
    assert [i.name for i in choose(shuffled, count * 10)] == [i.name for i in ORDER[:count]]
    assert [i.name for i in choose(shuffled, count * 10 + 1)] == [i.name for i in ORDER[: count + 1]]


def test_an_episode_that_got_worse_keeps_its_early_clip_as_long_as_its_late_one() -> None:
    """Its level is the worst that any of its events told."""
    early = piece("early", level=Level.IV, episode="a")
    late = piece("late", level=Level.I, episode="a", at=5.0)
    assert [i.name for i in choose([early, late, piece("other", level=Level.II)], 30)] == [
        "other",
        "early",
        "late",
    ]


def disk(**changes: int) -> Disk:
    now = Disk(
        total=10_000 * MB, free=4_000 * MB, evidence=1_000 * MB, reserve=500 * MB, reserve_wanted=500 * MB
    )
    return msgspec.structs.replace(now, **changes)


def test_nothing_goes_while_there_is_room() -> None:
    """At its share exactly; and while a reserve that is not whole can be had from what is free."""
    assert need(disk(), 0.1) is None
    assert need(disk(reserve=0), 0.5) is None
    assert need(disk(free=floor_bytes(10_000 * MB)), 0.5) is None


def test_more_than_its_share_goes_down_to_a_little_below_it() -> None:
    """So that not each new picture costs an old one."""
    found = need(disk(evidence=1_001 * MB), 0.1)
    assert found is not None
    assert (found.reason, found.bytes) == ("disk_share", 51 * MB)


def test_room_that_messages_are_owed_is_taken_from_evidence() -> None:
    """Somebody else's data filled the disk: what the floor lacks, and what the reserve gave back."""
    found = need(disk(free=0), 0.5)
    assert found is not None
    assert (found.reason, found.bytes) == ("disk_full", 64 * MB)
    found = need(disk(free=0, reserve=0), 0.5)
    assert found is not None
    assert found.bytes == 564 * MB


def test_the_reserve_never_takes_more_than_its_part_of_a_small_disk() -> None:
    """A thousand cameras on a small card: an eighth of it, less what the outbox holds already."""
    assert reserve.wanted_bytes(1000, 800 * MB, 30 * MB) == 70 * MB
    assert reserve.wanted_bytes(1, 8000 * MB, 8000 * MB) == 0


def _event(epoch: str, seq: int) -> Numbered:
    sha = "a" * 64
    kinds = ("snapshot_annotated", "snapshot_clean", "clip")
    return event(
        seq, epoch, "update", event_id=str(uuid7()), episode_id=str(uuid7()), edge_id="coast-edge-12", camera_id="coast-camera-12",
        position=Position(lon=121.12345678, lat=29.12345678, accuracy_m=3.21), chainage_m=12345.67, offset_m=-12.34,
        within_band=0.9876, pipeline_id="coast-gas-1", zone_id="zone-123",
        evidence=tuple(EvidenceRef(sha256=sha, kind=kind, bytes=123456) for kind in kinds),  # type: ignore[arg-type]
        model=ModelRef(name="hcawatch-yolo", version="2026.11", sha256=sha), config_version="sha256-0123456789ab",
    )  # fmt: skip


def _minute(epoch: str, seq: int) -> Numbered:
    return WatchRecord(
        edge_id="coast-edge-12", epoch=epoch, seq=seq, camera_id="coast-camera-12", minute=NOON, watched_s=59.98, span_s=60.0,
        frames=1500, looks=300, detector_runs=300, detections=123, longest_blind_s=0.21,
        state_s={"streaming": 59.1, "stalled": 0.9}, seen=(("coast-gas-1", 12345.6, 13456.7),) * 2,
        calibration_version="sha256-0123456789ab", config_version="sha256-0123456789ab",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("make", "stated"),
    [(_event, reserve.EVENT_BYTES), (_minute, reserve.WATCH_BYTES)],
    ids=["event", "minute"],
)
def test_messages_weigh_no_more_than_the_reserve_reckons_with(
    tmp_path: Path, make: Make, stated: int
) -> None:
    """Full ones, measured in the outbox's own file: else thirty days would not be thirty."""
    outbox = SqliteOutbox(tmp_path / "o.sqlite")
    outbox.file.db.execute("PRAGMA synchronous = OFF")
    for _ in range(600):
        outbox.append(make)
    outbox.close()
    weighs = (tmp_path / "o.sqlite").stat().st_size / 600
    assert stated * 0.7 < weighs <= stated
