"""One line a picture, in order; a broken picture is a line and never an end."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models import registry
from models.detector import Detection, ModelInfo
from models.predict import predict_paths, read_image

DATA = Path(__file__).parents[4] / "shared" / "data"
FAKE = ModelInfo(
    name="fake",
    version="0",
    sha256="0" * 64,
    classes=("excavator",),
    trained_on="",
    backend="fake",
    input_hw=(32, 32),
)


@dataclass
class FakeDetector:
    """Finds one excavator as large as the frame, and remembers what it was shown."""

    shown: list[tuple[int, ...]] = field(default_factory=list)
    info: ModelInfo = FAKE

    def detect(
        self, frame_bgr: NDArray[np.uint8], *, long_side_px: int | None = None
    ) -> tuple[Detection, ...]:
        self.shown.append(frame_bgr.shape)
        height, width = frame_bgr.shape[:2]
        everything = (0.0, 0.0, float(width), float(height))
        return (Detection(class_name="excavator", score=0.123456789, xyxy=everything),)

    def warm_up(self) -> None:
        return None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """b.png and sub/a.jpg are pictures, c.jpg is broken, notes.txt is no picture."""
    (tmp_path / "sub").mkdir()
    cv2.imwrite(str(tmp_path / "b.png"), np.zeros((4, 6, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "sub" / "a.jpg"), np.zeros((8, 2), np.uint8))
    (tmp_path / "c.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    (tmp_path / "notes.txt").write_text("hello")
    return tmp_path


def test_a_folder_gives_its_pictures_by_name(folder: Path) -> None:
    """Pictures come in order of their paths, broken ones as errors, other files not at all."""
    lines = list(predict_paths([folder], FakeDetector()))
    assert [Path(line["image"]).name for line in lines] == ["b.png", "c.jpg", "a.jpg"]
    assert lines[0]["boxes"] == [{"class": "excavator", "score": 0.12346, "xyxy": [0.0, 0.0, 6.0, 4.0]}]
    assert "boxes" not in lines[1]
    assert lines[1]["error"]
    assert all(json.loads(json.dumps(line)) == line for line in lines)


def test_a_grey_picture_is_shown_in_colour(folder: Path) -> None:
    """The detector gets three channels whatever the file has."""
    fake = FakeDetector()
    list(predict_paths([folder / "sub" / "a.jpg"], fake))
    assert fake.shown == [(8, 2, 3)]


def test_a_path_that_is_not_there_is_a_line(tmp_path: Path) -> None:
    """The next path is still looked at."""
    cv2.imwrite(str(tmp_path / "good.png"), np.zeros((4, 4, 3), np.uint8))
    lines = list(predict_paths([tmp_path / "gone.png", tmp_path / "good.png"], FakeDetector()))
    assert "error" in lines[0]
    assert "boxes" in lines[1]


def test_a_folder_without_pictures_says_so(tmp_path: Path) -> None:
    """Nothing found is told, not silent."""
    (line,) = predict_paths([str(tmp_path)], FakeDetector())
    assert line["error"] == "no pictures in this folder"


def test_an_empty_file_is_a_line(tmp_path: Path) -> None:
    """Zero bytes are no picture."""
    (tmp_path / "empty.jpg").touch()
    (line,) = predict_paths([tmp_path / "empty.jpg"], FakeDetector())
    assert "error" in line


@pytest.mark.data
def test_excavators_on_real_photographs_are_found() -> None:
    """On the validation photographs the shipped weights find at least 80 % of the labelled excavators."""
    detector = registry.load()
    excavator = detector.info.classes.index("excavator")
    labelled = found = 0
    for label in sorted((DATA / "labels" / "val").glob("*.txt")):
        rows = [row.split() for row in label.read_text().splitlines()]
        wanted = [[float(v) for v in row[1:5]] for row in rows if int(row[0]) == excavator]
        if not wanted:
            continue
        (path,) = (DATA / "images" / "val").glob(f"{label.stem}.*")
        image = read_image(path)
        height, width = image.shape[:2]
        hits = [d for d in detector.detect(image) if d.class_name == "excavator" and d.score >= 0.25]
        labelled += len(wanted)
        # Its middle inside a found box: a plain check that the chain is right, not a measure of the model.
        found += sum(
            any(d.xyxy[0] < x * width < d.xyxy[2] and d.xyxy[1] < y * height < d.xyxy[3] for d in hits)
            for x, y, _, _ in wanted
        )
    assert labelled > 20
    assert found / labelled >= 0.8
