"""Our own test split: whole scenes, every class, the same list for the same seed, and nothing of it in training."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hcawatch.cli import app
from models.errors import DataUnusable
from models.eval.dataset import read_set
from models.eval.held_out import choose, hold_out, narrowed, only, read_held_out, scenes, without
from models.fingerprint import fingerprint
from tests.doubles.sites import scene, write_set

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data" / "data.yaml"
OURS = ROOT / "models" / "training" / "held-out.yaml"
PERSON, EXCAVATOR = "0 0.5 0.5 0.1 0.1\n", "1 0.5 0.5 0.1 0.1\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """24 sites with a person, one of them with four more frames; an excavator on two sites only."""
    train = {
        f"cam_{site:02d}_{frame}": (
            scene(site, machine_px=20 + 30 * frame), PERSON + (EXCAVATOR if site in (7, 9) else "")
        )
        for site in range(24)
        for frame in range(5 if site == 4 else 1)
    }  # fmt: skip
    return write_set(tmp_path, {"train": train})


def test_frames_of_one_scene_stay_together(data: Path) -> None:
    """Over many seeds, the five frames of one camera are all held out or all trained on, and both happen."""
    labelled = read_set(data, "train")
    groups = scenes([fingerprint(picture.path) for picture in labelled.pictures])
    drawn = [choose(labelled.pictures, groups, share=0.6, seed=seed) for seed in range(20)]
    assert {sum(stem.startswith("cam_04") for stem in stems) for stems in drawn} == {0, 5}


def test_every_class_is_held_out_and_still_trained(data: Path) -> None:
    """A class on two of 24 sites is on both sides, about the wanted share of pictures is held out."""
    labelled = read_set(data, "train")
    stems, count = hold_out(labelled, share=0.25, seed=1)
    held, rest = only(labelled, stems).pictures, without(labelled.pictures, stems)
    for side in (held, rest):
        assert {name for picture in side for name in picture.class_names} == {"person", "excavator"}
    assert 5 <= len(held) <= 8
    assert len(held) + len(rest) == 28
    assert count <= len(held)


def test_names_that_tell_no_source_are_held_out_like_others(tmp_path: Path) -> None:
    """A site's 0001.jpg, 0002.jpg, …: about the share of them, whole scenes, not all of them."""
    train = {
        f"{5 * site + frame:04d}": (scene(site, machine_px=20 + 30 * frame), PERSON)
        for site in range(12)
        for frame in range(2)
    }
    labelled = read_set(write_set(tmp_path, {"train": train}), "train")
    stems, count = hold_out(labelled, share=0.25, seed=1)
    assert 4 <= len(stems) <= 8
    assert count == len(stems) / 2


def test_the_command_writes_the_same_list_for_the_same_seed(data: Path, tmp_path: Path) -> None:
    """The file says how it was made and is read back as the names it lists."""
    for name in ("a.yaml", "b.yaml"):
        result = CliRunner().invoke(
            app, ["models", "hold-out", "--data", str(data), "--share", "0.2", "--out", str(tmp_path / name)],
            catch_exceptions=False,
        )  # fmt: skip
        assert result.exit_code == 0
    assert (tmp_path / "a.yaml").read_text() == (tmp_path / "b.yaml").read_text()
    assert (
        "made_by: hcawatch models hold-out --split train --share 0.2 --seed 20261125"
        in (tmp_path / "a.yaml").read_text()
    )
    stems = {p.path.stem for p in read_set(data, "train").pictures}
    assert set(read_held_out(tmp_path / "a.yaml")) <= stems


@pytest.mark.parametrize("text", ["", "pictures: []", "pictures: [1]", "- a", "{"])
def test_what_is_no_list_is_told(tmp_path: Path, text: str) -> None:
    """An empty list would silently measure nothing, or train on everything."""
    (tmp_path / "held.yaml").write_text(text)
    with pytest.raises(DataUnusable, match=r"held\.yaml"):
        read_held_out(tmp_path / "held.yaml")


def test_a_list_narrows_a_set_and_must_fit_it(data: Path, tmp_path: Path) -> None:
    """Only the named pictures are measured; a list of another set's names is told, not measured on less."""
    labelled = read_set(data, "train")
    (tmp_path / "held.yaml").write_text("pictures: [cam_04_1, cam_07_0]")
    assert [p.path.stem for p in narrowed(labelled, tmp_path / "held.yaml").pictures] == [
        "cam_04_1",
        "cam_07_0",
    ]
    assert narrowed(labelled, None) is labelled
    (tmp_path / "held.yaml").write_text("pictures: [cam_04_1, other]")
    with pytest.raises(DataUnusable, match="'other'"):
        narrowed(labelled, tmp_path / "held.yaml")


@pytest.mark.data
def test_our_list_is_of_the_training_pictures_and_holds_every_class() -> None:
    """About an eighth of the shared training split, each of the nine classes, no name of the validation split."""
    train, val = read_set(DATA, "train"), read_set(DATA, "val")
    stems = set(read_held_out(OURS))
    held = only(train, stems)
    assert len(held.pictures) == len(stems) == 245
    assert {name for picture in held.pictures for name in picture.class_names} == set(train.classes)
    assert not stems & {p.path.stem for p in val.pictures}
