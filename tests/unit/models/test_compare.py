"""Whether a candidate is better: the table of rules row by row, the differences by hand and as properties, and the command."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import models.compare
import models.eval.events
from hcawatch.cli import app
from models import registry
from models.compare.figures import compare, false_alarms
from models.compare.site import read_site
from models.compare.texts import TEXTS, say
from models.compare.values import FIGURES, ComparedClass, ComparedSite, Comparison, Paired
from models.compare.verdict import (
    GUARDED,
    MAY_LOSE,
    MAY_RISE,
    MIN_BOXES,
    MIN_PICTURES,
    RULES,
    Code,
    Effect,
    Limits,
    Verdict,
    decide,
)
from models.errors import DataUnusable, ModelRefused
from models.eval import texts as evaluation
from models.eval.events.texts import TEXTS as EVENT_TEXTS
from models.eval.summary import figures
from models.eval.texts import LANGUAGES
from models.eval.values import Seen
from models.scenes import Stage, Story
from models.scenes.camera import Camera

BOX = (0.0, 0.0, 50.0, 50.0)
#: The demo's at half its size: a quarter of the work.
CAMERA = Camera(width_px=640, height_px=360, focal_px=625.0)
NOTHING = Paired(old=0.8, new=0.8, interval=(-0.01, 0.01))


def _pair(low: float, high: float, old: float = 0.8) -> Paired:
    return Paired(old=old, new=old + (low + high) / 2, interval=(low, high))


def _class(name: str = "excavator", *, shipped: bool = True, images: int = 100, boxes: int = 100, **changed: Paired) -> ComparedClass:  # fmt: skip
    return ComparedClass(
        name=name,
        shipped=shipped,
        images=images,
        boxes=boxes,
        figures=dict.fromkeys(FIGURES, NOTHING) | changed,
    )


def _found(
    *classes: ComparedClass, mean: Paired = NOTHING, site: Paired = NOTHING, pictures: int = 50,
    gone: tuple[str, ...] = (), new: tuple[str, ...] = (), added: tuple[str, ...] = (), same: bool = False,
) -> Comparison:  # fmt: skip
    return Comparison(
        threshold=0.5, classes=classes or (_class(),), mean_map50=mean, only_old=gone, only_new=new, gone=gone, added=added, same=same,
        site=ComparedSite(pictures=pictures, a_picture=site, totals=(np.zeros(pictures), np.zeros(pictures)), by_class={}),
    )  # fmt: skip


GAIN = _pair(0.01, 0.05)
FALL = _pair(-0.3, -0.1)

#: What is found, the verdict, and the codes that decide it: one line a sentence of the table.
CASES: Mapping[str, tuple[Comparison, Verdict, set[Code]]] = {
    "everything as it was": (_found(), Verdict.UNDECIDED, {Code.NOTHING_IMPROVES}),
    "classes improve": (_found(mean=GAIN), Verdict.BETTER, {Code.CLASSES_IMPROVE}),
    "fewer false alarms": (_found(site=FALL), Verdict.BETTER, {Code.FALSE_ALARMS_FALL}),
    "both": (_found(mean=GAIN, site=FALL), Verdict.BETTER, {Code.CLASSES_IMPROVE, Code.FALSE_ALARMS_FALL}),
    "an improvement that may be none": (_found(mean=_pair(-0.001, 0.05)), Verdict.UNDECIDED, {Code.NOTHING_IMPROVES}),
    "fewer false alarms that may be as many": (_found(site=_pair(-0.3, 0.0)), Verdict.UNDECIDED, {Code.NOTHING_IMPROVES}),
    "a class loses": (_found(_class(map50=_pair(-0.2, -0.06)), mean=GAIN), Verdict.WORSE, {Code.CLASS_LOSES, Code.CLASSES_IMPROVE}),
    "a class loses recall at the threshold": (_found(_class(recall=_pair(-0.2, -0.06)), mean=GAIN), Verdict.WORSE, {Code.CLASS_LOSES, Code.CLASSES_IMPROVE}),
    "a class loses a little, for certain": (_found(_class(map50=_pair(-0.04, -0.01)), site=FALL), Verdict.BETTER, {Code.FALSE_ALARMS_FALL}),
    "a class loses what is allowed": (_found(_class(map50=_pair(-0.05, -0.05)), site=FALL), Verdict.BETTER, {Code.FALSE_ALARMS_FALL}),
    "a class may lose": (_found(_class(map50=_pair(-0.2, 0.1)), mean=GAIN), Verdict.UNDECIDED, {Code.CLASS_MAY_LOSE, Code.CLASSES_IMPROVE}),
    "a class that raises no alarm loses": (_found(_class(), _class("car", shipped=False, map50=_pair(-0.5, -0.3)), mean=GAIN), Verdict.BETTER, {Code.CLASSES_IMPROVE}),
    "precision alone falls": (_found(_class(precision=_pair(-0.5, -0.3)), mean=GAIN), Verdict.BETTER, {Code.CLASSES_IMPROVE}),
    "a rare class seems to lose": (_found(_class(), _class("crane", boxes=19, map50=_pair(-0.5, -0.3)), mean=GAIN), Verdict.UNDECIDED, {Code.CLASSES_IMPROVE, Code.CLASS_TOO_RARE, Code.RARE_CLASS_LOSES}),
    "many boxes in few pictures": (_found(_class(), _class("crane", images=9), mean=GAIN), Verdict.BETTER, {Code.CLASSES_IMPROVE, Code.CLASS_TOO_RARE}),
    "all classes are rare": (_found(_class(boxes=19), site=FALL), Verdict.UNDECIDED, {Code.NOTHING_JUDGED, Code.FALSE_ALARMS_FALL, Code.CLASS_TOO_RARE}),
    "a class is gone": (_found(mean=GAIN, gone=("crane",)), Verdict.WORSE, {Code.CLASS_GONE, Code.CLASSES_IMPROVE}),
    "a class is new": (_found(mean=GAIN, new=("drone",)), Verdict.BETTER, {Code.CLASS_ADDED, Code.CLASSES_IMPROVE}),
    "alarms on one class more": (_found(mean=GAIN, added=("loader",)), Verdict.BETTER, {Code.ALARMS_ADDED, Code.CLASSES_IMPROVE}),
    "more false alarms": (_found(mean=GAIN, site=_pair(0.01, 0.2)), Verdict.WORSE, {Code.FALSE_ALARMS_RISE, Code.CLASSES_IMPROVE}),
    "perhaps more false alarms": (_found(mean=GAIN, site=_pair(-0.1, 0.2)), Verdict.UNDECIDED, {Code.FALSE_ALARMS_MAY_RISE, Code.CLASSES_IMPROVE}),
    "hardly more false alarms": (_found(mean=GAIN, site=_pair(-0.1, 0.05)), Verdict.BETTER, {Code.CLASSES_IMPROVE}),
    "a site of nine pictures": (_found(mean=GAIN, site=FALL, pictures=9), Verdict.UNDECIDED, {Code.SITE_TOO_SMALL, Code.CLASSES_IMPROVE}),
    "the same network": (_found(same=True), Verdict.UNDECIDED, {Code.NOTHING_IMPROVES, Code.SAME_WEIGHTS}),
    "better and worse at once": (_found(_class(map50=_pair(-0.2, -0.06)), site=FALL), Verdict.WORSE, {Code.CLASS_LOSES, Code.FALSE_ALARMS_FALL}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_follows_from_the_table(case: str) -> None:
    """Each rule alone and against others gives its verdict, with the reasons that made it and no others."""
    found, expected, codes = CASES[case]
    verdict, reasons = decide(found)
    assert (verdict, {reason.code for reason in reasons}) == (expected, codes)


def test_every_rule_has_a_case() -> None:
    """No row of the table is left untried, and each code has one row."""
    assert {code for _, _, codes in CASES.values() for code in codes} == set(Code)
    assert [rule.code for rule in RULES] == list(dict.fromkeys(rule.code for rule in RULES))
    assert {rule.code for rule in RULES} == set(Code)


def test_who_asks_may_allow_more() -> None:
    """With a tenth to lose, what was open is settled; with nothing to lose, what was fine is not."""
    found = _found(_class(map50=_pair(-0.09, 0.02)), mean=GAIN)
    assert decide(found)[0] is Verdict.UNDECIDED
    assert decide(found, Limits(may_lose=0.1))[0] is Verdict.BETTER
    assert decide(_found(mean=GAIN), Limits(may_lose=0.0))[0] is Verdict.UNDECIDED


@given(st.floats(-1, 1), st.floats(0, 1), st.sampled_from(GUARDED), st.floats(0, 0.5))
def test_more_loss_is_never_a_better_verdict(low: float, width: float, key: str, less: float) -> None:
    """An interval that lies lower never turns worse into undecided, or undecided into better."""
    order = [Verdict.WORSE, Verdict.UNDECIDED, Verdict.BETTER]
    here, lower = (
        decide(_found(_class(**{key: _pair(at, at + width)}), mean=GAIN))[0] for at in (low, low - less)
    )
    assert order.index(lower) <= order.index(here)


def test_every_reason_is_said_in_both_languages() -> None:
    """Each sentence is filled in, numbers and all, and names its class in the reader's language."""
    for found, _, _ in CASES.values():
        for reason in decide(found)[1]:
            for language in LANGUAGES:
                sentence = say(reason, language)
                assert "{" not in sentence
                assert not reason.class_name or evaluation.text(reason.class_name, language) in sentence
    loses = next(r for r in decide(CASES["a class loses"][0])[1] if r.code is Code.CLASS_LOSES)
    assert (
        say(loses, "en")
        == "excavator loses: AP50 0.800 → 0.670, at best −0.060 (95 %; 100 boxes), more than the 0.05 allowed."
    )
    assert "“挖掘机”变差：AP50 0.800 → 0.670" in say(loses, "zh")


