"""Our own pictures: cut-outs that convince, labels where the pixels changed, nothing of what measures, the same each time."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from models.eval.dataset import LabelledPicture, known_classes, label_path, read_labels, read_set
from models.training import cutouts, cutting, mixture, photographs, scenery
from models.training.colours import own_share
from models.training.photographs import Made

CLASSES = ("person", "excavator", "truck", "crane", "loader", "drill_rig", "fire", "smoke", "car")
RNG = np.random.default_rng(5)


def _street(seed: int) -> np.ndarray:
    """A sky over a grey road, 640 x 400, with two cars' worth of rows to tell the scale."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((400, 640, 3), np.float32)
    picture[:150] = (225, 205, 190)
    picture[150:] = (105, 112, 110)
    picture += cv2.GaussianBlur(rng.normal(0, 12, picture.shape).astype(np.float32), (0, 0), 1.2)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _with_machine(seed: int) -> np.ndarray:
    """The same with an orange shape on it, box (220, 190, 420, 330), hollow under its boom."""
    picture = _street(seed)
    outline = np.array(
        [(235, 330), (220, 260), (250, 190), (300, 190), (320, 260), (420, 268), (400, 330)], np.int32
    )
    cv2.fillPoly(picture, [outline], (20, 120, 235))
    return picture


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set with a training split of empty streets and one machine, and a validation split of its own."""
    tmp_path = tmp_path_factory.mktemp("data")
    for split in ("train", "val"):
        (tmp_path / "images" / split).mkdir(parents=True)
        (tmp_path / "labels" / split).mkdir(parents=True)
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"images/train/css24_{number}.png"), _street(number))
        cv2.imwrite(str(tmp_path / f"images/val/css24_v{number}.png"), _street(50 + number))
    cv2.imwrite(str(tmp_path / "images/train/kerou_m.png"), _with_machine(9))
    (tmp_path / "labels/train/kerou_m.txt").write_text("1 0.5 0.65 0.3125 0.35\n")
    cv2.imwrite(str(tmp_path / "images/val/kerou_v.png"), _with_machine(60))
    (tmp_path / "labels/val/kerou_v.txt").write_text("1 0.5 0.65 0.3125 0.35\n")
    path = tmp_path / "data.yaml"
    path.write_text(yaml.safe_dump({"train": "images/train", "val": "images/val", "names": list(CLASSES)}))
    return path


def _run(data: Path, out: Path, *more: str) -> list[dict[str, object]]:
    mixture.main([str(out), "--data", str(data), "--rendered", "2", "--cutouts", "2", "--seed", "3", *more])
    lines = [line for path in sorted(out.glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command makes of it: a site, a photograph with a rendered machine, two with cut-outs."""
    out = tmp_path_factory.mktemp("made")
    assert len(_run(data, out)) == 4
    return out


def test_the_command_makes_a_source_of_a_recipe(made: Path) -> None:
    """The folder reads like any set: labels of our classes, and what is known of each picture by its name."""
    read = read_set(made / "data.yaml", "train")
    assert read.classes == CLASSES
    by_name = {picture.path.name: picture for picture in read.pictures}
    site = next(p for name, p in by_name.items() if name.startswith("own-sites"))
    assert site.exhaustive == set(CLASSES)
    # A street of css24 says nothing about cranes, though one may have been put in.
    streets = [p for name, p in by_name.items() if "css24" in name]
    assert len(streets) == 3
    assert all(p.exhaustive == {"person", "excavator", "truck", "loader", "car"} for p in streets)
    assert all(p.class_names for p in streets)
    assert {"excavator"} == {n for p in by_name.values() if "cutouts" in p.path.name for n in p.class_names}
    same = read_set(made / "data.yaml", "train", made / "exhaustive.yaml")
    assert [p.exhaustive for p in same.pictures] == [p.exhaustive for p in read.pictures]


def test_every_picture_has_its_labels(made: Path) -> None:
    """A label file stands beside each picture, with boxes inside it."""
    for path in (made / "images").iterdir():
        assert label_path(path).is_file()
        _, boxes = read_labels(label_path(path), CLASSES)
        assert (boxes >= 0).all()
        assert (boxes <= 1).all()


