"""Episodes of a camera that is gone, in a real outbox."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from edge import taken_away
from edge.evidence import EvidenceStore
from edge.frames import PacketRing
from edge.outbox import SavedEpisode, SqliteOutbox
from edge.telling import Shot, Teller
from edge.watcher import Seen, WatcherState, step
from models.footprint import FOOTPRINTS
from monitor.domain.events import ModelRef, RiskEvent, decode_numbered
from tests.doubles.edge_things import NOON, Pinhole, ids, looks, setup

MODEL = ModelRef(name="m", version="1", sha256="0" * 64)
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def outbox(tmp_path: Path) -> SqliteOutbox:
    """With a running episode of 'cam-1', whose process then died."""
    found, new_id = SqliteOutbox(tmp_path / "outbox.sqlite"), ids()
    hole = Pinhole()
    core, state = setup(hole.camera()), WatcherState()
    teller = Teller(edge_id="edge-1", config_version="7", setup=core, outbox=found,
                    store=EvidenceStore(tmp_path / "evidence"), rings=(PacketRing(),), model=MODEL, new_id=new_id)  # fmt: skip
    taken_away.note(found, teller.sender)
    box = hole.box(0.0, -FOOTPRINTS["excavator"].half_depth_m, 4.0, 3.0)
    digger = Seen(track_id=1, class_name="excavator", score=0.9, xyxy=box, box_motion=0.1)
    for look in looks(lambda _: (digger,), seconds=10.0):
        state, told = step(core, state, look, new_id)
        for emission in told:
            assert teller.tell(emission, Shot(bgr=lambda: np.zeros((720, 1280, 3), np.uint8)))
    assert len(found.episodes("cam-1")) == 1
    return found


def events(outbox: SqliteOutbox) -> list[RiskEvent]:
    rows = sorted(outbox.unreceipted(100), key=lambda row: row.seq)
    return [e for e in (decode_numbered(row.payload) for row in rows) if isinstance(e, RiskEvent)]


def end(outbox: SqliteOutbox, *cameras: str) -> int:
    return taken_away.end_episodes(outbox, cameras, config_version="8", now=LATER, new_id=lambda: "the-end")


def test_the_episode_of_a_camera_that_died_and_is_gone_is_ended_once_and_by_name(
    outbox: SqliteOutbox,
) -> None:
    """Its alert must not stand open for ever; the end says of whom it is, as its onset did."""
    assert end(outbox, "cam-2") == 1
    onset, *_, over = events(outbox)
    assert (over.phase, over.reason, over.event_id, over.config_version) == (
        "end",
        "camera_removed",
        "the-end",
        "8",
    )
    for name in (
        "episode_id",
        "edge_id",
        "camera_id",
        "site_id",
        "pipeline_id",
        "violation",
        "footage",
        "model",
        "track_id",
    ):
        assert getattr(over, name) == getattr(onset, name)
    assert over.captured_at == LATER
    assert end(outbox, "cam-2") == 0
    assert outbox.episodes("cam-1") == ()


def test_a_camera_that_is_there_keeps_its_episodes(outbox: SqliteOutbox) -> None:
    """Its process is only being started again: it finds them."""
    assert end(outbox, "cam-1", "cam-2") == 0
    assert len(outbox.episodes("cam-1")) == 1


def test_what_an_older_version_stored_is_forgotten_and_stops_nothing(
    outbox: SqliteOutbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody knows whose it is, or can read it: said once, and the others are ended."""
    outbox.save_episodes([SavedEpisode(camera_id="old", episode_id="x", state=b"{}")])
    outbox.save_episodes([SavedEpisode(camera_id="cam-1", episode_id="y", state=b"not an episode")])
    before = len(events(outbox))
    assert end(outbox) == 1
    assert [e.episode_id for e in events(outbox)[before:]] == [events(outbox)[0].episode_id]
    assert (outbox.cameras_with_episodes(), end(outbox)) == ((), 0)
    said = capsys.readouterr()
    assert (said.out + said.err).count("episode_left_open") == 2