def test_every_text_is_there_in_both_languages() -> None:
    """No word of either new page is left untranslated, both fill in the same values, and no page asks for one that isn't there."""
    for key, texts in TEXTS.items():
        assert set(texts) == set(LANGUAGES), key
        fields = [sorted(re.findall(r"{(\w+)}", texts[language])) for language in LANGUAGES]
        assert fields[0] == fields[1], key
    assert {*map(str, (*Code, *Effect, *Verdict)), *GUARDED} <= set(TEXTS) | set(evaluation.TEXTS)
    for package, own in ((models.compare, TEXTS), (models.eval.events, EVENT_TEXTS)):
        for page in Path(str(package.__file__)).parent.glob("*.j2"):
            asked = set(re.findall(r"t\('(\w+)'", page.read_text("utf-8")))
            assert asked <= set(own) | set(evaluation.TEXTS), page.name


def _seen(
    name: str, truth: int, found: list[tuple[str, float, tuple[float, float, float, float]]],
    exhaustive: tuple[str, ...] = ("excavator", "person"),
) -> Seen:  # fmt: skip
    """A picture with `truth` excavators at BOX (0 or 1) and what was found in it."""
    return Seen(
        path=Path(name), truth_xyxy=np.array([BOX] * truth, dtype=np.float64).reshape(-1, 4),
        truth_classes=("excavator",) * truth, exhaustive=frozenset(exhaustive),
        found_xyxy=np.array([box for _, _, box in found], dtype=np.float64).reshape(-1, 4),
        scores=np.array([score for _, score, _ in found], dtype=np.float64),
        found_classes=tuple(name for name, _, _ in found),
    )  # fmt: skip


