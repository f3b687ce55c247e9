"""What a training gets to see: recipes that are right, labels that are ours, and what nobody labelled."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from hcawatch.cli import app
from models.errors import DataUnusable, TrainingFailed
from models.eval.dataset import read_labels, read_set
from models.training import weather
from models.training.coco import read_coco
from models.training.prepare import prepare
from models.training.recipe import read_recipe
from models.training.start import start
from models.training.worker import hold

REPOSITORY = Path(__file__).parents[3]
CLASSES = ["excavator", "person"]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe over two YOLO pictures (css24 and another), one of COCO's form and one negative, with two rendered ones."""
    for folder in ("yolo/images/train", "yolo/labels/train", "coco/pictures", "streets"):
        (tmp_path / folder).mkdir(parents=True)
    for name in (
        "yolo/images/train/css24_a.jpg",
        "yolo/images/train/b.jpg",
        "coco/pictures/a.jpg",
        "streets/x.jpg",
    ):
        cv2.imwrite(str(tmp_path / name), np.full((60, 80, 3), 114, np.uint8))
    (tmp_path / "yolo/labels/train/css24_a.txt").write_text("1 0.5 0.5 0.5 0.5\n0 0.2 0.2 0.1 0.1\n")
    (tmp_path / "yolo/data.yaml").write_text(
        yaml.safe_dump({"train": "images/train", "names": ["truck", "excavator", "person"]})
    )
    (tmp_path / "coco/labels.json").write_text(json.dumps({
        "categories": [{"id": 7, "name": "person"}], "images": [{"id": 3, "file_name": "a.jpg", "width": 80, "height": 60}],
        "annotations": [
            {"image_id": 3, "category_id": 7, "bbox": [8, 6, 16, 30]},
            {"image_id": 3, "category_id": 7, "bbox": [0, 0, 80, 60], "iscrowd": 1},
        ],
    }))  # fmt: skip
    (tmp_path / "start.pt").write_bytes(b"weights")
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({
        "name": "tiny", "start": "start.pt", "classes": CLASSES, "rendered": 2, "hard_negatives": ["streets"],
        "sources": [{"data": "yolo/data.yaml"}, {"coco": "coco/labels.json", "images": "coco/pictures"}],
    }))  # fmt: skip
    return path


def test_a_folder_is_made_ready(recipe: Path, tmp_path: Path) -> None:
    """Labels get the recipe's numbers, a class that isn't trained is left out, and each picture says what is known."""
    out = tmp_path / "out"
    plan = prepare(read_recipe(recipe), out)
    known = plan["known"]
    assert known["0-css24_a.jpg"] == [0, 1]  # our own table: css24 labels both in full
    assert known["0-b.jpg"] == [0, 1]  # an unknown source without a table
    assert known["1-a.jpg"] == [1]  # COCO's file knows persons only
    assert [known[name] for name in known if name.startswith("n")] == [[0, 1]]
    assert known["r00000.jpg"] == [0, 1]
    assert read_labels(out / "labels/0-css24_a.txt", tuple(CLASSES))[0] == ("excavator",)
    names, boxes = read_labels(out / "labels/1-a.txt", tuple(CLASSES))
    assert names == ("person",)
    assert boxes[0] == pytest.approx([0.1, 0.1, 0.3, 0.6], abs=1e-5)
    assert len(read_set(out / "data.yaml", "train").pictures) == plan["pictures"] == 6
    assert len(read_set(out / "data.yaml", "val").pictures) == 6
    assert not list((tmp_path / "yolo").rglob("*.cache"))


def test_preparing_twice_is_the_same(recipe: Path, tmp_path: Path) -> None:
    """A run that was cut off finds the same pictures and the same plan."""
    read = read_recipe(recipe)
    first = prepare(read, tmp_path / "out")
    before = (tmp_path / "out/images/r00000.jpg").read_bytes()
    assert prepare(read, tmp_path / "out") == first
    assert (tmp_path / "out/images/r00000.jpg").read_bytes() == before


def _changed(recipe: Path, **changes: object) -> Path:
    recipe.write_text(yaml.safe_dump(yaml.safe_load(recipe.read_text()) | changes))
    return recipe


