"""The fastest backend that may run is found in two seconds, remembered, and never one that sees wrongly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs

from models import choice, registry
from models.backends import BACKENDS, Options
from models.card import Card, Int8
from models.choice import Choice, Reason, choose, decide, may_try, measure, sees_the_same
from models.detector import Detection, ModelInfo
from models.errors import BackendUnusable, ModelError, ModelRefused

OPTIONS = Options(long_side_px=416)
SHIPPED = registry.WEIGHTS_ROOT / registry.DEFAULT_NAME
INFO = ModelInfo(
    name="fake", version="0", sha256="0" * 64, classes=("excavator",), trained_on="", backend="fake", input_hw=(32, 32)
)  # fmt: skip


def excavator(score: float = 0.9, left: float = 0.0) -> Detection:
    return Detection(class_name="excavator", score=score, xyxy=(left, 0.0, left + 100.0, 100.0))


class Clock:
    """Seconds that only detectors move."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class FakeDetector:
    """Takes its time and sees what it is told to."""

    clock: Clock
    times_s: Iterator[float]
    found: tuple[Detection, ...] = (excavator(),)
    looks: int = 0
    info: ModelInfo = field(default=INFO)

    def detect(
        self, frame_bgr: NDArray[np.uint8], *, long_side_px: int | None = None
    ) -> tuple[Detection, ...]:
        self.looks += 1
        self.clock.now_s += next(self.times_s)
        return self.found

    def warm_up(self) -> None:
        return None


def always(value_s: float) -> Iterator[float]:
    return iter(lambda: value_s, None)


@pytest.fixture
def card() -> Card:
    """The shipped set, with 8 bits that lose just as much as may be."""
    return replace(registry.read_card(SHIPPED), int8=Int8(file="x.xml", sha256="0" * 64, map50_loss=0.01))


Fakes = Callable[[dict[str, FakeDetector | ModelError]], None]


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    """Backends are these; one that isn't named can't be built."""

    def use(fakes: dict[str, FakeDetector | ModelError]) -> None:
        def build(card: Card, backend: str, options: Options) -> FakeDetector:
            fake = fakes.get(backend) or BackendUnusable(backend, "not in this test", remedy="")
            if isinstance(fake, ModelError):
                raise fake
            return fake

        monkeypatch.setattr(choice, "build", build)
        monkeypatch.setattr(choice, "check", lambda card: None)

    return use


def test_the_fastest_is_chosen() -> None:
    """The least milliseconds win; of equals the one that stands first in the table; one alone is told so."""
    assert choose({"onnxruntime": 20.0, "openvino": 19.0}, {}).backend == "openvino"
    assert choose({"onnxruntime": 19.0, "openvino": 20.0}, {}).backend == "onnxruntime"
    assert choose({"onnxruntime": 19.0, "openvino": 19.0}, {}).backend == "openvino"
    assert choose({"onnxruntime": 19.0, "openvino": 20.0}, {}).reason is Reason.FASTEST
    assert choose({"onnxruntime": 19.0}, {}).reason is Reason.ONLY_ONE


def test_8_bits_must_have_been_measured_and_lose_little(card: Card) -> None:
    """A hundredth of mean AP50 is let in, a little more is not, and neither is a set that has none."""
    assert may_try("openvino-int8", card) is None
    more = replace(card, int8=Int8(file="x.xml", sha256="0" * 64, map50_loss=0.0101))
    assert "0.0101" in (may_try("openvino-int8", more) or "")
    assert "no 8-bit network" in (may_try("openvino-int8", replace(card, int8=None)) or "")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ((excavator(0.9),), True),
        ((excavator(0.31), excavator(0.8, left=400)), True),
        ((excavator(0.29),), False),
        ((excavator(0.9, left=30),), True),
        ((excavator(0.9, left=40),), False),
        ((replace(excavator(), class_name="truck"),), False),
        ((), False),
    ],
    ids=[
        "alike",
        "less sure",
        "not sure at all",
        "overlap 70/130",
        "overlap 60/140",
        "another class",
        "nothing",
    ],
)
def test_what_is_surely_seen_must_be_seen_by_all(other: tuple[Detection, ...], same: bool) -> None:
    """A sure thing must be there for the other network too, at about its place; on both sides of the limits."""
    assert sees_the_same((excavator(),), other) is same


def test_what_nobody_is_sure_of_may_differ() -> None:
    """Beside a sure thing a doubtful one need not be there; a set that sees nothing at all proves nothing."""
    doubtful = replace(excavator(0.49), class_name="person")
    assert sees_the_same((excavator(), doubtful), (excavator(),))
    assert sees_the_same((), (excavator(),))


def test_a_blind_network_is_found_out_although_the_other_is_sure_of_nothing() -> None:
    """With weights of low scores the best box counts, else a network that computes nonsense would be taken."""
    assert not sees_the_same((excavator(0.4),), ())
    assert not sees_the_same((excavator(0.4),), (excavator(0.1),))
    assert sees_the_same((excavator(0.4),), (excavator(0.25),))


