"""Where in a picture the detector looks: what is saved must not be what is missed."""

from __future__ import annotations

from collections.abc import Sequence

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from edge import looking
from edge.looking import WHOLE_EVERY_S, Box, Looker
from models.detector import Detection, ModelInfo

FRAME_PX = (1920, 1080)
INFO = ModelInfo(
    name="t", version="1", sha256="", classes=("person", "excavator", "car"), trained_on="", backend="", input_hw=(384, 640)
)  # fmt: skip
PARKED = Detection(class_name="car", score=0.9, xyxy=(100.0, 100.0, 300.0, 220.0))


class Scene:
    """A detector that finds what the test puts there; boxes are cut where the given picture ends."""

    def __init__(self, *things: Detection) -> None:
        self.things: list[Detection] = list(things)
        self.asked: list[tuple[int, int]] = []
        self.frame = np.zeros((FRAME_PX[1], FRAME_PX[0], 3), np.uint8)
        # each pixel says where it is, so that a window knows its place
        x, y = np.arange(1920), np.arange(1080)[:, None]
        self.frame[..., 0], self.frame[..., 1], self.frame[..., 2] = x // 8, y // 8, x % 8 + 8 * (y % 8)

    @property
    def info(self) -> ModelInfo:
        return INFO

    def warm_up(self) -> None:
        return None

    def detect(
        self, frame_bgr: NDArray[np.uint8], *, long_side_px: int | None = None
    ) -> tuple[Detection, ...]:
        height, width = frame_bgr.shape[:2]
        self.asked.append((width, height))
        x, y, rest = (int(v) for v in frame_bgr[0, 0])
        left, top = 8 * x + rest % 8, 8 * y + rest // 8
        found = []
        for thing in self.things:
            x1, y1, x2, y2 = thing.xyxy
            box = (max(0.0, x1 - left), max(0.0, y1 - top), min(width, x2 - left), min(height, y2 - top))
            if box[2] - box[0] > 4 and box[3] - box[1] > 4:
                found.append(Detection(class_name=thing.class_name, score=thing.score, xyxy=box))
        return tuple(found)


def look(looker: Looker, scene: Scene, at_s: float, moving: Sequence[Box] = ()) -> set[tuple[str, Box]]:
    """What is told of one look; sides to the nearest ten pixels."""
    found = looker.look(lambda: scene.frame, FRAME_PX, moving, at_s)
    return {(d.class_name, tuple(round(side, -1) for side in d.xyxy)) for d in found}  # type: ignore[misc]


def settled(*things: Detection) -> tuple[Looker, Scene, float]:
    """A looker to which these have stood there for a while; and the next look's second."""
    scene = Scene(*things)
    looker = Looker(scene, 0.4)
    for k in range(12):
        look(looker, scene, 0.2 * k)
    scene.asked.clear()
    return looker, scene, 2.4


def test_what_stands_is_told_at_each_look_and_costs_none() -> None:
    """A parked car while nothing moves: known, without the network, until everything is due again."""
    looker, scene, at_s = settled(PARKED)
    until_s = WHOLE_EVERY_S
    while at_s < until_s - 0.1:
        assert look(looker, scene, at_s) == {("car", (100, 100, 300, 220))}
        at_s += 0.2
    assert scene.asked == []
    look(looker, scene, until_s + 0.1)
    assert scene.asked == [FRAME_PX]


def test_a_box_that_was_seen_once_is_not_carried() -> None:
    """A false box of one look must not stand there for seconds and dwell."""
    scene = Scene()
    looker = Looker(scene, 0.4)
    for k in range(3):
        look(looker, scene, 0.2 * k)
    scene.things = [PARKED]
    looker.forget()
    assert look(looker, scene, 1.0) == {("car", (100, 100, 300, 220))}
    scene.things = []
    asked = len(scene.asked)
    assert look(looker, scene, 1.2) == set()
    assert len(scene.asked) == asked + 1, "the network was asked about it"


def test_a_walker_is_followed_in_windows_while_the_car_stays_known() -> None:
    """Everything that moves is seen at each look, at a fraction of the pixels."""
    looker, scene, at_s = settled(PARKED)
    for k in range(16):
        left = 900.0 + 30 * k
        scene.things = [
            PARKED,
            Detection(class_name="person", score=0.9, xyxy=(left, 500.0, left + 80, 720.0)),
        ]
        told = look(looker, scene, at_s, [(left + 10, 520.0, left + 70, 700.0)])
        assert told == {
            ("car", (100, 100, 300, 220)),
            ("person", tuple(round(s, -1) for s in (left, 500, left + 80, 720))),
        }
        at_s += 0.2
    assert all(size != FRAME_PX for size in scene.asked)
    assert np.mean([w * h for w, h in scene.asked]) < 0.45 * FRAME_PX[0] * FRAME_PX[1]


