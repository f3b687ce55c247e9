"""Weights are used only if they are the ones of their card; the shipped ones load and look."""

from __future__ import annotations

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import yaml

from models import registry
from models.boxes import fit
from models.detector import Detector
from models.errors import BackendUnknown, FrameUnusable, ModelRefused

SHIPPED = registry.WEIGHTS_ROOT / registry.DEFAULT_NAME
CARD_KEYS = ("name", "version", "sha256", "classes", "input", "trained_on", "licence", "figures", "cannot")


@pytest.fixture
def weights_dir(tmp_path: Path) -> Path:
    """A copy of the shipped weights that a test may spoil."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "copy"))


@pytest.fixture(scope="module")
def detector() -> Detector:
    """The shipped weights, loaded once."""
    return registry.load()


def test_the_shipped_detector_says_what_it_is(detector: Detector) -> None:
    """Name, hash and classes are the card's; the backend is named."""
    card = yaml.safe_load((SHIPPED / "card.yaml").read_text())
    assert isinstance(detector, Detector)
    assert (detector.info.name, detector.info.version) == (card["name"], card["version"])
    assert detector.info.sha256 == card["sha256"]
    assert detector.info.classes[:3] == ("person", "excavator", "truck")
    assert detector.info.backend == "onnxruntime"
    long_side_px = card["input"]["long_side_px"]
    assert detector.info.input_hw == fit((1080, 1920), long_side_px=long_side_px).input_hw


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (2000, 3), (720, 1280)])
def test_any_size_of_frame_can_be_looked_at(detector: Detector, shape: tuple[int, int]) -> None:
    """Boxes never leave the frame, whatever its shape, and come best first."""
    found = detector.detect(np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8))
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)
    for d in found:
        assert 0 <= d.xyxy[0] <= d.xyxy[2] <= shape[1]
        assert 0 <= d.xyxy[1] <= d.xyxy[3] <= shape[0]


def test_a_grey_frame_is_refused(detector: Detector) -> None:
    """A frame without colour channels raises an error of ours."""
    with pytest.raises(FrameUnusable):
        detector.detect(np.zeros((10, 10), np.uint8))


def test_a_frame_that_is_a_view_gives_the_same_boxes(detector: Detector) -> None:
    """Slices and flipped views, as decoders hand them out, are looked at like copies."""
    view = np.random.default_rng(1).integers(0, 255, (100, 300, 3), dtype=np.uint8)[:, ::-1][:, 20:220]
    assert detector.detect(view) == detector.detect(view.copy())


def test_threads_share_one_detector(detector: Detector) -> None:
    """Four threads at once get what one alone gets."""
    frames = [np.random.default_rng(s).integers(0, 255, (120, 160, 3), dtype=np.uint8) for s in range(8)]
    alone = [detector.detect(f) for f in frames]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(detector.detect, frames)) == alone


def test_tampered_weights_are_refused(weights_dir: Path) -> None:
    """One changed bit is enough, and the error names the file and a remedy."""
    path = weights_dir / "model.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelRefused, match="SHA-256") as refused:
        registry.load(weights_dir)
    assert refused.value.where == path
    assert str(path) in str(refused.value)
    assert "Install" in refused.value.remedy


def test_cut_off_weights_are_refused(weights_dir: Path) -> None:
    """A copy that ended early does not pass for a model."""
    path = weights_dir / "model.onnx"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelRefused, match="SHA-256"):
        registry.load(weights_dir)


def test_missing_weights_are_refused(weights_dir: Path) -> None:
    """A set without its weights is named."""
    (weights_dir / "model.onnx").unlink()
    with pytest.raises(ModelRefused, match=r"model\.onnx"):
        registry.load(weights_dir)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    """A folder that isn't there is answered with what should be in it."""
    with pytest.raises(ModelRefused, match=r"card\.yaml"):
        registry.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text",
    ["", "- a list", "name: [", "name: x\nversion: 1\nsha256: abc\nclasses: [a]", "\x00"],
    ids=["empty", "a list", "broken YAML", "short hash", "binary"],
)
def test_a_broken_card_is_refused(weights_dir: Path, text: str) -> None:
    """Whatever stands in card.yaml, the answer is a refusal and never another exception."""
    (weights_dir / "card.yaml").write_text(text)
    with pytest.raises(ModelRefused):
        registry.load(weights_dir)


@pytest.mark.parametrize("key", CARD_KEYS)
def test_a_card_that_lacks_a_key_is_refused(weights_dir: Path, key: str) -> None:
    """The error names the key."""
    card = yaml.safe_load((weights_dir / "card.yaml").read_text())
    del card[key]
    (weights_dir / "card.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(ModelRefused, match=key):
        registry.load(weights_dir)


def test_weights_that_are_no_network_are_refused(weights_dir: Path) -> None:
    """Bytes that fit their card but can't be run are refused in the backend's own words."""
    (weights_dir / "model.onnx").write_bytes(b"not a network")
    card = yaml.safe_load((weights_dir / "card.yaml").read_text())
    card["sha256"] = hashlib.sha256(b"not a network").hexdigest()
    (weights_dir / "card.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(ModelRefused, match="onnxruntime"):
        registry.load(weights_dir)


def test_a_card_with_other_classes_is_refused(weights_dir: Path) -> None:
    """One class too few would name every later one wrongly."""
    card = yaml.safe_load((weights_dir / "card.yaml").read_text())
    card["shipped"].remove(card["classes"].pop())
    (weights_dir / "card.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(ModelRefused, match="rows"):
        registry.load(weights_dir)


def test_an_unknown_backend_names_those_that_exist() -> None:
    """The error lists what could be written instead."""
    with pytest.raises(BackendUnknown, match="onnxruntime"):
        registry.load(backend="abacus")


def test_the_list_shows_good_and_refused_sets(weights_dir: Path) -> None:
    """A tampered set is listed with its reason beside a good one, and hides none."""
    bad = Path(shutil.copytree(weights_dir, weights_dir.parent / "bad"))
    (bad / "model.onnx").write_bytes(b"")
    listed = {one.folder.name: one for one in registry.available(weights_dir.parent)}
    assert listed["bad"].card is None
    assert listed["bad"].refused is not None
    good = listed["copy"].card
    assert good is not None
    assert (good.name, good.licence) == (registry.DEFAULT_NAME, "AGPL-3.0-or-later")


def test_the_list_of_an_absent_folder_is_empty(tmp_path: Path) -> None:
    """No folder, no models, no error."""
    assert registry.available(tmp_path / "nowhere") == ()


def test_every_shipped_set_is_complete() -> None:
    """What we ship passes its own check, has a card for people, and stays within 13 MB."""
    assert [one.folder.name for one in registry.available()] == [registry.DEFAULT_NAME]
    for one in registry.available():
        assert one.refused is None
        assert (one.folder / "MODEL_CARD.md").is_file()
        assert (one.folder / "model.onnx").stat().st_size <= 13_000_000