def _compare(old: list[Seen], new: list[Seen], site: tuple[list[Seen], list[Seen]] | None = None, **changed: Any) -> Comparison:  # fmt: skip
    both = {
        "labelled": ["excavator"],
        "old_classes": ["excavator"],
        "new_classes": ["excavator"],
        "old_alarms": {"excavator"},
        "new_alarms": {"excavator"},
    }
    return compare((old, new), site or ([], []), **(both | {"resamples": 200} | changed))


HIT, MISS, FALSE = (
    ("excavator", 0.9, BOX),
    ("excavator", 0.4, BOX),
    ("excavator", 0.8, (100.0, 100.0, 150.0, 150.0)),
)


def test_figures_are_the_evaluations_own() -> None:
    """What each of the two is said to score is what `models eval` says of it, to the last digit."""
    rng = np.random.default_rng(3)
    old, new = (
        [_seen(str(k), k % 2, [h for h in (HIT, MISS, FALSE) if rng.random() < 0.5]) for k in range(40)]
        for _ in range(2)
    )
    row = _compare(old, new).classes[0]
    for pictures, side in ((old, "old"), (new, "new")):
        one = figures(pictures, ["excavator"], resamples=0).classes[0]
        assert {key: getattr(row.figures[key], side) for key in FIGURES} == {
            key: getattr(one, key) for key in FIGURES
        }
        assert (row.images, row.boxes) == (one.images, one.boxes)


