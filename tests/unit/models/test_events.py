"""Which report finds which event, when a detector reports at all, and what follows for a day: worked by hand, and properties."""

from __future__ import annotations

import inspect
import math
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from models.compare.texts import say
from models.compare.verdict import Code, Effect, Reason
from models.errors import DataUnusable
from models.eval.events import rates
from models.eval.events.debounce import LOOKS_PER_S, SHIPPED, Debounce, Look, Report, reports
from models.eval.events.matching import AFTER_S, FALSE, Matched, Outcome, match
from models.eval.events.summary import Watched, as_table, summarise
from models.eval.events.texts import TEXTS, text
from models.eval.events.truth import SHARED_CLIPS, Clip, Event, Unsure, read_truth
from models.eval.texts import LANGUAGES
from models.shipped import Silent, WhyNot, sentence
from monitor.domain.assets import Camera
from monitor.domain.violations import Rule

BRIEF = Debounce(seen_least=2, of_last=3, gone_s=1.0, stay_score=0.3)


def _looks(scores: str, step_s: float = 0.25) -> list[Look]:
    """One look a character: "#" 0.9, "+" 0.4 (stays, but doesn't enter), "-" nothing."""
    worth = {"#": 0.9, "+": 0.4, "-": 0.0}
    return [Look(media_s=k * step_s, best={"fire": worth[c]}) for k, c in enumerate(scores)]


def _reports(scores: str) -> list[tuple[float, float]]:
    return [(r.at_s, r.until_s) for r in reports(_looks(scores), "fire", threshold=0.5, debounce=BRIEF)]


def _report(at_s: float, until_s: float | None = None) -> Report:
    return Report(class_name="fire", at_s=at_s, until_s=at_s if until_s is None else until_s)


def _event(from_s: float, to_s: float, within_s: float | None = None) -> Event:
    return Event(class_name="fire", from_s=from_s, to_s=to_s, within_s=within_s)


def _outcomes(matched: Matched) -> list[Outcome]:
    return [j.outcome for j in matched.reports]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ("#----", []),  # one look never reports
        ("##---", [(0.25, 0.25)]),
        ("#-#--", [(0.5, 0.5)]),  # two of three
        ("#--#-", []),  # two of four
        ("##+++", [(0.25, 1.0)]),  # a lower score keeps what is there
        ("++++", []),  # and never begins it
        ("##--##", [(0.25, 1.25)]),  # gone for less than a second: still the same
        ("##---##", [(0.25, 0.25), (1.5, 1.5)]),  # gone for a second: new, and needs two looks again
    ],
)
def test_looks_become_reports(scores: str, expected: list[tuple[float, float]]) -> None:
    """Two of the last three looks report, a lower score stays, a second's absence ends."""
    assert _reports(scores) == expected


def test_a_threshold_below_the_staying_score_counts_for_both() -> None:
    """A class with a low threshold is not told anew at every look between both scores."""
    looks = [Look(media_s=k / 5, best={"fire": 0.2}) for k in range(30)]
    assert len(reports(looks, "fire", threshold=0.15)) == 1


def test_reporting_is_as_the_edge_ships() -> None:
    """Looks a second are a camera's, scores those of the rules; a class goes no later than the edge lets it."""
    camera = next(f for f in Camera.__struct_fields__ if f == "looks_per_s")
    assert (
        dict(zip(Camera.__struct_fields__[::-1], Camera.__struct_defaults__[::-1], strict=False))[camera]
        == LOOKS_PER_S
    )
    rule = inspect.signature(Rule).parameters
    assert rule["leave_score"].default == SHIPPED.stay_score
    assert rule["enter_score"].default == inspect.signature(reports).parameters["threshold"].default
    assert rule["gone_s"].default >= SHIPPED.gone_s


@pytest.mark.parametrize(
    ("at_s", "expected"),
    [
        (4.99, Outcome.NOTHING_THERE),
        (5.0, Outcome.FINDS),
        (15.0, Outcome.FINDS),
        (15.01, Outcome.LATE),
        (40.0, Outcome.LATE),
        (40.01, Outcome.NOTHING_THERE),
    ],
)
def test_a_report_finds_an_event_within_ten_seconds(at_s: float, expected: Outcome) -> None:
    """An event from 5 to 40 s is found from its first second on and until ten have passed, both ends included."""
    matched = match([_report(at_s)], [_event(5, 40)])
    assert _outcomes(matched) == [expected]
    assert len(matched.missed) == (expected is not Outcome.FINDS)


