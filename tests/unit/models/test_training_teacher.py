"""What a teacher may add to labels, and what training must never see."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from models.errors import DataUnusable
from models.eval.dataset import read_labels
from models.training.prepare import prepare
from models.training.recipe import read_recipe
from models.training.teacher import teach, unlabelled

CLASSES = ("person", "excavator", "car")


def _scene(number: int) -> np.ndarray:
    """Something that looks like no other number's picture."""
    coarse = np.random.default_rng(number).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Three pictures of a source that labels excavators alone, in a data.yaml that says so."""
    for folder in ("images/train", "labels/train"):
        (tmp_path / folder).mkdir(parents=True)
    for number, name in enumerate(("dig_1", "dig_2", "dig_3")):
        cv2.imwrite(str(tmp_path / f"images/train/{name}.jpg"), _scene(number))
        (tmp_path / f"labels/train/{name}.txt").write_text("1 0.5 0.5 0.4 0.4\n")
    data = {"train": "images/train", "names": list(CLASSES), "exhaustive": {"dig": ["excavator"]}}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(data))
    for name in ("start.pt", "teacher.pt"):
        (tmp_path / name).write_bytes(b"weights")
    (tmp_path / "held-out.yaml").write_text(yaml.safe_dump({"pictures": ["dig_2"]}))
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({
        "name": "tiny", "start": "start.pt", "classes": list(CLASSES), "sources": [{"data": "data.yaml"}],
        "held_out": "held-out.yaml", "teacher": "teacher.pt", "precision": "bf16", "freeze": 5,
    }))  # fmt: skip
    return path


def test_what_measures_is_not_learnt(recipe: Path, tmp_path: Path) -> None:
    """A held-out picture reaches neither the pictures nor the labels of a training."""
    plan = prepare(read_recipe(recipe), tmp_path / "out")
    assert sorted(plan["known"]) == ["0-dig_1.jpg", "0-dig_3.jpg"]
    assert sorted(p.name for p in (tmp_path / "out/images").iterdir()) == ["0-dig_1.jpg", "0-dig_3.jpg"]


def test_a_scene_that_measures_is_not_learnt_under_another_name(recipe: Path, tmp_path: Path) -> None:
    """The next frame of a measured scene would tell the answer: it is left out and counted."""
    (tmp_path / "site/images").mkdir(parents=True)
    frame = np.clip(_scene(2).astype(int) + 6, 0, 255).astype(np.uint8)  # dig_3, a little brighter
    cv2.imwrite(str(tmp_path / "site/images/elsewhere.jpg"), frame)
    (tmp_path / "site/data.yaml").write_text(yaml.safe_dump({"val": "images", "names": list(CLASSES)}))
    told = yaml.safe_load(recipe.read_text()) | {"apart_from": [{"data": "site/data.yaml", "split": "val"}]}
    recipe.write_text(yaml.safe_dump(told))
    plan = prepare(read_recipe(recipe), tmp_path / "out")
    assert sorted(plan["known"]) == ["0-dig_1.jpg"]
    assert plan["left_out"] == 2  # and the one that is held out


def test_the_teacher_adds_what_nobody_labelled(recipe: Path, tmp_path: Path) -> None:
    """A person is added, the machine that COCO calls a truck or a car is not, and doing it twice adds nothing twice."""
    out = tmp_path / "out"
    told = {
        "0-dig_1.jpg": [[0, 0.1, 0.1, 0.05, 0.1, 0.8], [2, 0.51, 0.5, 0.4, 0.42, 0.9]],
        "0-dig_3.jpg": [],
    }
    for _ in range(2):
        plan = prepare(read_recipe(recipe), out)
        (out / "taught.json").write_text(json.dumps(told))  # all pictures looked at: no network is needed
        assert teach(plan, out) == 1
    names, boxes = read_labels(out / "labels/0-dig_1.txt", CLASSES)
    assert names == ("excavator", "person")
    assert boxes[1] == pytest.approx([0.075, 0.05, 0.125, 0.15])
    assert plan["known"]["0-dig_1.jpg"] == [1]  # what the teacher doesn't see stays unknown


def test_what_was_taught_for_other_classes_is_forgotten(recipe: Path, tmp_path: Path) -> None:
    """Numbers of classes that moved would make cars of people; a longer training may keep it."""
    out = tmp_path / "out"
    prepare(read_recipe(recipe), out)
    for changes, kept in (({"epochs": 30}, True), ({"classes": ["excavator", "person", "car"]}, False)):
        (out / "taught.json").write_text("{}")
        recipe.write_text(yaml.safe_dump(yaml.safe_load(recipe.read_text()) | changes))
        prepare(read_recipe(recipe), out)
        assert (out / "taught.json").is_file() == kept


def test_a_missing_teacher_is_named_at_once(recipe: Path, tmp_path: Path) -> None:
    """Not after the pictures were prepared and the first hour is gone."""
    (tmp_path / "teacher.pt").unlink()
    with pytest.raises(DataUnusable, match=r"teacher\.pt.*no such checkpoint"):
        prepare(read_recipe(recipe), tmp_path / "out")


def test_specks_are_not_taught() -> None:
    """A box of less than a hundredth of the picture is a guess of the teacher's."""
    assert unlabelled([[0, 0.5, 0.5, 0.009, 0.03, 0.9], [0, 0.5, 0.5, 0.011, 0.03, 0.9]], []) == [
        [0, 0.5, 0.5, 0.011, 0.03, 0.9]
    ]


@pytest.mark.parametrize(
    ("key", "value"), [("precision", "fp16"), ("freeze", -1), ("teacher_score", 2), ("workers", 0.5)]
)
def test_a_wrong_key_is_named(recipe: Path, key: str, value: object) -> None:
    """A recipe that can't be meant is refused before hours are spent on it."""
    recipe.write_text(yaml.safe_dump(yaml.safe_load(recipe.read_text()) | {key: value}))
    with pytest.raises(DataUnusable, match=key):
        read_recipe(recipe)