def test_a_candidate_against_itself_differs_by_nothing() -> None:
    """Pictures differ wildly, but the same ones are drawn for both: every interval is 0 to 0."""
    pictures = [_seen(str(k), 1, [HIT] if k % 3 else [FALSE]) for k in range(30)]
    found = _compare(pictures, pictures, (pictures, pictures))
    assert {paired.interval for paired in found.classes[0].figures.values()} == {(0.0, 0.0)}
    assert (found.mean_map50.interval, found.site.a_picture.interval) == ((0.0, 0.0), (0.0, 0.0))


def test_differences_as_worked_by_hand() -> None:
    """The new one finds all forty, the old every second: recall rises by a half, and nobody can doubt it."""
    old = [_seen(str(k), 1, [HIT] if k % 2 else []) for k in range(40)]
    new = [_seen(str(k), 1, [HIT]) for k in range(40)]
    recall = _compare(old, new).classes[0].figures["recall"]
    assert (recall.old, recall.new, recall.difference) == (0.5, 1.0, 0.5)
    assert 0.3 < recall.low < 0.5 < recall.high < 0.7
    verdict, reasons = decide(_compare(old, new, ([_seen("s", 0, [])] * 20, [_seen("s", 0, [])] * 20)))
    assert (verdict, [r.code for r in reasons]) == (Verdict.BETTER, [Code.CLASSES_IMPROVE])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_who_is_old_and_who_is_new_turns_the_sign(seed: int) -> None:
    """Old against new is new against old with every difference turned round."""
    rng = np.random.default_rng(seed)
    a, b = (
        [_seen(str(k), 1, [h for h in (HIT, FALSE) if rng.random() < 0.6]) for k in range(15)]
        for _ in range(2)
    )
    there, back = _compare(a, b, (a, b), resamples=50), _compare(b, a, (b, a), resamples=50)
    for one, other in [
        *((there.classes[0].figures[key], back.classes[0].figures[key]) for key in FIGURES),
        (there.mean_map50, back.mean_map50), (there.site.a_picture, back.site.a_picture),
    ]:  # fmt: skip
        assert one.interval == pytest.approx((-other.high, -other.low), nan_ok=True)
        assert (one.old, one.new) == pytest.approx((other.new, other.old), nan_ok=True)


def _elsewhere(
    found: tuple[str, float, tuple[float, float, float, float]], score: float
) -> tuple[str, float, tuple[float, float, float, float]]:
    """The same box elsewhere, so that both count, with another score."""
    return found[0], score, (200.0 + 100 * score, 0.0, 230.0 + 100 * score, 30.0)


def test_false_alarms_are_what_no_label_explains() -> None:
    """A labelled machine is none, a box below the threshold is none, a class that isn't labelled in full there is none."""
    pictures = [
        _seen("a", 1, [HIT, FALSE]),
        _seen("b", 0, [FALSE, _elsewhere(FALSE, 0.49), _elsewhere(FALSE, 0.5)]),
        _seen("c", 0, [FALSE], exhaustive=("person",)),
    ]
    assert false_alarms(pictures, "excavator", 0.5).tolist() == [1.0, 2.0, 0.0]


def test_classes_that_only_one_knows_are_told_and_not_compared() -> None:
    """The common ones are compared; a class that raises alarms and that the candidate lacks speaks against it."""
    pictures = [_seen(str(k), 1, [HIT]) for k in range(20)]
    found = _compare(
        pictures, pictures, labelled=["excavator", "crane", "drone"], old_classes=["excavator", "crane", "car"],
        new_classes=["drone", "excavator"], old_alarms={"excavator", "crane"}, new_alarms={"excavator", "crane"},
    )  # fmt: skip
    assert [c.name for c in found.classes] == ["excavator"]
    assert (found.only_old, found.only_new, found.gone) == (("crane", "car"), ("drone",), ("crane",))
    assert decide(found)[0] is Verdict.WORSE


def test_a_class_with_alarms_that_the_frozen_set_does_not_label_is_told() -> None:
    """A set of people says nothing of excavators: who reads "better" must see that they were not judged."""
    pictures = [_seen(str(k), 1, [HIT]) for k in range(20)]
    both = ["excavator", "crane"]
    found = _compare(
        pictures, pictures, labelled=["excavator"], old_classes=both, new_classes=both, old_alarms=set(both), new_alarms=set(both)
    )  # fmt: skip
    told = [(r.class_name, r.numbers["boxes"]) for r in decide(found)[1] if r.code is Code.CLASS_TOO_RARE]
    assert told == [("crane", 0)]


