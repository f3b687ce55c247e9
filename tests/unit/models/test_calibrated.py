"""0.8 means 0.8: curves are found, carried over only if other sources gain, and applied once and in order."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from typer.testing import CliRunner

from hcawatch.cli import app
from hcawatch.commands.common import CommandError
from models import registry
from models.calibrated import (
    AS_IT_IS,
    Calibrated,
    Calibration,
    Curve,
    as_table,
    calibrate,
    raw_score_min,
    read_calibration,
)
from models.detector import Detection, ModelInfo
from models.eval import calibrate as fitting
from models.eval import precision
from models.eval.calibrate import WAYS, Boxes, Refusal, Shape, Way, by_other_sources, collect, fit, verdict
from models.eval.matching import COCO_IOUS, match, pool
from models.eval.values import Seen
from models.predict import read_image

PROBE = Path(registry.__file__).parent / "probe.jpg"
SLOPES = st.floats(0, 5)
TOO_LOW = Curve(low=1.0, high=2.2, offset=-0.4)


def _boxes(seed: int, count: int, truly: Curve) -> Boxes:
    """Boxes whose hits are drawn by `truly` of their scores; low scores are common, as a detector's are."""
    rng = np.random.default_rng(seed)
    scores = rng.beta(0.5, 1.2, count).clip(0.01, 0.99)
    return Boxes(scores=scores, hit=rng.random(count) < truly.apply(scores))


@given(SLOPES, SLOPES, st.floats(-5, 5), st.floats(0, 1), st.floats(0, 1))
def test_a_curve_keeps_order_and_bounds(low: float, high: float, offset: float, a: float, b: float) -> None:
    """Whatever a card holds, the better box stays the better one, and scores stay shares."""
    ends = Curve(low=low, high=high, offset=offset).apply(np.array([min(a, b), max(a, b)]))
    assert 0 <= ends[0] <= ends[1] <= 1


@given(st.floats(0.2, 4), st.floats(0.2, 4), st.floats(-3, 3), st.floats(0.02, 0.98))
def test_an_origin_is_the_least_score_that_suffices(
    low: float, high: float, offset: float, score: float
) -> None:
    """Just above the origin the calibrated score is reached, just below it is not."""
    curve = Curve(low=low, high=high, offset=offset)
    origin = curve.origin(score)
    if 0.001 < origin < 0.999:
        below, above = curve.apply(np.array([origin - 1e-4, origin + 1e-4]))
        assert below < score < above


def test_as_it_is_changes_nothing() -> None:
    """The curve of a card without one: every score is itself."""
    scores = np.linspace(0.001, 0.999, 99)
    assert AS_IT_IS.apply(scores) == pytest.approx(scores)
    assert AS_IT_IS.origin(0.3) == pytest.approx(0.3, abs=1e-6)


def test_average_precision_is_unchanged() -> None:
    """Calibrated scores of one class give the very same curve of precision over recall."""
    rng = np.random.default_rng(3)
    corner = rng.uniform(0, 100, (40, 2))
    truth = np.concatenate([corner, corner + 20], axis=1)
    found = np.concatenate([truth + rng.normal(0, 4, truth.shape), truth[:20] + 30])
    scores = np.round(rng.uniform(0.05, 0.95, 60), 2)  # some are equal
    before = pool([match(truth, found, scores)])
    after = pool([match(truth, found, TOO_LOW.apply(scores))])
    for at in range(len(COCO_IOUS)):
        assert precision.average_precision(after, at) == precision.average_precision(before, at)
    assert precision.recall_at_precision(after, 0.5) == precision.recall_at_precision(before, 0.5)


class _Inside:
    """A detector that always sees the same."""

    info = ModelInfo(
        name="x", version="1", sha256="0" * 64, classes=("person", "excavator"), trained_on="", backend="none",
        input_hw=(32, 32),
    )  # fmt: skip

    def __init__(self) -> None:
        self.warm = 0

    def detect(
        self, frame_bgr: NDArray[np.uint8], *, long_side_px: int | None = None
    ) -> tuple[Detection, ...]:
        """An excavator and two persons."""
        box = (0.0, 0.0, 1.0, 1.0)
        return tuple(
            Detection(class_name=name, score=score, xyxy=box)
            for name, score in (("excavator", 0.6), ("person", 0.5), ("person", 0.1))
        )

    def warm_up(self) -> None:
        """Count."""
        self.warm += 1


