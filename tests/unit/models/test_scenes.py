"""The rendered pictures: the same each time, true to their truth, and seen by the shipped detector."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from models import registry
from models.boxes import iou
from models.detector import Detector
from models.scenes import Stage, Story, render_demo_clip
from models.scenes.check import measure
from models.scenes.excavator import footprint_corners
from models.scenes.story import pose

STORY = Story()
#: Driving in, standing, four moments of a digging cycle, folding, driving off.
MOMENTS_S = (10.5, 14.5, 16.0, 17.5, 19.0, 20.0, 76.0, 79.0)


@pytest.fixture(scope="module")
def stage() -> Stage:
    """The demo's scene, drawn once."""
    return Stage(STORY)


@pytest.fixture(scope="module")
def detector() -> Detector:
    """The shipped weights, loaded once."""
    return registry.load()


def test_a_frame_is_the_same_each_time(stage: Stage) -> None:
    """Another stage of the same story gives the same pixels and truth, whatever it drew before."""
    other = Stage(STORY)
    other.frame(300)
    first, again = stage.frame(205), other.frame(205)
    assert np.array_equal(first.bgr, again.bgr)
    assert first.truth == again.truth


def test_a_still_scene_still_flickers(stage: Stage) -> None:
    """Two frames of the empty scene differ by the sensor's noise, so a frozen stream can be told from it."""
    a, b = stage.frame(10).bgr.astype(int), stage.frame(11).bgr.astype(int)
    assert 0.5 < np.abs(a - b).mean() < 5


@pytest.mark.parametrize("t_s", MOMENTS_S)
def test_truth_box_holds_the_footprint(stage: Stage, t_s: float) -> None:
    """The tracks' corners on the ground lie inside the box, and its bottom is their nearest edge, within 4 px."""
    truth = stage.frame(round(t_s * STORY.fps)).truth
    posed = pose(STORY, t_s)
    assert posed is not None
    assert truth.bbox_px is not None
    assert truth.fully_in_view
    corners = footprint_corners(posed)
    assert np.mean(corners, axis=0) == pytest.approx(truth.footprint_centre_en_m)
    pixels, _ = STORY.camera.project(np.concatenate([corners, np.zeros((4, 1))], axis=1))
    x0, y0, x1, y1 = truth.bbox_px
    assert x0 - 1 < pixels[:, 0].min()
    assert pixels[:, 0].max() < x1 + 1
    assert y0 < pixels[:, 1].min()
    assert pixels[:, 1].max() == pytest.approx(y1, abs=4)
    assert min(x1 - x0, y1 - y0) > 90


@pytest.mark.parametrize("t_s", MOMENTS_S)
def test_the_shipped_detector_sees_it(stage: Stage, detector: Detector, t_s: float) -> None:
    """An excavator, where it is, and nothing else that would alarm."""
    frame = stage.frame(round(t_s * STORY.fps))
    found = [d for d in detector.detect(frame.bgr) if d.score >= 0.5]
    assert [d.class_name for d in found] == ["excavator"]
    overlap = iou(np.array([found[0].xyxy], np.float32), np.array([frame.truth.bbox_px], np.float32))
    assert overlap[0, 0] >= 0.7


def test_the_whole_story_at_one_frame_a_second(tmp_path: Path, detector: Detector) -> None:
    """Encoded and decoded again: found in 95 % of full views, boxes fit, and places are within two metres."""
    clip, truth_path = tmp_path / "clip.mp4", tmp_path / "truth.json"
    seen: list[tuple[int, int]] = []
    render_demo_clip(clip, truth_path, Story(fps=1), lambda done, total: seen.append((done, total)))
    truth = json.loads(truth_path.read_text())
    assert seen[-1] == (100, 100)
    assert truth["simulated"] is True
    assert len(truth["frames"]) == 100
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mp4", "truth.json"]
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 1280, 720)
    figures = measure(clip, truth, detector)
    assert figures["found_share"] >= 0.95
    assert figures["iou_median"] >= 0.7
    assert figures["other_machine_share"] <= 0.1
    assert figures["place_error_m_median"] < 2.0
    assert figures["frames_empty_with_machine"] == 0


def test_an_interrupted_rendering_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C in the middle: neither clip nor truth nor scraps."""

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_demo_clip(tmp_path / "clip.mp4", tmp_path / "truth.json", Story(duration_s=1.0), interrupt)
    assert list(tmp_path.iterdir()) == []
