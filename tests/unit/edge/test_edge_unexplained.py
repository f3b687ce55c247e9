"""A heap on the pipe that no class knows must come to somebody's eyes; a cloud, a car or a shadow must not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import cv2
import numpy as np
import pytest

from edge import change, watcher
from edge.episodes import Emission
from edge.frames import ArrayPicture, Frame, Luma
from edge.registration import key_of
from edge.unexplained import FIRST_ID, Memory
from edge.watchdog import Health
from edge.witness import Witness
from monitor.domain.assets import PictureZone
from monitor.domain.events import CameraState
from monitor.domain.violations import RULES, UNEXPLAINED
from tests.doubles.edge_things import NOON, Pinhole, ids, setup

SIZE_PX = (320, 180)
#: Where the heap lies, in the small picture.
HEAP = (120, 100, 190, 145)
EVERY_S = 2.0
#: A standing picture takes 10 s, a change must stand for 30 s, the rule wants two minutes of it.
KNOWN_BY_S = 200.0

Show = Callable[[float], Luma]


def _scene() -> Luma:
    """Grass, a track and a wall."""
    rng = np.random.default_rng(3)
    rough = cv2.GaussianBlur(rng.standard_normal((180, 320)).astype(np.float32), (0, 0), 1.5)
    ground = 110 + 90 * rough
    ground[:, 60:90] = 150
    ground[20:50, 200:300] = 190
    return np.clip(ground, 0, 255).astype(np.uint8)


SCENE = _scene()


def _with_heap(picture: Luma) -> Luma:
    """A heap of sand: lit on the left, dark on the right."""
    out = picture.copy()
    x1, y1, x2, y2 = HEAP
    side = np.linspace(220, 60, x2 - x1)
    out[y1:y2, x1:x2] = np.clip(side[None, :] + np.linspace(20, -20, y2 - y1)[:, None], 0, 255)
    return out


NOISES = np.random.default_rng(4).normal(0, 3, (7, 180, 320)).astype(np.float32)


def _noisy(picture: Luma, t: float) -> Luma:
    return np.clip(picture + NOISES[int(t / EVERY_S) % len(NOISES)], 0, 255).astype(np.uint8)


def _watch(
    show: Show,
    until_s: float,
    *,
    known: Callable[[float], tuple[change.Box, ...]] = lambda t: (),
    memory: Memory | None = None,
) -> list[tuple[float, Emission]]:
    """What a dozing camera tells whose whole picture is a zone on the pipe."""
    width, height = SIZE_PX
    zone = PictureZone(
        zone_id="z", kind="on_pipe", polygon_px=((0, 0), (width, 0), (width, height), (0, height))
    )
    core = setup(Pinhole(size_px=SIZE_PX).camera(zones=(zone,), ground_points=()), rules=RULES)
    memory = memory or Memory()
    state, new_id, told = watcher.WatcherState(), ids(), []
    for k in range(int(until_s / EVERY_S)):
        t = k * EVERY_S
        memory.look(_noisy(show(t), t), t)
        memory.knows(known(t), SIZE_PX, t)
        learned, memory.learned = memory.learned, ()
        look = watcher.Look(media_s=t, captured_at=NOON + timedelta(seconds=t), frame_size_px=SIZE_PX,
                            objects=change.seen(memory.regions, SIZE_PX), learned=learned)  # fmt: skip
        state, emissions = watcher.step(core, state, look, new_id)
        told += [(t, e) for e in emissions]
    return told


def _onsets(told: list[tuple[float, Emission]]) -> list[float]:
    return [t for t, e in told if e.phase == "onset"]


def test_a_heap_that_stays_is_told_once_with_its_place() -> None:
    """It comes after five minutes; somebody hears of it some three minutes later, at the right place, in level IV."""
    told = _watch(lambda t: _with_heap(SCENE) if t >= 300 else SCENE, 900)
    assert len(_onsets(told)) == 1
    assert 300 + 120 <= _onsets(told)[0] <= 300 + KNOWN_BY_S
    onset = next(e for _, e in told if e.phase == "onset")
    assert onset.episode.worst.match.violation == "unexplained_change"
    assert onset.episode.worst.level == "IV"
    assert change.in_common(onset.episode.sighting.xyxy, HEAP) > 0.5


def test_what_goes_away_again_ends() -> None:
    """The heap is carted off: the condition is over within three minutes, by the reason 'gone'."""
    told = _watch(lambda t: _with_heap(SCENE) if 300 <= t < 700 else SCENE, 1000)
    assert len(_onsets(told)) == 1
    ends = [(t, e.reason) for t, e in told if e.phase == "end"]
    assert [reason for _, reason in ends] == ["gone"]
    assert ends[0][0] < 900


def test_what_stays_for_half_an_hour_becomes_the_scene() -> None:
    """Dismissed or not, nobody hears of it for ever: it ends as 'learned' and isn't told again."""
    told = _watch(lambda t: _with_heap(SCENE) if t >= 300 else SCENE, 3000)
    assert len(_onsets(told)) == 1
    ends = [(t, e.reason) for t, e in told if e.phase == "end"]
    assert [reason for _, reason in ends] == ["learned"]
    assert 300 + 1800 <= ends[0][0] <= 300 + 1900


