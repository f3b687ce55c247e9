"""From a folder of labelled pictures to figures and a report; what is wrong with a data set is said."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from hcawatch.cli import app
from models import registry
from models.errors import DataUnusable
from models.eval.dataset import DEFAULT_EXHAUSTIVE, label_path, read_labels, read_set
from models.eval.texts import LANGUAGES, TEXTS

DATA = Path(__file__).parents[4] / "shared" / "data"
CLASSES = ("person", "excavator")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data.yaml with three grey pictures: css24_a labelled with one excavator, css24_b with nothing, other with a person."""
    for folder in ("images/val", "labels/val"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("css24_a.jpg", "css24_b.jpg", "other.png"):
        cv2.imwrite(str(tmp_path / "images/val" / name), np.full((60, 80, 3), 114, np.uint8))
    (tmp_path / "labels/val/css24_a.txt").write_text("1 0.5 0.5 0.5 0.5\n")
    (tmp_path / "labels/val/other.txt").write_text("0 0.1 0.1 0.1 0.1 0.3 0.1 0.3 0.5 0.1 0.5\n")
    path = tmp_path / "data.yaml"
    path.write_text(yaml.safe_dump({"path": ".", "val": "images/val", "names": dict(enumerate(CLASSES))}))
    return path


def _rewrite(data: Path, **changes: object) -> None:
    data.write_text(yaml.safe_dump(yaml.safe_load(data.read_text()) | changes))


def test_labels_lie_beside_their_pictures(data: Path) -> None:
    """Boxes come as shares of the picture, outlines as the box around them, no file as nothing."""
    a, b, other = read_set(data).pictures
    assert (a.class_names, a.xyxy_share.tolist()) == (("excavator",), [[0.25, 0.25, 0.75, 0.75]])
    assert (b.class_names, b.xyxy_share.shape) == ((), (0, 4))
    assert other.class_names == ("person",)
    assert other.xyxy_share[0].tolist() == pytest.approx([0.1, 0.1, 0.3, 0.5])
    assert label_path(Path("images/x/images/v/a.b.jpg")) == Path("images/x/labels/v/a.b.txt")


def test_our_own_table_counts_for_our_sources_only(data: Path) -> None:
    """Without a key in the data.yaml a known source has our classes, and any other is labelled in full."""
    table = yaml.safe_load(DEFAULT_EXHAUSTIVE.read_text())
    a, _, other = read_set(data).pictures
    assert (a.source, a.exhaustive) == ("css24", frozenset(table["css24"]) & set(CLASSES))
    assert (other.source, other.exhaustive) == ("", frozenset(CLASSES))


def test_the_data_yaml_overrules_our_table_and_a_file_overrules_both(data: Path, tmp_path: Path) -> None:
    """Classes by name or number; of two beginnings the longer counts; who is not named is scored for nothing."""
    _rewrite(data, exhaustive={"css24": ["person"], "css24_b": [1]})
    a, b, other = read_set(data).pictures
    assert (a.exhaustive, b.exhaustive, other.exhaustive) == ({"person"}, {"excavator"}, frozenset())
    (tmp_path / "own.yaml").write_text('{"": [person]}')
    assert {p.exhaustive for p in read_set(data, exhaustive=tmp_path / "own.yaml").pictures} == {
        frozenset({"person"})
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"names": {1: "person"}}, "names"),
        ({"val": "nowhere"}, "nowhere"),
        ({"val": "labels/val"}, "no pictures"),
        ({"exhaustive": {"css24": ["digger"]}}, "digger"),
        ({"exhaustive": ["css24"]}, "exhaustive"),
    ],
)
def test_a_data_yaml_that_is_wrong_is_told(data: Path, changes: dict[str, object], said: str) -> None:
    """The error names the file and what to mend."""
    _rewrite(data, **changes)
    with pytest.raises(DataUnusable, match=said) as told:
        read_set(data)
    assert str(data) in str(told.value)


@pytest.mark.parametrize("text", ["", "- a", "{", "\x00"])
def test_what_is_no_data_yaml_is_told(tmp_path: Path, text: str) -> None:
    """Whatever the file holds, the answer is an error of ours."""
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DataUnusable):
        read_set(tmp_path / "data.yaml")