def test_a_seed_gives_the_same_files(data: Path, made: Path, tmp_path: Path) -> None:
    """Another run agrees byte by byte."""
    _run(data, tmp_path)
    names = sorted(p.relative_to(made) for p in made.rglob("*") if p.is_file())
    assert len(names) == 4 + 4 + 3 + 3 + 2
    for name in names:
        assert (made / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_a_run_that_was_cut_off_goes_on(data: Path, made: Path) -> None:
    """What is finished is not made again; what isn't, or is wanted otherwise, is, and nothing old stays."""
    kept, again = made / "images/own-sites_00000.jpg", next((made / "images").glob("own-cutouts-*"))
    when, before = kept.stat().st_mtime_ns, again.read_bytes()
    (made / "cutouts.yaml").unlink()
    (made / "images/own-cutouts-css24_00009.jpg").write_bytes(b"half a picture")
    _run(data, made)
    assert kept.stat().st_mtime_ns == when
    assert again.read_bytes() == before
    assert len(list((made / "images").iterdir())) == 4


def test_empty_views_of_a_site_are_backgrounds_too(data: Path, tmp_path: Path) -> None:
    """A folder of photographs without machines takes both sorts, and knows its machines and nothing else."""
    (tmp_path / "views").mkdir()
    cv2.imwrite(str(tmp_path / "views/gate.png"), _street(77))
    held = {"pictures": ["css24_0", "css24_1", "css24_2"]}
    (tmp_path / "held-out.yaml").write_text(yaml.safe_dump(held))
    more = ("--leave-out", str(tmp_path / "held-out.yaml"), "--backgrounds", str(tmp_path / "views"))
    told = _run(data, tmp_path / "out", *more)
    assert [row["background"] for row in told] == ["gate.png"] * 3 + [None]
    views = [p for p in read_set(tmp_path / "out/data.yaml", "train").pictures if "other" in p.path.name]
    assert {p.exhaustive for p in views} == {photographs.MACHINES}


def test_pictures_without_a_source_keep_what_is_known_of_each(tmp_path: Path) -> None:
    """An empty view of a site knows no people; one that is labelled in full must not vouch for it, nor the other way."""
    bare = {"path": Path("x.jpg"), "class_names": (), "xyxy_share": np.zeros((0, 4)), "source": ""}
    grounds = [
        LabelledPicture(exhaustive=known, **bare) for known in (photographs.MACHINES, frozenset(CLASSES))
    ]
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    made = (
        Made(bgr=np.zeros((40, 60, 3), np.uint8), objects=(), background=ground, added=())
        for ground in (grounds[0], grounds[1], grounds[0])
    )
    told = mixture._sort(tmp_path, "photographs", 3, made, CLASSES, lambda what, done, of: None)
    table = {prefix: frozenset(names) for prefix, names in told["known"].items()}
    files = sorted((tmp_path / "images").iterdir(), key=lambda p: p.stem[-5:])
    assert [known_classes(p.name, table)[1] for p in files] == [
        photographs.MACHINES, frozenset(CLASSES), photographs.MACHINES
    ]  # fmt: skip


def test_nothing_that_measures_is_used(data: Path, tmp_path: Path) -> None:
    """No picture of the validation split, and none that is left out, is a background or gives a cut-out."""
    (tmp_path / "held-out.yaml").write_text(yaml.safe_dump({"pictures": ["css24_1", "css24_2"]}))
    opened: list[str] = []
    real = cv2.imread

    def watched(path: str, *flags: int) -> object:
        opened.append(Path(path).stem)
        return real(path, *flags)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cv2, "imread", watched)
        told = _run(data, tmp_path / "out", "--leave-out", str(tmp_path / "held-out.yaml"))
    assert set(opened) == {"css24_0", "kerou_m"}
    assert {row["background"] for row in told} <= {"css24_0.png", None}


def _changed(made: Made, background: LabelledPicture) -> np.ndarray:
    """Where a made picture differs from its background."""
    before = photographs.read(background).astype(int)
    return np.asarray(np.abs(made.bgr.astype(int) - before).max(axis=2) > 6)


@pytest.fixture
def uncompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures as they are before the camera's noise and blocks, so that every change is ours."""
    monkeypatch.setattr(
        photographs, "finished", lambda picture, noise, rng: np.clip(picture, 0, 255).astype(np.uint8)
    )


def _backgrounds(data: Path) -> tuple[LabelledPicture, ...]:
    return tuple(p for p in read_set(data, "train").pictures if not p.class_names)


@pytest.mark.usefixtures("uncompressed")
def test_labels_of_rendered_machines_lie_where_pixels_changed(data: Path) -> None:
    """In a photograph every new box has changes, and above the boxes nothing is changed: shadows lie on the ground."""
    made = list(
        scenery.on_photographs(3, 1, photographs.usable(photographs.without_machines(_backgrounds(data))))
    )
    assert len(made) >= 2
    for one in made:
        assert one.background is not None
        changed = _changed(one, one.background)
        for k in one.added:
            x0, y0, x1, y1 = (round(v) for v in one.objects[k][1])
            assert changed[y0:y1, x0:x1].mean() > 0.05
        highest = min(one.objects[k][1][1] for k in one.added)
        assert not changed[: max(0, int(highest) - 2)].any()


@pytest.mark.usefixtures("uncompressed")
def test_cut_outs_are_labelled_where_they_are(data: Path) -> None:
    """What differs from the background lies in the labelled boxes, but for the shadow at the foot."""
    pictures = read_set(data, "train").pictures
    found = cutouts.cut_all(pictures, frozenset(CLASSES), 1)
    assert [c.class_name for c in found] == ["excavator"]
    made = list(cutouts.pasted(8, 2, found, _backgrounds(data)))
    assert len(made) >= 4
    for one in made:
        assert one.background is not None
        changed = _changed(one, one.background)
        assert changed.any()
        for k in one.added:
            x0, y0, x1, y1 = (round(v) for v in one.objects[k][1])
            assert changed[y0:y1, x0:x1].mean() > 0.2
            # The shadow lies around its foot.
            wide = (x1 - x0) // 4 + 8
            changed[max(0, y0 - 2) : y1 + 2, max(0, x0 - 2) : x1 + 2] = False
            changed[y1 - wide : y1 + wide, max(0, x0 - wide) : x1 + wide] = False
        assert not changed.any()