@pytest.mark.parametrize(
    ("name", "show"),
    [
        ("nothing", lambda t: SCENE),
        ("exposure", lambda t: np.clip(SCENE * (0.6, 1.3, 0.9)[int(t / 97) % 3], 0, 255)),
        (
            "shadow",
            lambda t: (
                SCENE * np.where(np.abs(np.arange(320) - 150 - t / 12) < 30, 0.5, 1.0) if t > 300 else SCENE
            ),
        ),
        ("passing", lambda t: _with_heap(SCENE) if int(t / EVERY_S) % 5 == 0 else SCENE),
        ("short", lambda t: _with_heap(SCENE) if 300 <= t < 400 else SCENE),
    ],
)
def test_light_and_what_passes_is_not_told(name: str, show: Show) -> None:
    """Exposure, a wandering shadow, somebody who comes by again and again, a van that unloads: nobody hears of it."""
    assert _onsets(_watch(show, 900)) == []


def test_what_the_detector_saw_standing_there_has_its_explanation() -> None:
    """A car that parks is a change that stays, and no news."""
    told = _watch(
        lambda t: _with_heap(SCENE) if t >= 300 else SCENE, 900, known=lambda t: (HEAP,) if t >= 300 else ()
    )
    assert _onsets(told) == []


def test_what_only_drove_past_explains_nothing() -> None:
    """A road with traffic must not hide what is put beside or on it."""

    def passing(t: float) -> tuple[change.Box, ...]:
        x = (t * 47) % 320
        return ((x, 90.0, x + 60, 150.0),)

    assert len(_onsets(_watch(lambda t: _with_heap(SCENE) if t >= 300 else SCENE, 700, known=passing))) == 1


def test_what_was_left_behind_is_told_when_its_explanation_has_aged() -> None:
    """A digger leaves, its heap stays: the heap is told some ten minutes later."""
    told = _watch(
        lambda t: _with_heap(SCENE) if t >= 300 else SCENE,
        1500,
        known=lambda t: (HEAP,) if 300 <= t < 420 else (),
    )
    assert len(_onsets(told)) == 1
    assert _onsets(told)[0] > 420 + 300


def test_a_restart_forgets_no_scene() -> None:
    """The worker is restarted after the heap came: it is still a change."""
    before = Memory("key")
    for k in range(100):
        before.look(SCENE, k * EVERY_S)
    told = _watch(lambda t: _with_heap(SCENE), 400, memory=Memory("key", before.note()))
    assert len(_onsets(told)) == 1
    assert (
        _onsets(_watch(lambda t: _with_heap(SCENE), 400, memory=Memory("another survey", before.note())))
        == []
    )


@pytest.mark.parametrize(
    "noted",
    ["", "{}", "not json", '{"key":"k","views":[[false,"%%%"]]}', '{"key":"k","views":[[false,"AAAA"]]}'],
)
def test_a_note_that_cannot_be_read_is_learned_anew(noted: str) -> None:
    """Another version's note never stops a camera."""
    assert not Memory("k", noted).known