def test_an_event_may_have_a_time_of_its_own() -> None:
    """What must be told within three seconds isn't found after four."""
    assert _outcomes(match([_report(4.0)], [_event(0, 20, within_s=3)])) == [Outcome.LATE]
    assert _outcomes(match([_report(4.0)], [_event(0, 20)], within_s=4)) == [Outcome.FINDS]


def test_an_event_that_is_over_is_not_found_much_later() -> None:
    """A car that left after two seconds is not what was reported at nine."""
    assert _outcomes(match([_report(2 + AFTER_S)], [_event(0, 2)])) == [Outcome.FINDS]
    assert _outcomes(match([_report(9.0)], [_event(0, 2)])) == [Outcome.NOTHING_THERE]


def test_an_event_is_found_once() -> None:
    """The second report of it is a false alarm, in time or not; so is one between two events."""
    matched = match([_report(t) for t in (1.0, 2.0, 18.0, 25.0, 31.0)], [_event(0, 20), _event(30, 50)])
    assert _outcomes(matched) == [
        Outcome.FINDS, Outcome.REPEATED, Outcome.REPEATED, Outcome.NOTHING_THERE, Outcome.FINDS,
    ]  # fmt: skip
    assert [seconds for _, seconds in matched.found] == [1.0, 1.0]


def test_what_nobody_can_judge_counts_for_nothing() -> None:
    """A report in an unsure stretch is no false alarm; if it still stands when the event comes, it has found it at once."""
    unsure = [Unsure(class_name="fire", from_s=0, to_s=5, why="glow")]
    assert _outcomes(match([_report(3.0)], [], unsure)) == [Outcome.UNSURE]
    standing = match([_report(3.0, 8.0)], [_event(5, 20)], unsure)
    assert (_outcomes(standing), standing.found[0][1]) == ([Outcome.FINDS], 0.0)
    ended = match([_report(3.0, 5.2)], [_event(5, 20)], unsure)
    assert (_outcomes(ended), len(ended.missed)) == ([Outcome.UNSURE], 1)


times = st.integers(0, 400).map(lambda k: k / 4)


