"""What an edge tells of everybody in a picture, so that the centre can hide them."""

from pathlib import Path

import av
import pytest

from edge.boxes import KEPT_S, SeenBoxes, enlarged, of_right_half
from edge.evidence import EvidenceStore
from edge.frames import Packet, PacketRing
from models.detector import Detection
from monitor.domain import privacy_note
from monitor.domain.privacy import hidden_parts
from tests.doubles.edge_things import make_clip

SIZE_PX = (320, 240)


def person(x: float, score: float = 0.1) -> Detection:
    return Detection(class_name="person", score=score, xyxy=(x, 10.0, x + 20.0, 80.0))


def test_a_still_has_the_boxes_of_its_own_look() -> None:
    """The newest look's, and for the enlarged annotated picture enlarged with it."""
    seen = SeenBoxes()
    assert seen.still() is None
    seen.add(1.0, SIZE_PX, [person(0.0), person(100.0)])
    seen.add(1.2, SIZE_PX, [person(4.0)])
    still = seen.still()
    assert still is not None
    larger = enlarged(still, 3)
    assert [box.x1 for box in still.looks[0].boxes] == [4]
    assert (larger.size_px, [box.x1 for box in larger.looks[0].boxes]) == ((960, 720), [12])
    moved = seen.still(back_s=0.6)
    assert moved is not None
    assert [box.x1 for box in moved.looks[0].boxes] == [0, 100, 4], (
        "a full-size picture may be a moment older"
    )


def test_a_film_has_the_looks_around_it_and_no_old_ones() -> None:
    """In seconds from its first picture; what a clip can't show any more is forgotten."""
    seen = SeenBoxes()
    for step in range(600):
        seen.add(step * 0.2, SIZE_PX, [person(step % 300)])
    note = seen.film(100.0, 110.0)
    assert note is not None
    assert note.looks[0].at_s == pytest.approx(-6.4, abs=0.21)
    assert [look.boxes[0].x1 for look in note.looks if look.at_s == 0.0] == [500 % 300]
    assert seen.film(119.8 - KEPT_S - 20, 119.8 - KEPT_S - 10) is None


def test_looks_at_the_substream_count_in_the_main_streams_clip() -> None:
    """Whom only the substream saw, before the camera was looked at in full, is hidden too."""
    seen = SeenBoxes()
    seen.add(1.0, SIZE_PX, [person(100.0)])
    seen.add(2.0, (640, 480), [person(1.0)])
    note = seen.film(0.0, 3.0)
    assert note is not None
    assert (note.size_px, [look.at_s for look in note.looks]) == ((640, 480), [1.0, 2.0])
    box = note.looks[0].boxes[0]
    assert (190 <= box.x1 < 200, 240 < box.x2 <= 250) == (True, True), "twice as far right, a little larger"


def test_looks_of_another_shape_leave_no_stretch_uncovered() -> None:
    """Nobody can say where a squeezed picture's boxes lie: all is hidden, not only what the others saw."""
    seen = SeenBoxes()
    seen.add(1.0, (352, 288), [person(100.0)])
    seen.add(2.0, (640, 360), [])
    assert seen.film(0.0, 3.0) is None


@pytest.mark.parametrize("size_px", [(960, 540), (961, 541), (540, 960)])
def test_of_before_and_now_the_past_is_hidden_whole_and_now_where_somebody_is(
    size_px: tuple[int, int],
) -> None:
    """The patrol sees what changed; whoever stood there before the change was in no look."""
    width, height = size_px
    seen = SeenBoxes()
    seen.add(1.0, size_px, [person(100.0)])
    note = seen.still()
    assert note is not None
    both = of_right_half(note)
    left, head = hidden_parts(both.looks[0].boxes)
    assert both.size_px == (2 * width, height)
    assert (left[0] <= 0, left[1] <= 0, left[3] >= height) == (True, True, True)
    assert left[2] == pytest.approx(width, abs=1.5)
    assert head[0] == pytest.approx(hidden_parts(note.looks[0].boxes)[0][0] + width)


def test_a_clip_carries_its_boxes_under_its_hash(tmp_path: Path) -> None:
    """Asked for by the stream's seconds of the packets that it really has, read back as they were."""
    ring, seen, asked = PacketRing(), SeenBoxes(), []
    with av.open(str(make_clip(tmp_path / "c.mp4"))) as film:
        stream = film.streams.video[0]
        ring.begin(stream)
        for packet in film.demux(stream):
            if packet.size:
                media_s = 50.0 + float(packet.pts * packet.time_base)
                ring.add(Packet(data=bytes(packet), pts=packet.pts, dts=packet.dts, time_base=packet.time_base,
                                keyframe=packet.is_keyframe, media_s=media_s))  # fmt: skip
                seen.add(media_s, SIZE_PX, [person(media_s)])

        def boxes(first_s: float, last_s: float):  # type: ignore[no-untyped-def]
            asked.append((first_s, last_s))
            return seen.film(first_s, last_s)

        kept = EvidenceStore(tmp_path / "e").keep_clip(ring, 51.5, 53.0, boxes)
    assert kept is not None
    assert asked[0][0] == pytest.approx(51.0), "from the key frame before"
    with av.open(str(tmp_path / "e" / kept[1])) as clip:
        note = privacy_note.read(clip.metadata[privacy_note.TAG])
    assert note == seen.film(*asked[0])
    assert note is not None
    assert [look.boxes[0].x1 for look in note.looks if look.at_s == 0.0] == [51]