@pytest.mark.parametrize(
    "line", ["2 0.5 0.5 0.1 0.1", "-1 0.5 0.5 0.1 0.1", "0 0.5 0.5 0.1", "0 0.5 0.5 0 0.1", "0 a b c d", "0.5 0 0 1 1", "0 nan 0.5 1 1"]
)  # fmt: skip
def test_a_broken_label_is_told_with_its_line(tmp_path: Path, line: str) -> None:
    """A label that is silently skipped would make the detector look better than it is."""
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n" + line)
    with pytest.raises(DataUnusable, match="line 2"):
        read_labels(tmp_path / "a.txt", CLASSES)


def test_command_prints_one_object_and_writes_the_report(data: Path, tmp_path: Path) -> None:
    """The last line is JSON with a row a class; both pages hold all figures and show the missed machine."""
    report = tmp_path / "report"
    result = CliRunner().invoke(
        app, ["models", "eval", "--data", str(data), "--html", str(report), "--json"], catch_exceptions=False
    )
    table = json.loads(result.stdout.splitlines()[-1])
    assert set(table) >= {"map50", "map", "ece", "classes", "model", "long_side_px"}
    excavator = table["classes"]["excavator"]
    assert (excavator["images"], excavator["boxes"], excavator["recall"]) == (3, 1, 0.0)
    assert (table["classes"]["person"]["images"], table["classes"]["person"]["boxes"]) == (3, 1)
    assert (
        table["long_side_px"]
        == registry.read_card(registry.WEIGHTS_ROOT / registry.DEFAULT_NAME).long_side_px
    )
    english, chinese = ((report / name).read_text("utf-8") for name in ("index.html", "index.zh.html"))
    assert "css24_a.jpg: 1 missed, 0 false" in english
    assert "css24_a.jpg: 漏检 1，误检 0" in chinese
    assert "挖掘机" in chinese
    for page in (english, chinese):
        assert all((report / name).is_file() for name in re.findall(r'(?:src|href)="([^"]+)"', page))


def test_command_measures_only_the_listed_pictures(data: Path, tmp_path: Path) -> None:
    """With a list of two names two pictures are looked at, and every figure has its boxes and its interval."""
    (tmp_path / "held.yaml").write_text("pictures: [css24_a, other]")
    result = CliRunner().invoke(
        app, ["models", "eval", "--data", str(data), "--only", str(tmp_path / "held.yaml"), "--json"],
        catch_exceptions=False,
    )  # fmt: skip
    table = json.loads(result.stdout.splitlines()[-1])
    assert (table["images"], table["boxes"]) == (2, 2)
    assert set(table) >= {"map50_interval", "map50_six", "map50_six_interval", "ece_interval"}
    row = table["classes"]["excavator"]
    for key in ("map50", "map", "recall_at_p90", "precision", "recall", "ece"):
        assert {key, f"{key}_interval", "boxes", "found"} <= set(row)
    assert all({"boxes", "map50", "map50_interval"} == set(part) for part in row["parts"].values())


def test_command_says_what_is_missing(tmp_path: Path) -> None:
    """A data.yaml that isn't there is one error of ours, with its path."""
    result = CliRunner().invoke(app, ["models", "eval", "--data", str(tmp_path / "data.yaml")])
    assert isinstance(result.exception, DataUnusable)


def test_every_text_is_there_in_both_languages() -> None:
    """No word of the report is left untranslated, and both fill in the same values."""
    for key, texts in TEXTS.items():
        assert set(texts) == set(LANGUAGES), key
        fields = [sorted(re.findall(r"{(\w+)}", texts[language])) for language in LANGUAGES]
        assert fields[0] == fields[1], key


@pytest.mark.data
def test_shipped_figures_are_what_the_command_measures() -> None:
    """The card's figures on the validation photographs come out again, to a hundredth."""
    result = CliRunner().invoke(
        app, ["models", "eval", "--data", str(DATA / "data.yaml"), "--json"], catch_exceptions=False
    )
    measured = json.loads(result.stdout.splitlines()[-1])
    card = registry.read_card(registry.WEIGHTS_ROOT / registry.DEFAULT_NAME)
    for name, figure in card.figures["validation_split"]["map50"].items():
        assert measured["classes"][name]["map50"] == pytest.approx(figure, abs=0.01), name
