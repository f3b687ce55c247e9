"""All backends keep one protocol and see the same; a network's cuts change no number."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from structlog.testing import capture_logs

from models import anchors, onnx_backend, openvino_backend, openvino_graph, registry
from models.backends import BACKENDS, Options
from models.card import read_weights
from models.choice import PROBE
from models.detector import Detection, Detector
from models.errors import BackendUnusable, FrameUnusable, ModelRefused
from models.predict import read_image

SHIPPED = registry.WEIGHTS_ROOT / registry.DEFAULT_NAME
HAS_INT8 = registry.read_card(SHIPPED).int8 is not None
HERE = tuple(
    name
    for name, row in BACKENDS.items()
    if row.chosen_by_itself and not row.missing and (HAS_INT8 or row.weights == "float")
)


@pytest.fixture(scope="module", params=HERE)
def detector(request: pytest.FixtureRequest) -> Detector:
    """The shipped set in each backend that is there."""
    return registry.load(backend=request.param)


@pytest.fixture(scope="module")
def probe() -> NDArray[np.uint8]:
    """An excavator by a pipeline, from our own renderer."""
    return read_image(PROBE)


@pytest.fixture
def weights_dir(tmp_path: Path) -> Path:
    """A copy of the shipped set that a test may spoil."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "copy"))


def openvino(score_min: float) -> openvino_backend.OpenVinoDetector:
    """The shipped float network in OpenVINO, its scores as they come from the network."""
    card = registry.read_card(SHIPPED)
    info = replace(registry.load().info, backend="openvino")
    options = Options(long_side_px=card.long_side_px, score_min=score_min)
    return openvino_backend.OpenVinoDetector(read_weights(card), info=info, options=options)


def assert_same(
    found: tuple[Detection, ...], expected: tuple[Detection, ...], px: float, score: float
) -> None:
    assert [d.class_name for d in found] == [d.class_name for d in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.xyxy == pytest.approx(other.xyxy, abs=px)
        assert one.score == pytest.approx(other.score, abs=score)


def test_openvino_is_there() -> None:
    """The fastest backend comes with the installation; it is not merely one that might be there."""
    assert find_spec("openvino") is not None


def test_each_backend_says_what_it_runs(detector: Detector) -> None:
    """Its key, the classes, and the hash of the very bytes that it runs, 8 bits or float."""
    card = registry.read_card(SHIPPED)
    eight = BACKENDS[detector.info.backend].weights == "int8"
    assert isinstance(detector, Detector)
    assert detector.info.sha256 == (card.int8.sha256 if eight and card.int8 else card.sha256)
    assert detector.info.classes == card.classes


def test_each_backend_finds_the_excavator(detector: Detector, probe: NDArray[np.uint8]) -> None:
    """In our own picture the machine is the first thing that is found."""
    best = detector.detect(probe)[0]
    assert best.class_name == "excavator"
    assert best.score > 0.8
    assert best.xyxy == pytest.approx((552.0, 189.0, 916.0, 462.5), abs=20)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (2000, 3), (33, 47), (1080, 1920)])
def test_each_backend_takes_any_size_of_frame(detector: Detector, shape: tuple[int, int]) -> None:
    """Boxes never leave the frame, whatever its shape, and come best first."""
    found = detector.detect(np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8))
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)
    for d in found:
        assert 0 <= d.xyxy[0] <= d.xyxy[2] <= shape[1]
        assert 0 <= d.xyxy[1] <= d.xyxy[3] <= shape[0]


def test_each_backend_refuses_what_is_no_picture(detector: Detector) -> None:
    """A frame without colour channels raises an error of ours."""
    with pytest.raises(FrameUnusable):
        detector.detect(np.zeros((10, 10), np.uint8))


def test_threads_share_one_detector(detector: Detector, probe: NDArray[np.uint8]) -> None:
    """Four threads at once, frames of different shapes, get what one alone gets."""
    frames = [probe[k * 20 :, k * 50 :] for k in range(6)] * 2
    alone = [detector.detect(f) for f in frames]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detector.detect, frames))
    for one, other in zip(together, alone, strict=True):
        assert_same(one, other, px=0.01, score=1e-4)


