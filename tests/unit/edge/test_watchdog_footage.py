"""No false word on real footage: every clip we have is watched for minutes, with its own pictures and colours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import pytest

from edge import gate
from edge.frames import ArrayPicture, Frame
from edge.minder import Minder
from edge.reader import LinkStatus
from monitor.domain.assets import Camera
from monitor.domain.events import CameraState

CLIPS = Path(__file__).parents[4] / "shared" / "data" / "video"
#: further clips, for example opencv-doc's tree.avi and vtest.avi; colon-separated
MORE = [Path(name) for name in os.environ.get("HCAWATCH_MORE_CLIPS", "").split(":") if name]
#: the camera itself moves in these: filmed by hand, or it follows the machine
BY_HAND = {"excavator_loading_dump_truck.mp4", "grass_fire_firefighter.mp4", "vehicle_fire_street.mp4"}
WATCH_S = 150
OPEN = LinkStatus(link="open")


class Notes:
    """The outbox's notes, in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, str | None] = {}

    def note(self, key: str) -> str | None:
        return self.kept.get(key)

    def set_note(self, key: str, value: str | None) -> None:
        self.kept[key] = value


def pictures(clip: Path) -> list[tuple[object, object]]:
    """(picture, small) of every second of the clip."""
    video, found = cv2.VideoCapture(str(clip)), []
    step = max(1, round(video.get(cv2.CAP_PROP_FPS)))
    for i in range(10_000):
        if not video.grab():
            break
        if i % step == 0:
            picture = ArrayPicture(video.retrieve()[1])
            found.append((picture, gate.shrink(picture.luma())))
    return found


def words(minder: Minder, shown: Iterator[tuple[object, object]], step_s: float) -> list[CameraState]:
    """The states that were told, over WATCH_S."""
    told, before = [], None
    for i in range(round(WATCH_S / step_s)):
        picture, small = next(shown)
        frame = Frame(picture=picture, size_px=(640, 360), media_s=i * step_s, captured_at=datetime.now(UTC))
        state = minder.look(frame, i * step_s, OPEN, small=small, before=before).state
        before = small
        if not told or told[-1] is not state:
            told.append(state)
    return told


@pytest.mark.data
@pytest.mark.parametrize("clip", [*sorted(CLIPS.glob("*.*")), *MORE], ids=lambda p: p.name)
def test_no_false_word_on_real_footage(clip: Path) -> None:
    """Day, night, fire, smoke, motorway, building site: streaming throughout; only a moving camera has moved."""
    seconds = pictures(clip)
    to_and_fro = [*seconds, *seconds[-2:0:-1]]  # no cut where the clip begins anew
    camera = Camera(camera_id="c", edge_id="e", site_id="s", name="n", source=str(clip))  # type: ignore[arg-type]
    minder = Minder(camera, Notes(), 0.0)
    told = words(minder, iter(to_and_fro[i % len(to_and_fro)] for i in range(WATCH_S)), 1.0)
    if clip.name in BY_HAND:
        assert set(told) <= {CameraState.STREAMING, CameraState.MOVED}
    else:
        assert told == [CameraState.STREAMING]
        assert minder.void is None
        assert not minder.health.reason