def test_they_take_turns_for_two_seconds_and_the_median_counts(card: Card, built: Fakes) -> None:
    """A backend that is slow once, because something else ran, still wins; each looks equally often."""
    clock = Clock()
    jumpy = FakeDetector(clock, iter(5.0 if k == 2 else 0.01 for k in count()))
    steady = FakeDetector(clock, always(0.02))
    built({"openvino": jumpy, "onnxruntime": steady})
    found = measure(card, OPTIONS, clock=clock)
    assert (found.backend, found.ms) == ("openvino", {"openvino": 10.0, "onnxruntime": 20.0})
    assert jumpy.looks == steady.looks >= choice.ROUNDS_MIN


def test_a_backend_that_fails_is_left_out_with_its_reason(card: Card, built: Fakes) -> None:
    """What can't be imported or built is told, and the others are measured."""
    clock = Clock()
    broken = BackendUnusable("openvino", "libtbb.so is missing", remedy="")
    built({"openvino": broken, "onnxruntime": FakeDetector(clock, always(0.5))})
    found = measure(card, OPTIONS, clock=clock)
    assert (found.backend, found.reason) == ("onnxruntime", Reason.ONLY_ONE)
    assert "libtbb.so" in found.left_out["openvino"]
    assert found.left_out["ultralytics"] == "only if it is named"


def test_a_fast_backend_that_sees_wrongly_is_not_taken(card: Card, built: Fakes) -> None:
    """8-bit arithmetic that goes wrong on this processor says nothing: it is caught by a picture, and told."""
    clock = Clock()
    built(
        {
            "openvino-int8": FakeDetector(clock, always(0.001), found=()),
            "onnxruntime": FakeDetector(clock, always(0.5)),
        }
    )
    with capture_logs() as logs:
        found = measure(card, OPTIONS, clock=clock)
    assert found.backend == "onnxruntime"
    assert "arithmetic" in found.left_out["openvino-int8"]
    assert [line["event"] for line in logs] == ["detector_backend_wrong"]


def test_no_backend_at_all_is_an_error_with_the_reasons(card: Card, built: Fakes) -> None:
    """Nothing that runs: the error names each and why."""
    built({})
    with pytest.raises(ModelError, match=r"onnxruntime: .*not in this test"):
        measure(card, OPTIONS)


def test_the_answer_is_remembered_until_something_changes(card: Card, built: Fakes, tmp_path: Path) -> None:
    """The second start doesn't measure; other weights or threads do, and so does a file that was spoilt."""
    clock = Clock()
    fake = FakeDetector(clock, always(0.5))
    built({"onnxruntime": fake})
    assert decide(card, OPTIONS, tmp_path, clock=clock).reason is Reason.ONLY_ONE
    looks = fake.looks
    with capture_logs() as logs:
        again = decide(card, OPTIONS, tmp_path, clock=clock)
    assert (again.backend, again.reason, again.ms) == (
        "onnxruntime",
        Reason.REMEMBERED,
        {"onnxruntime": 500.0},
    )
    assert (fake.looks, logs[0]["reason"]) == (looks, "remembered")
    for changed in (replace(card, sha256="1" * 64), replace(card, int8=None)):
        assert decide(changed, OPTIONS, tmp_path, clock=clock).reason is not Reason.REMEMBERED
    assert decide(card, replace(OPTIONS, threads=2), tmp_path, clock=clock).reason is not Reason.REMEMBERED
    for text in ("", "[]", "{", '{"key": 1}', "\x00"):
        (tmp_path / choice.STATE).write_text(text)
        assert decide(card, OPTIONS, tmp_path, clock=clock).reason is not Reason.REMEMBERED


def test_a_folder_that_cant_be_written_costs_only_time(card: Card, built: Fakes, tmp_path: Path) -> None:
    """Where the answer can't be kept the detector runs all the same, and the log says so."""
    built({"onnxruntime": FakeDetector(clock := Clock(), always(0.5))})
    (tmp_path / "file").touch()
    with capture_logs() as logs:
        assert decide(card, OPTIONS, tmp_path / "file", clock=clock).backend == "onnxruntime"
    assert "detector_choice_not_kept" in [line["event"] for line in logs]


def test_on_this_machine(tmp_path: Path) -> None:
    """The shipped set really is measured: at least two backends, numbers kept, the least of them chosen."""
    card = registry.read_card(SHIPPED)
    found = decide(card, OPTIONS, tmp_path)
    assert set(found.ms) >= {"openvino", "onnxruntime"}
    assert found.ms[found.backend] == min(found.ms.values())
    kept = json.loads((tmp_path / choice.STATE).read_text())
    assert (kept["backend"], kept["ms"]) == (found.backend, dict(found.ms))
    assert not BACKENDS[found.backend].missing


def test_a_tampered_set_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    """A remembered answer never lets a changed file through."""
    copy = Path(shutil.copytree(SHIPPED, tmp_path / "copy"))
    card = registry.read_card(copy)
    (tmp_path / choice.STATE).write_text(
        json.dumps(
            {"key": choice.machine_key(card, OPTIONS), "backend": "openvino", "ms": {}, "left_out": {}}
        )
    )
    assert decide(card, OPTIONS, tmp_path).reason is Reason.REMEMBERED
    (copy / "model.onnx").write_bytes(b"other")
    with pytest.raises(ModelRefused, match="SHA-256"):
        decide(card, OPTIONS, tmp_path)


def test_a_choice_is_a_value() -> None:
    """What was chosen can't change behind the log line."""
    with pytest.raises(AttributeError):
        Choice(backend="x", reason=Reason.FASTEST, ms={}, left_out={}).backend = "y"  # type: ignore[misc]