@pytest.mark.parametrize("cut", [np.s_[:, :], np.s_[:, 500:800], np.s_[180:320, :], np.s_[150:, 560:1200]])
def test_float_backends_see_the_same(cut: tuple[slice, ...], probe: NDArray[np.uint8]) -> None:
    """OpenVINO and ONNX Runtime differ by less than a twentieth of a pixel and a thousandth of a score."""
    frame = np.ascontiguousarray(probe[cut])
    expected = registry.load(backend="onnxruntime", score_min=0.05).detect(frame)
    assert expected
    assert_same(
        registry.load(backend="openvino", score_min=0.05).detect(frame), expected, px=0.05, score=1e-3
    )


def test_boxes_only_where_something_scores_are_the_same_boxes(
    probe: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cut network gives the whole network's boxes down to a score of 0.0005: hundreds of anchors, the
    frame's edges and corners among them, where the whole network pads with zeros."""
    cut = openvino(0.0005)
    assert cut.is_cut
    monkeypatch.setattr(openvino_graph, "branches", lambda model: ())
    whole = openvino(0.0005)
    assert not whole.is_cut
    for frame in (probe, probe[200:460, 600:900], probe[::-1, 300:1100]):
        expected = whole.detect(frame)
        assert len(expected) > 10
        touching = [d for d in expected if 0 in d.xyxy[:2] or d.xyxy[2] == frame.shape[1]]
        assert touching, "the frame's edge is part of what is compared"
        assert_same(cut.detect(frame), expected, px=0.05, score=1e-4)


def test_a_shape_that_comes_often_gets_its_own_network(probe: NDArray[np.uint8]) -> None:
    """A 4:3 camera's boxes stay the same when its network is compiled for it after some frames."""
    detector = openvino(0.05)
    frame = np.ascontiguousarray(probe[:, 300:1260])
    first = detector.detect(frame)
    for _ in range(openvino_backend.OFTEN):
        last = detector.detect(frame)
    assert first
    assert len(detector._by_shape) == 2
    assert_same(last, first, px=0.05, score=1e-4)


def test_anchors_and_their_neighbours() -> None:
    """Two levels of 3 x 4 and 1 x 2: what lies around a corner, outside told, and never another level; by hand."""
    grid = anchors.anchor_grid(((3, 4), (1, 2)))
    assert grid.first == (0, 12, 14)
    assert grid.near[11].tolist() == [6, 7, -1, 10, 11, -1, -1, -1, -1]
    assert grid.near[13].tolist() == [-1, -1, -1, 12, 13, -1, -1, -1, -1]
    assert grid.middles[11].tolist() == [3.5, 2.5]
    assert grid.rows[[11, 12]].tolist() == [3, 1]


def test_distances_become_a_box() -> None:
    """One cell left, two up, three right and four down of the middle of column 5, row 2, at stride 8."""
    distances, middles = np.array([[1, 2, 3, 4]], np.float32), np.array([[5.5, 2.5]], np.float32)
    box = anchors.from_distances(distances, middles, np.array([[8]], np.float32))
    assert box.tolist() == [[36.0, 4.0, 68.0, 52.0]]


def test_channels_are_mixed_before_scaling_up() -> None:
    """Both places of the shipped network where this saves time are found, and the numbers stay the same."""
    import openvino as ov

    core, path = ov.Core(), SHIPPED / "model.onnx"
    plain, late = core.read_model(path), core.read_model(path)
    assert openvino_graph.scale_up_late(late) == 2
    x = np.random.default_rng(0).random((1, 3, 64, 96), dtype=np.float32)
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    first, second = (core.compile_model(model, "CPU", exact)(x)[0] for model in (plain, late))
    assert np.abs(first - second).max() < 1e-3


def test_the_cards_size_is_the_default(weights_dir: Path) -> None:
    """Nobody need know at which size a set was trained: the card's is taken, in one place for all callers."""
    card = yaml.safe_load((weights_dir / "card.yaml").read_text())
    card["input"]["long_side_px"] = 320
    (weights_dir / "card.yaml").write_text(yaml.safe_dump(card))
    assert registry.load(weights_dir).info.input_hw == (192, 320)
    assert registry.load(weights_dir, long_side_px=640).info.input_hw == (384, 640)


@pytest.mark.skipif(not HAS_INT8, reason="the shipped set has no 8-bit network")
@pytest.mark.parametrize("name", ["model-int8.xml", "model-int8.bin"])
def test_a_tampered_8_bit_network_is_refused(weights_dir: Path, name: str) -> None:
    """One changed bit in either of its files is enough; the error says so and how to mend it."""
    path = weights_dir / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelRefused, match="SHA-256") as refused:
        registry.load(weights_dir, backend="openvino-int8")
    assert "Install" in refused.value.remedy
    assert registry.available(weights_dir.parent)[0].refused is not None, "the list says so too"
    assert registry.load(weights_dir, backend="openvino").info.backend == "openvino"


