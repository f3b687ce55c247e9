"""A moved camera gives no position, and a drawn zone needs none; the word outlives the process and a full disk."""

from __future__ import annotations

from datetime import UTC, datetime

import cv2
import msgspec
import numpy as np

from edge import watcher
from edge.errors import OutboxRefused
from edge.frames import ArrayPicture, Frame
from edge.minder import Minder
from edge.reader import LinkStatus
from edge.watcher import Look, Seen, WatcherState
from models.footprint import FOOTPRINTS
from monitor.domain.assets import Camera, PictureZone
from monitor.domain.events import CameraState, NoFix
from monitor.domain.onvif import TOPICS
from tests.doubles.edge_things import Pinhole, ids, looks, setup

HOLE = Pinhole()
DIGGER = Seen(
    track_id=1, class_name="excavator", score=0.9, box_motion=0.1,
    xyxy=HOLE.box(0.0, -FOOTPRINTS["excavator"].half_depth_m, 4.0, 3.0),
)  # fmt: skip
WALKER = Seen(track_id=5, class_name="person", score=0.8, xyxy=(240, 340, 260, 400), box_motion=0.1)
ZONE = PictureZone(zone_id="z1", kind="on_pipe", polygon_px=((100, 300), (300, 300), (300, 500), (100, 500)))
CORE = setup(HOLE.camera(zones=(ZONE,)))
VOID = msgspec.structs.replace(CORE, void=NoFix.CAMERA_MOVED)


def told_of(
    core: watcher.Setup, state: WatcherState, *seen: Seen, from_s: float = 0.0
) -> list[watcher.Emission]:
    told, new_id = [], ids()
    for look in looks(lambda s: seen, seconds=10.0, from_s=from_s):
        state, emissions = watcher.step(core, state, look, new_id)
        told.extend(emissions)
    return told


def test_a_moved_camera_names_no_article_with_a_distance() -> None:
    """What digs at the pixels of the old 5 m band digs who knows where; the person in the drawn zone is told of."""
    assert [e.episode.worst.match.violation for e in told_of(CORE, WatcherState(), DIGGER)] == [
        "excavation_5m"
    ]
    assert told_of(VOID, WatcherState(), DIGGER) == []
    (told,) = told_of(VOID, WatcherState(), WALKER)
    assert told.episode.worst.match.zone_id == "z1"
    sighting = told.episode.sighting
    assert (sighting.no_fix, sighting.lonlat, sighting.offset_m) == (NoFix.CAMERA_MOVED, None, None)


def test_a_place_from_before_the_move_is_not_used_after_it() -> None:
    """A look that shows only a part of a machine takes the last good place, unless the camera moved since."""
    state, new_id = WatcherState(), ids()
    for look in looks(lambda s: (DIGGER,), seconds=6.0):
        state, _ = watcher.step(CORE, state, look, new_id)
    part = msgspec.structs.replace(look, media_s=6.0, objects=(msgspec.structs.replace(DIGGER, score=0.6),))
    for core, still_holds in ((CORE, True), (VOID, False)):
        after, _ = watcher.step(core, state, part, new_id)
        assert any(hold.last_s == 6.0 for hold in after.tracks[0].holds) is still_holds


def test_an_uncalibrated_camera_that_moved_is_uncalibrated_first() -> None:
    """There was no ground to void."""
    core = msgspec.structs.replace(setup(HOLE.camera(ground_points=())), void=NoFix.CAMERA_MOVED)
    look = Look(media_s=0.0, captured_at=datetime.now(UTC), frame_size_px=HOLE.size_px, objects=(DIGGER,))
    state, _ = watcher.step(core, WatcherState(), look, ids())
    assert state.tracks[0].trusted is not None
    assert state.tracks[0].trusted.no_fix is NoFix.NOT_CALIBRATED


TOWN = cv2.GaussianBlur(
    np.kron(np.random.default_rng(11).integers(30, 220, (30, 50, 3)), np.ones((12, 12, 1))).astype(np.uint8), (0, 0), 1
)  # fmt: skip
RNG = np.random.default_rng(8)
OPEN = LinkStatus(link="open")
CAMERA = Camera(camera_id="c", edge_id="e", site_id="s", name="n", source="rtsp://h/1")  # type: ignore[arg-type]


class Notes:
    """The outbox's notes, on a disk that may be full."""

    def __init__(self) -> None:
        self.kept: dict[str, str | None] = {}
        self.full = False

    def note(self, key: str) -> str | None:
        return self.kept.get(key)

    def set_note(self, key: str, value: str | None) -> None:
        if self.full:
            raise OutboxRefused("a note could not be kept: database or disk is full")
        self.kept[key] = value


def minded(minder: Minder, seconds: float, from_s: float, *, dx: int = 0, grey: bool = False) -> CameraState:
    """Show a picture every two seconds."""
    for i in range(round(seconds / 2)):
        bgr = TOWN[90:270, 140 + dx : 460 + dx]
        if grey:
            bgr = np.repeat(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
        bgr = np.clip(bgr + RNG.normal(0, 2, (*bgr.shape[:2], 1)), 0, 255).astype(np.uint8)
        at_s = from_s + 2 * i
        picture = ArrayPicture(bgr)
        frame = Frame(picture=picture, size_px=(320, 180), media_s=at_s, captured_at=datetime.now(UTC))
        minder.look(frame, at_s, OPEN, small=picture.luma())
    return minder.health.state


def test_moved_is_told_voids_the_ground_and_outlives_the_process() -> None:
    """Within a minute of the push; a restarted process says so with its first picture, until it is turned back."""
    notes = Notes()
    minder = Minder(CAMERA, notes, 0.0)
    assert minded(minder, 40, 0.0) is CameraState.STREAMING
    assert minder.void is None
    assert minded(minder, 60, 40.0, dx=16) is CameraState.MOVED
    assert minder.void is NoFix.CAMERA_MOVED
    again = Minder(CAMERA, notes, 0.0)
    assert again.void is NoFix.CAMERA_MOVED
    assert minded(again, 2, 0.0, dx=16) is CameraState.MOVED
    assert minded(again, 60, 2.0) is CameraState.STREAMING
    assert again.void is None
    surveyed = msgspec.structs.replace(CAMERA, calibration_version="2")
    assert Minder(surveyed, notes, 0.0).void is None


def test_a_full_disk_takes_the_note_and_not_the_camera() -> None:
    """What can't be noted is learned again; the watching goes on."""
    notes = Notes()
    notes.full = True
    minder = Minder(CAMERA, notes, 0.0)
    assert minded(minder, 40, 0.0) is CameraState.STREAMING
    assert minded(minder, 60, 40.0, dx=16) is CameraState.MOVED


def test_a_night_by_infrared_is_told_as_a_remark() -> None:
    """The camera watches, and whoever wonders about grey pictures reads why."""
    minder = Minder(CAMERA, Notes(), 0.0)
    minded(minder, 40, 0.0)
    assert minded(minder, 30, 40.0, grey=True) is CameraState.STREAMING
    assert minder.health.reason == "infrared"
    assert minded(minder, 30, 70.0) is CameraState.STREAMING
    assert minder.health.reason == ""


def test_onvif_names_are_kept_for_states_only_and_read_like_topics() -> None:
    """A recorder that reads our states by ONVIF's names finds each picture fault that ONVIF knows."""
    assert all(topic.startswith("tns1:VideoSource/") for topic in TOPICS.values())
    assert {CameraState.MOVED, CameraState.BLURRED, CameraState.DARK, CameraState.OVEREXPOSED} <= set(TOPICS)
    assert CameraState.STREAMING not in TOPICS