def test_two_cameras_with_the_same_file_names_are_both_learnt(recipe: Path, tmp_path: Path) -> None:
    """Each picture keeps its own labels: by camera's folder, and where only the ending differs."""
    root = tmp_path / "yolo"
    for name, label in (("north/0001.jpg", "1"), ("south/0001.jpg", "2"), ("south/0001.png", "")):
        for kind in ("images", "labels"):
            (root / kind / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / "images/train" / name), np.full((60, 80, 3), 90, np.uint8))
        text = f"{label} 0.5 0.5 0.5 0.5\n" if label else ""
        if text:
            (root / "labels/train" / name).with_suffix(".txt").write_text(text)
    (root / "images/train/south/0001.png").rename(root / "images/train/0001.png")
    plan = prepare(read_recipe(recipe), tmp_path / "out")
    assert plan["pictures"] == 9
    found = {
        p.path.resolve().relative_to(root / "images/train").as_posix(): p.class_names
        for p in read_set(tmp_path / "out/data.yaml", "train").pictures
        if p.path.name.startswith("0-0001")
    }
    assert found == {"0001.png": (), "north/0001.jpg": ("excavator",), "south/0001.jpg": ("person",)}


def test_what_a_recipe_no_longer_names_is_not_trained(recipe: Path, tmp_path: Path) -> None:
    """The trainer reads the whole folder: what an earlier call left there must go, what a person put there stays."""
    out = tmp_path / "out"
    prepare(read_recipe(recipe), out)
    (out / "labels.cache").write_bytes(b"labels of the same size")
    cv2.imwrite(str(out / "images/mine.jpg"), np.zeros((6, 8, 3), np.uint8))
    plan = prepare(read_recipe(_changed(recipe, rendered=1, hard_negatives=[])), out)
    assert {p.name for p in (out / "images").iterdir()} == {*plan["known"], "mine.jpg"}
    assert {p.stem for p in (out / "labels").iterdir()} == {Path(name).stem for name in plan["known"]}
    assert not (out / "labels.cache").exists()


def test_a_class_that_no_source_has_is_told(recipe: Path, tmp_path: Path) -> None:
    """A misspelt class loses all its labels: that is said before days of training, not after."""
    _changed(recipe, classes=["excavater", "person"], rendered=0)
    command = [
        "models",
        "train",
        str(recipe),
        "--folder",
        str(tmp_path / "out"),
        "--python",
        "/nowhere/python",
    ]
    said = CliRunner().invoke(app, command).stderr
    assert "no picture has a label of: excavater" in said


def test_a_folder_in_which_a_training_runs_is_left_alone(recipe: Path, tmp_path: Path) -> None:
    """Who ended the command but not its training, and calls it again, would have two of them write one checkpoint."""
    out = tmp_path / "out"
    prepare(read_recipe(recipe), out)
    with hold(out):
        with pytest.raises(DataUnusable, match="runs in"):
            prepare(read_recipe(recipe), out)
        with pytest.raises(RuntimeError, match="runs in"):
            hold(out)
    prepare(read_recipe(recipe), out)


@pytest.mark.parametrize("begun", ["finished.pt", "run/weights/last.pt"])
def test_another_recipes_training_is_not_taken_for_this_ones(
    recipe: Path, tmp_path: Path, begun: str
) -> None:
    """Twice the epochs and the same command would end at once with the old weights and a card that says the new."""
    out = tmp_path / "out"
    prepare(read_recipe(recipe), out)
    (out / begun).parent.mkdir(parents=True, exist_ok=True)
    (out / begun).write_bytes(b"trained")
    before = sorted(out.rglob("*"))
    for changes, said in (({"epochs": 40}, "epochs"), ({"epochs": 20, "hard_negatives": []}, "pictures")):
        with pytest.raises(DataUnusable, match=said):
            prepare(read_recipe(_changed(recipe, **changes)), out)
        assert sorted(out.rglob("*")) == before
    prepare(read_recipe(_changed(recipe, hard_negatives=["streets"], epochs=20, threads=2, batch=4)), out)