def test_beyond_the_band_nothing_is_told() -> None:
    """A change 120 m from the line is none of the pipeline's business."""
    hole = Pinhole(north_m=-30.0, height_m=30.0, size_px=(1280, 720))
    surveyed = [(-40.0, 0.0), (40.0, 0.0), (-60.0, 200.0), (60.0, 200.0), (0.0, 60.0)]
    core = setup(hole.camera(surveyed), rules=RULES)
    for north_m, expected in ((20.0, 1), (120.0, 0)):
        state, new_id, onsets = watcher.WatcherState(), ids(), 0
        seen = watcher.Seen(
            track_id=FIRST_ID,
            class_name=UNEXPLAINED,
            score=change.SCORE,
            xyxy=hole.box(0.0, north_m, 6.0, 3.0),
        )
        for k in range(100):
            look = watcher.Look(media_s=k * EVERY_S, captured_at=NOON + timedelta(seconds=k * EVERY_S), frame_size_px=(1280, 720), objects=(seen,))  # fmt: skip
            state, told = watcher.step(core, state, look, new_id)
            onsets += sum(e.phase == "onset" for e in told)
        assert onsets == expected, north_m


def test_the_median_of_five_is_the_median() -> None:
    """Against NumPy's."""
    planes = np.random.default_rng(1).integers(0, 256, (5, 40, 50)).astype(np.uint8)
    assert np.array_equal(change.median_of_five(*planes), np.median(planes, axis=0).astype(np.uint8))


class _Notes:
    """Notes in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, str | None] = {}

    def note(self, key: str) -> str | None:
        return self.kept.get(key)

    def set_note(self, key: str, value: str | None) -> None:
        self.kept[key] = value


def _shown(witness: Witness, show: Show, until_s: float, health: Health, from_s: float = 0.0) -> None:
    for k in range(int((until_s - from_s) / EVERY_S)):
        t = from_s + k * EVERY_S
        luma = np.asarray(show(t), dtype=np.uint8)
        frame = Frame(picture=ArrayPicture(cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR)), size_px=SIZE_PX, media_s=t,
                      captured_at=NOON + timedelta(seconds=t))  # fmt: skip
        witness.look(frame, luma, health)


GOOD = Health(state=CameraState.STREAMING)


def test_the_picture_from_before_shows_the_place_without_the_change() -> None:
    """Who decides must see what was there before."""
    witness = Witness(Pinhole(size_px=SIZE_PX).camera(), _Notes())
    _shown(witness, lambda t: _with_heap(SCENE) if t >= 400 else SCENE, 500, GOOD)
    (place,), _ = witness.objects((), SIZE_PX, 500.0)
    before = witness.before(place.track_id)
    assert before is not None
    x1, y1, x2, y2 = HEAP
    off = np.abs(before[y1:y2, x1:x2, 0].astype(int) - SCENE[y1:y2, x1:x2])
    assert before.shape == (180, 320, 3)
    assert off.mean() < 12


def test_a_moved_camera_begins_anew_and_a_bad_picture_teaches_nothing() -> None:
    """Another scene is no change of the old one, nor is a hand before the lens."""
    notes, camera = _Notes(), Pinhole(size_px=SIZE_PX).camera()
    witness = Witness(camera, notes)
    _shown(witness, lambda t: SCENE, 400, GOOD)
    _shown(witness, lambda t: SCENE[:, ::-1], 420, Health(state=CameraState.MOVED), from_s=400)
    assert not Memory(key_of(camera), notes.note(f"changes:{camera.camera_id}")).known
    _shown(witness, lambda t: SCENE[:, ::-1], 700, GOOD, from_s=420)
    assert witness.objects((), SIZE_PX, 700.0)[0] == ()
    _shown(witness, lambda t: SCENE // 8, 1000, Health(state=CameraState.DARK), from_s=700)
    _shown(witness, lambda t: SCENE[:, ::-1], 1100, GOOD, from_s=1000)
    assert witness.objects((), SIZE_PX, 1100.0)[0] == ()