def test_a_cut_out_leaves_out_what_lies_under_a_boom() -> None:
    """The mask follows the shape: the corner of the box that shows the road is not in it."""
    found = cutting.cut(_with_machine(1), (220, 190, 420, 331), "excavator")
    assert found is not None
    bgr, alpha = found
    height, width = alpha.shape
    assert alpha[: height // 3, width * 2 // 3 :].mean() < 0.1  # above the low part: road and sky
    assert alpha[height * 2 // 3 :].mean() > 0.8
    assert bgr[alpha > 0.9].mean(axis=0)[2] > 200  # orange all over


def test_a_class_goes_only_where_it_is_known_to_be_absent(data: Path) -> None:
    """Not into a picture that holds one, and not into a source that doesn't label it."""
    by_name = {p.path.stem: p for p in read_set(data, "train").pictures}
    assert cutouts.may_hold("excavator", by_name["css24_0"])
    assert not cutouts.may_hold("crane", by_name["css24_0"])
    assert not cutouts.may_hold("excavator", by_name["kerou_m"])
    assert cutouts.may_hold("loader", by_name["kerou_m"])


def _mask(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((60, 60), dtype=np.bool_)
    mask[rows, columns] = True
    return mask


@pytest.mark.parametrize(
    ("rows", "columns", "found_px", "good"),
    [
        (slice(1, 59), slice(8, 50), 2436, False),  # does not span the width
        (slice(0, 60), slice(0, 60), 3600, False),  # the whole box: nothing was told apart
        (slice(0, 12), slice(0, 60), 720, False),  # a strip at the top
        (slice(2, 58), slice(2, 58), 3136, True),
        (slice(2, 58), slice(2, 58), 4200, False),  # a quarter lies in other pieces
    ],
)
def test_masks_that_do_not_convince_are_dropped(
    rows: slice, columns: slice, found_px: float, good: bool
) -> None:
    """Too full, too small, in pieces, or not reaching the box's sides."""
    assert cutting.convincing(_mask(rows, columns), found_px, cutting.KINDS["excavator"]) is good


def test_half_a_person_is_dropped() -> None:
    """Someone cut off at the waist by the picture is no one to put onto a road."""
    tall = np.zeros((120, 50), dtype=np.bool_)
    tall[1:119, 14:36] = True
    tall[30:60, 1:49] = True
    assert cutting.convincing(tall, float(tall.sum()), cutting.KINDS["person"])
    bust = tall.copy()
    bust[80:120, 1:49] = True
    assert not cutting.convincing(bust, float(bust.sum()), cutting.KINDS["person"])


def test_people_and_cars_tell_the_cameras_height() -> None:
    """From three cars at their true size under a camera 6 m up, height and horizon come out within a tenth."""
    height_m, horizon, labels = 6.0, 120.0, []
    for k, scale in enumerate((12.0, 24.0, 40.0)):  # pixels per metre
        foot = horizon + height_m * scale
        labels.append(("car", (50.0 + 150 * k, foot - 1.5 * scale, 110.0 + 150 * k, foot)))
    camera = photographs.perspective(tuple(labels), _street(1), RNG)
    assert camera is not None
    assert camera.position_enu_m[2] == pytest.approx(height_m, rel=0.1)
    assert photographs.horizon_px(camera) == pytest.approx(horizon, abs=4)


def test_indoors_nothing_is_put_in() -> None:
    """A picture without sky and without cars doesn't say where its ground is."""
    wall = np.full((400, 640, 3), (90, 110, 140), np.uint8)
    assert photographs.perspective((), wall, RNG) is None
    assert photographs.perspective((), _street(1), RNG) is not None


def test_the_sky_is_no_ground() -> None:
    """A foot on the road stands on ground, one before the sky does not."""
    ground = photographs.ground_share(_street(2), ())
    assert photographs.on_ground(ground, (100, 200, 160, 250))
    assert not photographs.on_ground(ground, (100, 20, 160, 80))


def test_a_colour_of_one_side_only_is_its_own() -> None:
    """Blue left, red right: each is wholly its side's; grey on both sides is half of each."""
    picture = np.full((40, 60, 3), 128, np.uint8)
    picture[:20, :30], picture[:20, 30:] = (220, 30, 20), (20, 30, 220)
    left = np.zeros((40, 60), dtype=np.bool_)
    left[:, :30] = True
    share = own_share(picture, left, ~left)
    assert share[5, 5] > 0.95
    assert share[5, 55] < 0.05
    assert share[35, 5] == pytest.approx(0.5, abs=0.05)