def test_each_is_judged_by_the_alarms_that_its_card_allows() -> None:
    """A class that only the candidate's card ships counts on the site for it alone; one that it no longer ships is gone."""
    pictures = [_seen(str(k), 1, [HIT]) for k in range(20)]
    site = [_seen(str(k), 0, [FALSE, ("person", 0.9, BOX)]) for k in range(20)]
    known = {"old_classes": ["excavator", "person"], "new_classes": ["excavator", "person"]}
    one, two = {"excavator"}, {"excavator", "person"}
    found = _compare(pictures, pictures, (site, site), **known, old_alarms=one, new_alarms=two)
    assert found.site.by_class == {"excavator": (20, 20), "person": (0, 20)}
    assert (found.site.a_picture.old, found.site.a_picture.new, found.added) == (1.0, 2.0, ("person",))
    assert Code.FALSE_ALARMS_RISE in {reason.code for reason in decide(found)[1]}
    back = _compare(pictures, pictures, **known, old_alarms=two, new_alarms=one)
    assert (back.gone, decide(back)[0]) == (("person",), Verdict.WORSE)


def test_limits_are_told_as_they_are() -> None:
    """The command's own defaults are the table's."""
    result = CliRunner().invoke(app, ["models", "compare", "--help"])
    assert f"[default: {MAY_LOSE}" in result.stdout.replace("\n", " ")
    assert Limits() == Limits(may_lose=MAY_LOSE, may_rise=MAY_RISE)
    assert (MIN_BOXES, MIN_PICTURES) == (20, 10)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`frozen.yaml` with 24 rendered pictures of a machine and its box, and `site/` with 12 empty ones of another noise."""
    root = tmp_path_factory.mktemp("rendered")
    for folder in ("images/val", "labels/val", "site"):
        (root / folder).mkdir(parents=True)
    story = Story(fps=2, camera=CAMERA)
    stage = Stage(story)
    for k in range(24):
        frame = stage.frame(30 + 2 * k)
        box = frame.truth.bbox_px
        assert box is not None
        x0, y0, x1, y1 = (
            v / s for v, s in zip(box, (story.camera.width_px, story.camera.height_px) * 2, strict=True)
        )
        cv2.imwrite(str(root / f"images/val/{k}.jpg"), frame.bgr)
        (root / f"labels/val/{k}.txt").write_text(f"1 {(x0 + x1) / 2} {(y0 + y1) / 2} {x1 - x0} {y1 - y0}\n")
    for k in range(12):
        cv2.imwrite(str(root / f"site/{k}.jpg"), stage.frame(k).bgr)
    names = list(registry.read_card(registry.find(None)).classes)
    (root / "frozen.yaml").write_text(yaml.safe_dump({"path": ".", "val": "images/val", "names": names}))
    return root


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    """The shipped weights as somebody's candidate, at a size at which they see little."""
    folder = Path(shutil.copytree(registry.find(None), tmp_path / "candidate"))
    card = yaml.safe_load((folder / "card.yaml").read_text())
    card["name"], card["input"]["long_side_px"] = "blind-one", 64
    (folder / "card.yaml").write_text(yaml.safe_dump(card))
    return folder