def test_a_wrapped_detector_gives_calibrated_scores_best_first() -> None:
    """A class with its own curve overtakes one without; what falls below the wanted score is left out."""
    by = Calibration(others=AS_IT_IS, own={"person": Curve(low=1.0, high=1.0, offset=1.5)})
    inside = _Inside()
    detector = Calibrated(inside, by, 0.4)
    found = detector.detect(np.zeros((4, 4, 3), np.uint8))
    assert [(d.class_name, round(d.score, 3)) for d in found] == [("person", 0.818), ("excavator", 0.6)]
    detector.warm_up()
    assert (detector.info, inside.warm) == (inside.info, 1)
    assert calibrate((), by, 0.4) == ()


def test_the_network_is_asked_low_enough() -> None:
    """A curve that lifts a class needs raw boxes far below the calibrated limit; one that lowers it needs fewer."""
    lifts = Calibration(others=AS_IT_IS, own={"person": Curve(low=1.0, high=1.0, offset=2.0)})
    assert raw_score_min(("person", "excavator"), lifts, 0.3) == pytest.approx(0.0548, abs=1e-3)
    lowers = Calibration(others=Curve(low=1.0, high=1.0, offset=-1.0), own={})
    assert raw_score_min(("person",), lowers, 0.3) == pytest.approx(0.538, abs=1e-3)
    assert raw_score_min(("person",), lifts, 0.0) == 0.001


@pytest.mark.parametrize("shape", list(Shape))
def test_a_fit_finds_the_curve_that_made_the_hits(shape: Shape) -> None:
    """Hits drawn by a known curve give it back; scores that are right stay as they are."""
    truly = TOO_LOW if shape is Shape.BETA else Curve(low=1.6, high=1.6, offset=0.7)
    found = fit([_boxes(5, 40_000, truly)], shape)
    assert (found.low, found.high, found.offset) == pytest.approx(
        (truly.low, truly.high, truly.offset), abs=0.12
    )
    same = fit([_boxes(6, 40_000, AS_IT_IS)], shape)
    assert (same.low, same.high, same.offset) == pytest.approx((1.0, 1.0, 0.0), abs=0.12)


@pytest.mark.parametrize("hit", [True, False])
def test_a_fit_on_few_boxes_stays_near(hit: bool) -> None:
    """Twenty boxes that are all right (or all wrong) don't make certainty of everything."""
    found = fit([Boxes(scores=np.full(20, 0.5), hit=np.full(20, hit))], Shape.BETA)
    assert abs(found.low - 1) < 3
    assert abs(found.offset) < 3
    assert fit([], Shape.BETA) == AS_IT_IS


def test_a_slope_is_never_negative() -> None:
    """Where higher scores are more often wrong the curve is flat, never upside down."""
    scores = np.linspace(0.01, 0.99, 400)
    for shape in Shape:
        found = fit([Boxes(scores=scores, hit=scores < 0.5)], shape)
        assert min(found.low, found.high) >= 0
        assert (np.diff(found.apply(scores)) >= 0).all()


def test_one_error_that_all_sources_share_is_mended() -> None:
    """Scores that are too low everywhere: a calibration is found, and what is left is far below a twentieth."""
    collected = {("excavator", s): _boxes(k, 1500, TOO_LOW) for k, s in enumerate("abc")}
    found = verdict(collected, score_from=0.3)
    assert found.refused is None
    assert found.raw.ece_from_stay > 0.08
    assert found.by_others.ece_from_stay < 0.04
    assert found.by_others.loss < found.raw.loss
    assert set(found.sources) == {"a", "b", "c"}


