"""The same picture, or the next frame, on both sides of a split is found; what only looks alike is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from hcawatch.cli import app
from models.duplicates import Entry, Reason, described, not_near, pairs, why_near
from models.errors import DataUnusable
from models.eval.dataset import read_set, splits_of
from models.fingerprint import fingerprint
from tests.doubles.sites import scene, write_set


@pytest.fixture
def crossing(tmp_path: Path) -> Path:
    """Eight sites in training, four others in validation; one training site is there again, mirrored, another moved on."""
    train = {f"a_{k}": (scene(k), "") for k in range(8)}
    val = {f"a_{k}": (scene(k), "") for k in range(20, 24)}
    val["a_mirrored"] = (np.ascontiguousarray(scene(3)[:, ::-1]), "")
    val["a_moved"] = (scene(5, shift_px=80), "")
    return write_set(tmp_path, {"train": train, "val": val})


def _entries(data: Path) -> list[Entry]:
    return [e for split in splits_of(data) for e in described(read_set(data, split).pictures, split)]


def test_twins_across_splits_are_found_and_nothing_else(crossing: Path) -> None:
    """A mirrored copy is told by its hash, a view of the same site some metres on by its corner points."""
    found = [(p.a.print.path.stem, p.b.print.path.stem, p.reason) for p in pairs(_entries(crossing))]
    assert found == [("a_3", "a_mirrored", Reason.HASH), ("a_5", "a_moved", Reason.SCENE)]


def test_another_quality_and_size_is_still_the_same_picture(tmp_path: Path) -> None:
    """A picture saved again, smaller and worse, differs in few bits."""
    cv2.imwrite(str(tmp_path / "a.png"), scene(1))
    cv2.imwrite(str(tmp_path / "b.jpg"), cv2.resize(scene(1), (200, 150)), [cv2.IMWRITE_JPEG_QUALITY, 20])
    a, b = (Entry(print=fingerprint(tmp_path / n), split=n, source="x") for n in ("a.png", "b.jpg"))
    (pair,) = pairs([a, b])
    assert (pair.crosses, pair.reason) == (True, Reason.HASH)
    assert pair.distance <= 6


@pytest.mark.parametrize(
    ("distance", "likeness", "corners", "one_source", "reason"),
    [
        (10, 0.75, 0, True, Reason.HASH),
        (11, 0.99, 0, True, None),
        (10, 0.74, 0, True, None),
        (40, 0.0, 13, True, Reason.SCENE),
        (40, 0.0, 12, True, None),
        (40, 0.0, 19, False, None),
        (40, 0.0, 20, False, Reason.SCENE),
    ],
)
def test_limits_of_near(
    distance: int, likeness: float, corners: int, one_source: bool, reason: Reason | None
) -> None:
    """A hash needs the thumbnails beside it; corners suffice, and between sources it takes more of them."""
    assert why_near(distance, likeness, corners, one_source=one_source) is reason


def test_training_loses_what_is_near_a_held_out_picture(crossing: Path) -> None:
    """Exactly the two twins go, each with the pair that tells why."""
    train, val = read_set(crossing, "train").pictures, read_set(crossing, "val").pictures
    kept, why = not_near(train, val)
    assert [p.path.stem for p in train if p not in kept] == ["a_3", "a_5"]
    assert {(p.a.print.path.stem, p.b.print.path.stem) for p in why} == {
        ("a_3", "a_mirrored"),
        ("a_5", "a_moved"),
    }
    assert not_near(train, ()) == (train, ())


def test_command_fails_on_crossing_pairs_and_shows_them(crossing: Path, tmp_path: Path) -> None:
    """Exit 1, a line a pair with split and distance, one JSON object, and a sheet in both languages."""
    sheet = tmp_path / "sheet"
    result = CliRunner().invoke(app, ["models", "duplicates", str(crossing), "--html", str(sheet)])
    assert result.exit_code == 1
    assert "a_3.jpg (train, a) = a_mirrored.jpg (val, a): hash, distance" in result.stdout
    assert "14 pictures: 2 pairs cross splits, 0 lie within one" in result.stdout
    english, chinese = ((sheet / name).read_text("utf-8") for name in ("index.html", "index.zh.html"))
    assert "2 pairs cross splits" in english
    assert "跨数据划分的图片对 2 个" in chinese
    assert (sheet / "crossing-001.jpg").is_file()
    table = json.loads(CliRunner().invoke(app, ["models", "duplicates", str(crossing), "--json"]).stdout)
    assert (table["pictures"], table["crossing"], len(table["pairs"])) == (14, 2, 2)


def test_held_out_pictures_count_as_a_split(tmp_path: Path) -> None:
    """Within training a twin is only told; with one of the two held out it is a fault."""
    data = write_set(tmp_path, {"train": {"a_0": (scene(0), ""), "a_1": (scene(0, machine_px=90), "")}})
    plain = CliRunner().invoke(app, ["models", "duplicates", str(data)])
    assert (plain.exit_code, "0 pairs cross splits, 1 lie within" in plain.stdout) == (0, True)
    (tmp_path / "held.yaml").write_text("pictures: [a_1]")
    held = CliRunner().invoke(
        app, ["models", "duplicates", str(data), "--held-out", str(tmp_path / "held.yaml")]
    )
    assert (held.exit_code, "(held-out, a)" in held.stdout) == (1, True)


@pytest.mark.parametrize("shape", [(1, 1), (2, 900), (900, 2), (5, 3000)])
def test_a_strip_is_a_picture_too(tmp_path: Path, shape: tuple[int, int]) -> None:
    """One banner among a thousand pictures must not end the search for twins."""
    cv2.imwrite(str(tmp_path / "strip.png"), np.full((*shape, 3), 90, np.uint8))
    assert len(fingerprint(tmp_path / "strip.png").corners) == 0


def test_a_broken_picture_is_told(tmp_path: Path) -> None:
    """A file that is no picture is named, not skipped: it might be the twin."""
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(DataUnusable, match=r"a\.jpg"):
        fingerprint(tmp_path / "a.jpg")