def _run(old: Path | str, new: Path | str, rendered: Path, *options: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(
        app,
        ["models", "compare", str(old), str(new), "--frozen", str(rendered / "frozen.yaml"), "--site", str(rendered / "site"), *options, "--json"],
    )  # fmt: skip
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, dict(json.loads(result.stdout.splitlines()[-1]))


def test_a_blind_candidate_is_worse_and_the_other_way_round_better(
    rendered: Path, candidate: Path, tmp_path: Path
) -> None:
    """Real weights on rendered pictures: a verdict, its reasons in both languages, the exit status, and both pages."""
    code, table = _run(
        registry.DEFAULT_NAME, candidate, rendered, "--html", str(tmp_path / "page"), "--require", "better"
    )
    assert (code, table["verdict"]) == (1, "worse")
    assert {"class_loses"} <= {reason["code"] for reason in table["reasons"]}
    assert all(set(reason["text"]) == {"en", "zh"} for reason in table["reasons"])
    assert (table["new"]["name"], table["new"]["long_side_px"]) == ("blind-one", 64)
    excavator = table["classes"]["excavator"]
    assert (excavator["images"], excavator["boxes"], excavator["shipped"]) == (24, 24, True)
    assert table["site"]["pictures"] == 12
    english, chinese = (
        (tmp_path / "page" / name).read_text("utf-8") for name in ("index.html", "index.zh.html")
    )
    assert "The candidate is worse" in english
    assert "候选模型更差" in chinese
    for page in (english, chinese):
        assert all(
            (tmp_path / "page" / name).is_file() for name in re.findall(r'(?:src|href)="([^"]+)"', page)
        )
    assert _run(registry.DEFAULT_NAME, candidate, rendered)[0] == 0
    code, table = _run(candidate, registry.DEFAULT_NAME, rendered, "--require", "better")
    assert (code, table["verdict"]) == (0, "better")


def test_people_read_it_in_their_language(rendered: Path) -> None:
    """Without --json the same stands there in words, and the same network twice is undecided."""
    arguments = ["models", "compare", registry.DEFAULT_NAME, registry.DEFAULT_NAME, "--frozen", str(rendered / "frozen.yaml"),
                 "--site", str(rendered / "site"), "--lang", "zh"]  # fmt: skip
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "尚无定论" in result.stdout
    assert "两者是同一个网络" in result.stdout


def test_a_tampered_candidate_is_refused(rendered: Path, candidate: Path) -> None:
    """One changed byte, and nothing is compared."""
    data = bytearray((candidate / "model.onnx").read_bytes())
    data[-1] ^= 1
    (candidate / "model.onnx").write_bytes(data)
    with pytest.raises(ModelRefused, match="SHA-256"):
        _run(registry.DEFAULT_NAME, candidate, rendered)


def test_a_plain_folder_is_false_from_edge_to_edge(tmp_path: Path) -> None:
    """Labels beside a picture or in `labels/` say what is real; `classes.txt` says what their numbers mean."""
    for name in ("images/a.jpg", "b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "b.txt").write_text("1 0.5 0.5 0.5 0.5\n")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    b, a = sorted(
        read_site(tmp_path, "val", ("person", "excavator")).pictures, key=lambda p: p.path.name, reverse=True
    )
    assert (a.class_names, b.class_names) == (("person",), ("excavator",))
    assert a.exhaustive == b.exhaustive == {"person", "excavator"}
    (tmp_path / "classes.txt").write_text("truck\ncar\n")
    b = next(
        p for p in read_site(tmp_path, "val", ("person", "excavator")).pictures if p.path.name == "b.png"
    )
    assert b.class_names == ("car",)
    assert b.exhaustive == {"person", "excavator", "truck", "car"}


def test_a_site_whose_file_has_no_such_class_has_false_alarms_of_it_all_the_same(tmp_path: Path) -> None:
    """A site that labels its people alone: an excavator in an empty yard is false, unless its source says less."""
    (tmp_path / "images").mkdir()
    for name in ("gate_1", "yard_1"):
        cv2.imwrite(str(tmp_path / f"images/{name}.jpg"), np.full((50, 60, 3), 90, np.uint8))
    told = {"val": "images", "names": ["person", "car"]}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(told))
    known = ("person", "excavator")
    whole = read_site(tmp_path / "site.yaml", "val", known)
    assert {p.exhaustive for p in whole.pictures} == {frozenset({"person", "car", "excavator"})}
    told["exhaustive"] = {"gate": ["person"], "yard": ["person", "car"]}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(told))
    gate, yard = read_site(tmp_path / "site.yaml", "val", known).pictures
    assert (gate.exhaustive, yard.exhaustive) == (
        frozenset({"person"}),
        frozenset({"person", "car", "excavator"}),
    )


def test_classes_written_by_an_editor_of_windows_are_the_same_classes(tmp_path: Path) -> None:
    """The mark before the first class made it another one, and each labelled machine a false alarm."""
    cv2.imwrite(str(tmp_path / "现场.jpg"), np.full((50, 60, 3), 90, np.uint8))
    (tmp_path / "现场.txt").write_bytes(b"\xef\xbb\xbf0 0.5 0.5 0.2 0.2\r\n")
    (tmp_path / "classes.txt").write_bytes(b"\xef\xbb\xbfexcavator\r\nperson\r\n")
    assert read_site(tmp_path, "val", ("person",)).pictures[0].class_names == ("excavator",)
    (tmp_path / "现场.txt").write_bytes(b"0 0.5 0.5 0.2 0.2 \xe9")
    with pytest.raises(DataUnusable, match="can't be read"):
        read_site(tmp_path, "val", ("person",))


def test_a_site_without_pictures_is_told(tmp_path: Path) -> None:
    """An empty folder is a slip, not a site without false alarms."""
    with pytest.raises(DataUnusable, match="no pictures"):
        read_site(tmp_path, "val", ("person",))