def test_a_set_without_8_bits_says_how_to_make_them(weights_dir: Path) -> None:
    """Asking for 8 bits where there are none names the command that makes them."""
    card = yaml.safe_load((weights_dir / "card.yaml").read_text())
    card.pop("int8", None)
    (weights_dir / "card.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(ModelRefused, match=r"models\.quantize"):
        registry.load(weights_dir, backend="openvino-int8")


@pytest.mark.parametrize(
    "int8",
    [
        [], {}, {"file": "../x.xml", "sha256": "0" * 64, "map50_loss": 0}, {"file": "x.onnx", "sha256": "0" * 64, "map50_loss": 0},
        {"file": "x.xml", "sha256": "0", "map50_loss": 0}, {"file": "x.xml", "sha256": "0" * 64, "map50_loss": float("nan")},
    ],
    ids=["a list", "nothing in it", "outside of the folder", "another kind of file", "short hash", "no number"],
)  # fmt: skip
def test_a_card_that_misstates_its_8_bits_is_refused(weights_dir: Path, int8: object) -> None:
    """Whatever stands under int8, the answer is a refusal and never another exception."""
    card = yaml.safe_load((weights_dir / "card.yaml").read_text()) | {"int8": int8}
    (weights_dir / "card.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(ModelRefused, match=r"int8|file"):
        registry.read_card(weights_dir)


@pytest.mark.parametrize(("backend", "files"), [("openvino", ["model.onnx"]), ("openvino-int8", ["model-int8.xml", "model-int8.bin"])])  # fmt: skip
def test_bytes_that_are_no_network_are_refused_in_the_backends_words(
    weights_dir: Path, backend: str, files: list[str]
) -> None:
    """Files that fit their card but can't be run are refused; OpenVINO's own errors never come out."""
    import hashlib

    contents = [b"<?xml version='1.0'?><net></net>\n", b"numbers"] if len(files) == 2 else [b"not a network"]
    for name, content in zip(files, contents, strict=True):
        (weights_dir / name).write_bytes(content)
    card = yaml.safe_load((weights_dir / "card.yaml").read_text())
    sha256 = hashlib.sha256(b"".join(contents)).hexdigest()
    if len(files) == 2:
        card["int8"] = {"file": files[0], "sha256": sha256, "map50_loss": 0.0}
    else:
        card["sha256"] = sha256
    (weights_dir / "card.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(ModelRefused, match="openvino"):
        registry.load(weights_dir, backend=backend)


def test_a_backend_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the missing library and the command."""
    row = replace(BACKENDS["openvino"], needs=("a_library_that_nobody_has",))
    monkeypatch.setattr(registry, "BACKENDS", MappingProxyType({**BACKENDS, "openvino": row}))
    with pytest.raises(BackendUnusable, match=r"a_library_that_nobody_has.*pip install openvino"):
        registry.load(backend="openvino")


def test_execution_providers_by_short_or_full_name() -> None:
    """What is asked for and there comes first, in that order, the CPU last; what is not there is told."""
    there = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")
    assert onnx_backend.usable(("TensorRT", "cuda"), there) == (there, ())
    assert onnx_backend.usable(("cuda", "ROCMExecutionProvider"), there) == (
        there[1:],
        ("ROCMExecutionProvider",),
    )
    assert onnx_backend.usable((), there) == (("CPUExecutionProvider",), ())


def test_a_gpu_that_is_not_there_is_told_and_the_cpu_looks(probe: NDArray[np.uint8]) -> None:
    """Asking for CUDA where ONNX Runtime has none is one clear line in the log, not an end."""
    with capture_logs() as logs:
        detector = registry.load(providers=("cuda",))
    if not logs:
        pytest.skip("this ONNX Runtime has CUDA")
    assert logs[0]["event"] in ("execution_provider_absent", "execution_provider_failed")
    assert logs[0]["log_level"] == "warning"
    assert detector.detect(probe)[0].class_name == "excavator"


def test_options_are_values() -> None:
    """What a detector is run with can't change under it."""
    with pytest.raises(AttributeError):
        Options(long_side_px=640).threads = 2  # type: ignore[misc]