def test_what_one_source_teaches_wrongly_is_refused() -> None:
    """Sources that err in opposite ways: each way does the other harm, and the raw scores stay."""
    up, down = Curve(low=1.0, high=1.0, offset=1.5), Curve(low=1.0, high=1.0, offset=-1.5)
    collected = {("excavator", "a"): _boxes(1, 2000, up), ("excavator", "b"): _boxes(2, 2000, down)}
    assert verdict(collected, score_from=0.3).refused is Refusal.NO_BETTER


def test_one_source_or_hardly_a_hit_is_refused() -> None:
    """There is nobody to tell whether it carries over, or nothing to learn from."""
    alone = {("excavator", "a"): _boxes(1, 2000, TOO_LOW)}
    assert verdict(alone, score_from=0.3).refused is Refusal.ONE_SOURCE
    few = {("excavator", s): Boxes(scores=np.full(9, 0.2), hit=np.zeros(9, np.bool_)) for s in "ab"}
    assert verdict(few, score_from=0.3).refused is Refusal.FEW_HITS


def test_a_source_is_scored_by_the_others_alone() -> None:
    """Source a's scores don't change, whatever its own hits are."""
    rest = {("excavator", "b"): _boxes(2, 500, TOO_LOW), ("excavator", "c"): _boxes(3, 500, TOO_LOW)}
    a = _boxes(1, 500, TOO_LOW)
    for way in WAYS:
        one = by_other_sources({("excavator", "a"): a, **rest}, way)["excavator", "a"]
        other = by_other_sources({("excavator", "a"): dataclasses.replace(a, hit=~a.hit), **rest}, way)
        assert one.tolist() == other["excavator", "a"].tolist()


def test_a_class_with_few_hits_has_the_common_curve() -> None:
    """Nine hits give a class no curve of its own, ten do."""
    many = _boxes(1, 500, TOO_LOW)
    for hits, own in ((9, False), (10, True)):
        few = Boxes(scores=np.full(40, 0.5), hit=np.arange(40) < hits)
        found = fitting.fitted(
            {("excavator", "a"): many, ("crane", "a"): few}, Way(shape=Shape.BETA, own=True)
        )
        assert ("crane" in found.own) is own


def test_boxes_are_collected_where_their_class_is_labelled() -> None:
    """A found person in a picture that doesn't label persons teaches nothing."""
    seen = Seen(
        path=Path("a.jpg"), truth_xyxy=np.array([[0.0, 0, 10, 10]]), truth_classes=("excavator",),
        found_xyxy=np.array([[0.0, 0, 10, 10], [50, 50, 60, 60]]), scores=np.array([0.9, 0.8]),
        found_classes=("excavator", "person"), exhaustive=frozenset({"excavator"}), source="a",
    )  # fmt: skip
    found = collect([seen], ("excavator", "person"))
    assert list(found) == [("excavator", "a")]
    assert found["excavator", "a"].hit.tolist() == [True]


def test_a_card_gives_its_curves_back() -> None:
    """What is written is read again, to four digits; a card without the key has no calibration."""
    by = Calibration(others=TOO_LOW, own={"fire": Curve(low=0.5, high=1.0, offset=0.25)})
    classes = ("fire", "person")
    assert read_calibration(yaml.safe_load(yaml.safe_dump(as_table(by))), classes) == by
    assert read_calibration(None, classes) is None
    assert by.of("person") is by.others


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "calibration"),
        ({}, r"calibration\.others"),
        ({"others": {"low": 1}}, r"calibration\.others"),
        ({"others": {"low": -1, "high": 1, "offset": 0}}, "at least 0"),
        ({"others": {"low": 1, "high": float("nan"), "offset": 0}}, "finite"),
        ({"others": {"low": 1, "high": "x", "offset": 0}}, r"calibration\.others"),
        ({"others": {"low": 1, "high": 1, "offset": 0}, "own": {"digger": {}}}, r"own\.digger"),
        ({"others": {"low": 1, "high": 1, "offset": 0}, "own": []}, "own"),
    ],
)
def test_a_wrong_calibration_is_told_with_its_key(raw: object, said: str) -> None:
    """Scores by a half-read curve would open or hide alarms: such a card is refused."""
    with pytest.raises(ValueError, match=said):
        read_calibration(raw, ("fire",))