def test_a_machine_cut_by_the_window_is_looked_at_whole() -> None:
    """Only its boom moves: the first window cuts the machine; it is told with its whole box all the same."""
    looker, scene, at_s = settled(PARKED)
    digger = Detection(class_name="excavator", score=0.9, xyxy=(600.0, 300.0, 1700.0, 1000.0))
    scene.things = [PARKED, digger]
    assert ("excavator", (600, 300, 1700, 1000)) in look(looker, scene, at_s, [(700.0, 320.0, 800.0, 420.0)])
    assert scene.asked[-1] == FRAME_PX


def test_what_leaves_is_gone_at_once_and_a_flicker_is_not() -> None:
    """The car drives off: its place is looked at, and it is not told again; a single missed look keeps it."""
    looker, scene, at_s = settled(PARKED)
    scene.things = []
    assert look(looker, scene, at_s, [(100.0, 100.0, 300.0, 220.0)]) == set()
    looker, scene, _ = settled(PARKED)
    scene.things = []
    assert look(looker, scene, WHOLE_EVERY_S + 3.0) == {("car", (100, 100, 300, 220))}
    assert look(looker, scene, WHOLE_EVERY_S + 3.2) == set(), "it was looked at once more, at once"


def test_what_is_not_sure_yet_is_looked_at_by_itself() -> None:
    """A van that has just stopped: the looks until it is known are small ones, and it is told at each."""
    looker, scene, at_s = settled(PARKED)
    van = Detection(class_name="truck", score=0.9, xyxy=(900.0, 500.0, 1200.0, 700.0))
    scene.things = [PARKED, van]
    look(looker, scene, at_s, [van.xyxy])
    scene.asked.clear()
    for k in range(6, 12):  # nothing moves any more
        assert ("truck", (900, 500, 1200, 700)) in look(looker, scene, at_s + 0.2 * k)
    assert scene.asked
    assert all(size != FRAME_PX for size in scene.asked)


def test_a_false_box_of_half_a_second_stands_no_longer() -> None:
    """Hit three times within half a second, then never again: not carried into the dwell of a rule."""
    scene = Scene(PARKED)
    looker = Looker(scene, 0.4)
    for k in range(3):
        look(looker, scene, 0.2 * k)
    scene.things = []
    assert look(looker, scene, 0.6) == set()


def test_what_was_hidden_by_a_passer_by_is_known_again_at_once() -> None:
    """A walker passes before a parked car: when it is seen again nobody has to look everywhere for two seconds."""
    looker, scene, at_s = settled(PARKED)
    walker = Detection(class_name="person", score=0.9, xyxy=(90.0, 90.0, 310.0, 240.0))
    for k in range(5):
        scene.things = [walker]
        assert look(looker, scene, at_s + 0.2 * k, [walker.xyxy]) == {("person", (90, 90, 310, 240))}
    beside = Detection(class_name="person", score=0.9, xyxy=(900.0, 500.0, 980.0, 720.0))
    scene.things = [PARKED, beside]
    looker.look(lambda: scene.frame, FRAME_PX, [walker.xyxy, beside.xyxy], at_s + 1.0)
    scene.asked.clear()
    for k in range(6, 12):
        told = look(looker, scene, at_s + 0.2 * k, [beside.xyxy])
        assert told == {("car", (100, 100, 300, 220)), ("person", (900, 500, 980, 720))}
    assert all(size != FRAME_PX for size in scene.asked)


def test_a_false_box_that_was_never_settled_is_not_remembered_as_hidden() -> None:
    """Hit twice, walked over, hit once more: it must not be carried as if it stood there."""
    scene = Scene(PARKED)
    looker = Looker(scene, 0.4)
    look(looker, scene, 0.0)
    look(looker, scene, 0.2)
    scene.things = []
    look(looker, scene, 0.4, [PARKED.xyxy])
    scene.things = [PARKED]
    look(looker, scene, 2.4, [PARKED.xyxy])
    scene.things = []
    assert look(looker, scene, 4.6) == set()