def test_paths_count_from_the_recipe(recipe: Path) -> None:
    """A recipe works from whatever folder the command is called in."""
    assert read_recipe(recipe).start == recipe.parent / "start.pt"
    recipe.write_text(recipe.read_text().replace("start.pt", "yolov8n.yaml"))
    assert read_recipe(recipe).start == Path("yolov8n.yaml")  # Ultralytics' own


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epoch": 3}, "epoch"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": 1.5}, "epochs"),
        ({"weather": "much"}, "weather"),
        ({"input_px": 400}, "32"),
        ({"classes": "person"}, "classes"),
        ({"sources": [{"coco": "x.json"}]}, "images"),
        ({"sources": [{"data": "x.yaml", "splits": "a"}]}, "splits"),
    ],
)
def test_a_wrong_recipe_names_its_key(recipe: Path, changes: dict[str, object], said: str) -> None:
    """A slip in a recipe is told before anything runs for hours."""
    recipe.write_text(yaml.safe_dump(yaml.safe_load(recipe.read_text()) | changes))
    with pytest.raises(DataUnusable, match=said):
        read_recipe(recipe)


@pytest.mark.parametrize("key", ["name", "start", "classes", "sources"])
def test_a_recipe_that_lacks_a_key_names_it(recipe: Path, key: str) -> None:
    """The four keys without a default are asked for."""
    raw = yaml.safe_load(recipe.read_text())
    del raw[key]
    recipe.write_text(yaml.safe_dump(raw))
    with pytest.raises(DataUnusable, match=key):
        read_recipe(recipe)


def test_a_missing_start_is_told(recipe: Path, tmp_path: Path) -> None:
    """No checkpoint, no training, and the path is named."""
    (tmp_path / "start.pt").unlink()
    with pytest.raises(DataUnusable, match=r"start\.pt"):
        prepare(read_recipe(recipe), tmp_path / "out")


def test_broken_coco_is_told(tmp_path: Path) -> None:
    """A file of another form, and a picture that is missing, are errors of ours."""
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(DataUnusable, match="COCO"):
        read_coco(tmp_path / "a.json", tmp_path)
    (tmp_path / "a.json").write_text(json.dumps({
        "categories": [], "annotations": [], "images": [{"id": 1, "file_name": "gone.jpg", "width": 1, "height": 1}],
    }))  # fmt: skip
    with pytest.raises(DataUnusable, match=r"gone\.jpg"):
        read_coco(tmp_path / "a.json", tmp_path)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("shape", [(40, 60, 3), (3, 5, 3)])
def test_weather_keeps_a_picture_a_picture(seed: int, shape: tuple[int, int, int]) -> None:
    """Same size and type, changed by a lot at times, and the same for the same seed."""
    picture = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    got = weather.degrade(picture, np.random.default_rng(seed))
    assert (got.shape, got.dtype) == (shape, np.uint8)
    assert (got == weather.degrade(picture, np.random.default_rng(seed))).all()
    assert (got != picture).any()


def test_night_is_darker_and_haze_is_flatter() -> None:
    """Each effect does what it is named after."""
    picture = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    rng = np.random.default_rng(2)
    assert weather.night(picture, rng).mean() < 0.6 * picture.mean()
    assert weather.haze(picture, rng).std() < 0.9 * picture.std()


def test_a_python_without_the_libraries_is_told(recipe: Path, tmp_path: Path) -> None:
    """The command names what is missing and how to get it."""
    prepare(read_recipe(recipe), tmp_path / "out")
    with pytest.raises(TrainingFailed, match="no Python that runs"):
        start(tmp_path / "out", str(tmp_path / "nowhere"))
    result = CliRunner().invoke(app, ["models", "train", str(recipe), "--folder", str(tmp_path / "out")])
    if isinstance(result.exception, TrainingFailed):
        assert "ultralytics" in str(result.exception)
        assert "--python" in str(result.exception)


def test_a_training_that_ends_badly_is_told(recipe: Path, tmp_path: Path) -> None:
    """The status is handed on, and that the command may be given again."""
    prepare(read_recipe(recipe), tmp_path / "out")
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec {sys.executable} -c "print()"\nexit 3\n')
    fake.chmod(0o755)
    with pytest.raises(TrainingFailed, match="status 3"):
        start(tmp_path / "out", str(fake))


def test_the_example_recipe_is_right() -> None:
    """The recipe that the help names can be read as it stands."""
    read = read_recipe(REPOSITORY / "models" / "training" / "recipe.yaml")
    assert read.classes[1] == "excavator"