@st.composite
def _scenes(draw: st.DrawFn) -> tuple[list[Report], list[Event], list[Unsure]]:
    """Reports anywhere; events one after the other; stretches anywhere. Quarters of seconds, so that sums are exact."""
    edges = sorted(draw(st.lists(times, unique=True, max_size=12)))
    events = [_event(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    told = [_report(t, t + draw(st.integers(0, 40)) / 4) for t in draw(st.lists(times, max_size=15))]
    stretches = draw(st.lists(st.tuples(times, times), max_size=2))
    return (
        told,
        events,
        [Unsure(class_name="fire", from_s=a, to_s=a + b + 0.25, why="") for a, b in stretches],
    )


@given(_scenes())
def test_every_report_finds_an_event_or_is_false(
    scene: tuple[list[Report], list[Event], list[Unsure]],
) -> None:
    """No report is lost, none counts twice, no event is found twice; what is found and what is missed is all there is."""
    told, events, unsure = scene
    matched = match(told, events, unsure)
    assert sorted(r.at_s for r in told) == [j.report.at_s for j in matched.reports]
    hits = [j.event for j in matched.reports if j.outcome is Outcome.FINDS]
    assert all(e is not None for e in hits)
    assert sorted(e.from_s for e in [*(e for e in hits if e), *matched.missed]) == sorted(
        e.from_s for e in events
    )
    rest = [j.outcome for j in matched.reports if j.outcome is not Outcome.FINDS]
    assert all(o in FALSE for o in rest) if not unsure else all(o in FALSE | {Outcome.UNSURE} for o in rest)
    assert all(0 <= seconds <= 10 for _, seconds in matched.found)


@given(_scenes(), st.integers(0, 4000).map(lambda k: k / 4))
def test_when_the_film_begins_is_nothing(
    scene: tuple[list[Report], list[Event], list[Unsure]], shift_s: float
) -> None:
    """The same scene later in the film is judged the same, report by report."""
    told, events, unsure = scene
    later = match(
        [_report(r.at_s + shift_s, r.until_s + shift_s) for r in told],
        [_event(e.from_s + shift_s, e.to_s + shift_s) for e in events],
        [Unsure(class_name="fire", from_s=u.from_s + shift_s, to_s=u.to_s + shift_s, why="") for u in unsure],
    )
    now = match(told, events, unsure)
    assert _outcomes(later) == _outcomes(now)
    assert [s for _, s in later.found] == [s for _, s in now.found]


@given(_scenes())
def test_more_time_never_finds_less(scene: tuple[list[Report], list[Event], list[Unsure]]) -> None:
    """Who may report within twenty seconds finds at least as many events as within ten."""
    told, events, _ = scene
    assert len(match(told, events, within_s=20).found) >= len(match(told, events, within_s=10).found)


@pytest.mark.parametrize(
    ("count", "expected"),
    # chi-square quantiles as scipy 1.17.1 gives them: chi2.ppf(0.025, 2 n) / 2 and chi2.ppf(0.975, 2 n + 2) / 2
    [(0, (0.0, 3.68888)), (1, (0.02532, 5.57164)), (4, (1.08987, 10.24159)), (100, (81.36399, 121.62679))],
)
def test_the_interval_of_a_count_is_exact(count: int, expected: tuple[float, float]) -> None:
    """None seen may still be three in truth; the ends are Garwood's."""
    assert rates.poisson_interval(count) == pytest.approx(expected, abs=2e-5)


def test_f1_leans_as_the_role_wants() -> None:
    """With bias 1 it is the usual one; an operator's leans to precision, a recording's to recall; nothing right is 0."""
    assert rates.f1(0.5, 1.0, 1.0) == pytest.approx(2 / 3)
    alert, recording = (rates.RECALL_BIAS[role] for role in ("operational_alert", "event_recording"))
    assert rates.f1(0.5, 1.0, alert) == pytest.approx(1.65 * 0.5 / (1 + 0.65 * 0.5))
    assert rates.f1(0.9, 0.6, alert) > rates.f1(0.6, 0.9, alert)
    assert rates.f1(0.9, 0.6, recording) < rates.f1(0.6, 0.9, recording)
    assert rates.f1(0.0, 0.0, alert) == 0.0
    assert math.isnan(rates.f1(0.0, math.nan, alert))


def _watched(scores: str, events: tuple[Event, ...], exhaustive: tuple[str, ...] = ("fire",)) -> Watched:
    looks = tuple(_looks(scores, 1.0))
    clip = Clip(file="a.mp4", exhaustive=exhaustive, events=events)
    return Watched(clip=clip, looks=looks, length_s=float(len(scores)))


def test_figures_of_an_hour_worked_by_hand() -> None:
    """An hour with one event found after 2 s, one missed and one false alarm: 24 false alarms a day, 0.6 to 134."""
    scores = "##" + "-" * 10 + "##" + "-" * 3586
    table = as_table(
        summarise(
            [_watched(scores, (_event(11, 20), _event(100, 200)))], {"fire": 0.5, "car": 0.5}, debounce=BRIEF
        )
    )
    row = table["classes"]["fire"]
    assert (row["events"], row["found"], row["missed"], row["to_report_median_s"]) == (2, 1, 1, 2.0)
    assert (row["false_alarms"], row["false"]["nothing_there"], row["recall"], row["precision"]) == (
        1,
        1,
        0.5,
        0.5,
    )
    assert row["false_per_camera_day"] == pytest.approx(24.0)
    assert row["false_per_camera_day_interval"] == pytest.approx([24 * 0.02532, 24 * 5.57164], abs=1e-3)
    assert table["looks_per_s"] == pytest.approx(1.0)
    assert "car" not in table["classes"]


def test_classes_that_raise_no_alarm_are_left_out_of_the_alarms() -> None:
    """What is only shown counts among all, and not among what may raise an alarm; if nobody said, all may."""
    seen = _watched("--##-", (), exhaustive=("fire", "car"))
    both = {"fire": 0.5, "car": 0.5}
    alarms = [
        as_table(summarise([seen], both, debounce=BRIEF, alarms=classes))["shipped"]["false_alarms"]
        for classes in (("car",), ("fire",), None)
    ]
    assert alarms == [0, 1, 1]


def test_a_class_is_scored_only_where_it_is_annotated() -> None:
    """What nobody annotated is neither a false alarm there, nor film in which none came."""
    known, unknown = _watched("--##-", ()), _watched("--##-", (), exhaustive=("car",))
    row = as_table(summarise([known, unknown], {"fire": 0.5}, debounce=BRIEF))["classes"]["fire"]
    assert (row["clips"], row["watched_s"], row["false_alarms"], row["recall"]) == (1, 5.0, 1, None)


def test_our_annotations_hold_together() -> None:
    """The shared clips' file reads, names the twelve clips with their hashes, and the neon sign's without any fire."""
    truth = read_truth(SHARED_CLIPS)
    assert (len(truth.clips), truth.within_s) == (12, 10.0)
    assert all(re.fullmatch("[0-9a-f]{64}", clip.sha256 or "") for clip in truth.clips)
    neon = next(clip for clip in truth.clips if clip.file == "night_neon_sign_negative.mp4")
    assert {"fire", "smoke"} <= set(neon.exhaustive)
    assert neon.events == ()


@pytest.mark.parametrize(
    ("clip", "said"),
    [
        ({"events": [{"class": "fire", "from_s": 5, "to_s": 5}]}, "from_s"),
        ({"events": [{"class": "fire", "from_s": -1, "to_s": 5}]}, "from_s"),
        ({"events": [{"class": "fire", "from_s": 0, "to_s": math.inf}]}, "from_s"),
        ({"events": [{"class": "fire", "from_s": 0, "to_s": 5, "within_s": math.inf}]}, "within_s"),
        ({"events": [{"class": "car", "from_s": 0, "to_s": 5}]}, "exhaustive"),
        ({"events": [{"class": "fire", "from_s": 0, "to_s": 5}, {"class": "fire", "from_s": 4, "to_s": 9}]}, "while another lasts"),
        ({"events": [{"class": "fire", "from_s": 0, "to_s": 5, "within_s": 0}]}, "within_s"),
        ({"events": [{"class": "fire", "from_s": 0}]}, r"clips\[0\]\.events\[0\]"),
        ({"evnets": []}, "evnets"),
    ],
)  # fmt: skip
def test_annotations_that_make_no_sense_are_told(tmp_path: Path, clip: dict[str, object], said: str) -> None:
    """The error names the file, the clip or place in it, and what to mend."""
    path = tmp_path / "events.yaml"
    path.write_text(yaml.safe_dump({"clips": [{"file": "a.mp4", "exhaustive": ["fire"]} | clip]}))
    with pytest.raises(DataUnusable, match=said) as told:
        read_truth(path)
    assert str(path) in str(told.value)


@pytest.mark.parametrize("text", ["", "- a", "{", "\x00", "clips: []\nwithin_s: 0", "clips: [{file: a, exhaustive: []}, {file: a, exhaustive: []}]"])  # fmt: skip
def test_what_is_no_list_of_events_is_told(tmp_path: Path, text: str) -> None:
    """Whatever the file holds, the answer is an error of ours."""
    (tmp_path / "events.yaml").write_text(text)
    with pytest.raises(DataUnusable):
        read_truth(tmp_path / "events.yaml")


@pytest.mark.parametrize("name", ["title", "bar", "about", "seconds", "means"])
def test_a_class_may_be_called_like_a_text(name: str) -> None:
    """A site's own class named as one of the page's sentences is written as it is, not a crash."""
    assert text(name, "en") == text(name, "zh") == name
    assert sentence(Silent(class_name=name, why=WhyNot.TOO_FEW), "en").startswith(f"{name}: ")
    reason = Reason(code=Code.CLASS_ADDED, effect=Effect.NOTE, class_name=name)
    assert name in say(reason, "en")


def test_every_text_of_the_event_page_is_there_in_both_languages() -> None:
    """No word is left untranslated, and both fill in the same values; each outcome has its words."""
    assert {f"outcome_{o}" for o in Outcome} <= set(TEXTS)
    assert set(rates.RECALL_BIAS) <= set(TEXTS)
    for key, texts in TEXTS.items():
        assert set(texts) == set(LANGUAGES), key
        fields = [sorted(re.findall(r"{(\w+)}", texts[language])) for language in LANGUAGES]
        assert fields[0] == fields[1], key