def test_behind_a_walker_only_the_walker_is_looked_at() -> None:
    """The car that stands behind is known: the window is the smallest one, and the car is told all the same."""
    lorry = Detection(class_name="truck", score=0.9, xyxy=(20.0, 380.0, 860.0, 620.0))
    looker, scene, at_s = settled(lorry)
    walker = Detection(class_name="person", score=0.9, xyxy=(820.0, 400.0, 930.0, 740.0))
    scene.things = [lorry, walker]
    look(looker, scene, at_s, [walker.xyxy])
    scene.asked.clear()
    told = look(looker, scene, at_s + 0.2, [(830.0, 420.0, 920.0, 730.0)])
    assert {("truck", (20, 380, 860, 620)), ("person", (820, 400, 930, 740))} <= told
    assert scene.asked == [(960, 576)]


def test_a_faint_person_is_still_hidden_while_only_a_window_is_looked_at() -> None:
    """Too weak to be followed, but a face: blurred copies go by what was noted."""
    faint = Detection(class_name="person", score=0.2, xyxy=(100.0, 500.0, 160.0, 700.0))
    looker, scene, at_s = settled()
    scene.things = [faint]
    looker.forget()
    look(looker, scene, at_s)
    mover = Detection(class_name="person", score=0.9, xyxy=(1500.0, 500.0, 1580.0, 720.0))
    scene.things = [faint, mover]
    for k in range(1, 6):
        told = look(looker, scene, at_s + 0.2 * k, [mover.xyxy])
        assert ("person", (1500, 500, 1580, 720)) in told
        assert scene.asked[-1] != FRAME_PX
        assert [d.xyxy for d in looker.faint] == [faint.xyxy]
    look(looker, scene, at_s + WHOLE_EVERY_S, [mover.xyxy])
    assert looker.faint == ()


def test_what_stopped_is_looked_at_until_it_is_known() -> None:
    """A truck that halts: the looks after its motion still go there."""
    looker, scene, at_s = settled()
    truck = Detection(class_name="car", score=0.9, xyxy=(900.0, 500.0, 1200.0, 700.0))
    scene.things = [truck]
    look(looker, scene, at_s, [(900.0, 500.0, 1200.0, 700.0)])
    scene.asked.clear()
    for k in range(1, 5):
        assert look(looker, scene, at_s + 0.2 * k) == {("car", (900, 500, 1200, 700))}
    assert len(scene.asked) == 4


def test_after_a_gap_nothing_is_carried() -> None:
    """The camera was covered: what stood there before may have gone."""
    looker, scene, at_s = settled(PARKED)
    scene.things = []
    looker.forget()
    assert look(looker, scene, at_s) == set()


boxes = st.builds(
    lambda x, y, w, h: (x, y, min(1920.0, x + w), min(1080.0, y + h)),
    st.floats(0, 1800), st.floats(0, 1000), st.floats(20, 900), st.floats(20, 600),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(boxes, max_size=3), min_size=1, max_size=12))
def test_whatever_moves_is_seen_as_if_everything_were_looked_at(story: list[list[Box]]) -> None:
    """Things that move anywhere, come and go: each look tells every moving thing with its whole box."""
    scene = Scene(PARKED)
    looker = Looker(scene, 0.4)
    for k in range(3):
        look(looker, scene, 0.2 * k)
    for k, moving in enumerate(story):
        scene.things = [Detection(class_name="excavator", score=0.9, xyxy=box) for box in moving]
        found = looker.look(lambda: scene.frame, FRAME_PX, moving, 0.6 + 0.2 * k)
        for box in moving:
            assert max(looking.iou(box, d.xyxy) for d in found) > 0.9


@pytest.mark.parametrize("frame_px", [(640, 360), (1280, 960), (352, 288), (3840, 2160), (1080, 1920)])
def test_windows_fit_into_every_camera(frame_px: tuple[int, int]) -> None:
    """A window is never larger than the frame, and keeps its scale."""
    windows = looking.windows_of(INFO, frame_px)
    for width, height in windows.sizes_px:
        assert width * windows.scale <= frame_px[0]
        assert height * windows.scale <= frame_px[1]
        assert (width % 32, height % 32) == (0, 0)


def test_until_its_windows_are_ready_everything_is_looked_at() -> None:
    """Compiling takes seconds on an old core: no look waits for it."""
    scene = Scene()
    compiling = looking.Compiling(scene)
    looker = Looker(scene, 0.4, ready=compiling.done)
    mover = Detection(class_name="person", score=0.9, xyxy=(900.0, 500.0, 980.0, 720.0))
    scene.things = [mover]
    for k in range(3):
        look(looker, scene, 0.2 * k, [mover.xyxy])
    assert set(scene.asked) == {FRAME_PX}
    compiling.start()
    compiling.join(10)
    scene.asked.clear()
    look(looker, scene, 0.8, [mover.xyxy])
    assert scene.asked[0] != FRAME_PX