@pytest.fixture
def two_sources(tmp_path: Path) -> Path:
    """A data.yaml of two sources with the probe picture in each, labelled with what the shipped weights see."""
    frame = read_image(PROBE)
    height, width = frame.shape[:2]
    folders = [tmp_path / kind / "val" for kind in ("images", "labels")]
    for folder in folders:
        folder.mkdir(parents=True)
    sure = [d for d in registry.load().detect(frame) if d.score >= 0.3]
    rows = ""
    for d in sure:
        x0, y0, x1, y1 = d.xyxy
        rows += (
            f"0 {(x0 + x1) / 2 / width} {(y0 + y1) / 2 / height} {(x1 - x0) / width} {(y1 - y0) / height}\n"
        )
    for source in ("kerou", "css24"):
        for k in range(12):
            shutil.copy(PROBE, folders[0] / f"{source}_{k}.jpg")
            (folders[1] / f"{source}_{k}.txt").write_text(rows)
    path = tmp_path / "data.yaml"
    path.write_text(yaml.safe_dump({"path": ".", "val": "images/val", "names": ["excavator"]}))
    return path


def test_the_command_writes_a_calibration_that_the_card_can_be_read_with(
    two_sources: Path, tmp_path: Path
) -> None:
    """What is seen surely here is always right: the card gets a curve, says so, and the same boxes score higher."""
    folder = Path(shutil.copytree(registry.WEIGHTS_ROOT / registry.DEFAULT_NAME, tmp_path / "copy"))
    before = (folder / "card.yaml").read_text()
    raw = registry.load(folder).detect(read_image(PROBE))
    arguments = ["models", "calibrate", str(folder), "--data", str(two_sources), "--split", "val", "--json"]
    dry = CliRunner().invoke(app, [*arguments, "--dry-run"], catch_exceptions=False)
    assert (folder / "card.yaml").read_text() == before
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    table = json.loads(result.stdout.splitlines()[-1])
    assert json.loads(dry.stdout.splitlines()[-1]) == table
    assert table["all"]["loss"][1] < table["all"]["loss"][0]
    assert set(table["sources"]) == {"kerou", "css24"}
    card = registry.read_card(folder)
    assert card.calibration is not None
    assert card.calibration.others.low == table["others"]["low"]
    assert table["raw_becomes"]["0.5"] == pytest.approx(
        float(card.calibration.others.apply(np.array([0.5]))[0]), abs=0.006
    )
    text = (folder / "card.yaml").read_text()
    assert "scores_calibrated: true" in text
    assert text.startswith(before[:200])  # people's own lines stay
    best = max(d.score for d in raw if d.class_name == "excavator")
    assert registry.load(folder).detect(read_image(PROBE))[0].score > best
    CliRunner().invoke(app, arguments, catch_exceptions=False)  # fitted on raw scores again, and written once
    assert registry.read_card(folder).calibration == card.calibration
    assert (folder / "card.yaml").read_text().count("\ncalibration:") == 1


def test_the_command_refuses_and_leaves_the_card(two_sources: Path, tmp_path: Path) -> None:
    """With pictures of one source only there is no calibration: exit 1, the reason, the card untouched."""
    folder = Path(shutil.copytree(registry.WEIGHTS_ROOT / registry.DEFAULT_NAME, tmp_path / "copy"))
    before = (folder / "card.yaml").read_text()
    (tmp_path / "one.yaml").write_text(yaml.safe_dump({"pictures": [f"kerou_{k}" for k in range(12)]}))
    result = CliRunner().invoke(
        app, ["models", "calibrate", str(folder), "--data", str(two_sources), "--split", "val", "--only",
              str(tmp_path / "one.yaml")],
    )  # fmt: skip
    assert isinstance(result.exception, CommandError)
    assert "one source" in str(result.exception)
    assert (folder / "card.yaml").read_text() == before
