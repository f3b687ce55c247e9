"""Everything that the loop says has a text in both languages."""

from __future__ import annotations

from itertools import chain

from alerts import texts
from alerts.feedback.causes import Outcome
from alerts.health import WATCHING
from alerts.lifecycle import State, Step
from alerts.permits import Limit
from alerts.reasons import Choice, EndOfDispatch, Health, Why
from monitor.domain.events import CameraState
from tests.doubles.alert_story import event
from tests.unit.alerts.test_alerts_decide import opened


def test_every_key_has_both_languages() -> None:
    """States, steps, health alerts and reasons: English and Chinese, none empty."""
    cameras = [f"camera_{state}" for state in CameraState if state not in WATCHING]
    graded = ["violation", "within_band", "may_lie_within", "hca_grade", "activity", "long_dwell", "night", "repeat",
              "permit", "permit_not_known_to_law"]  # fmt: skip
    for catalogue, keys in (
        (texts.STATES, State),
        (texts.STEPS, [*Step, "open", "join", "rise", "fall", "note", "escalate"]),
        (texts.HEALTH, Health),
        (texts.REASONS, chain(Why, Choice, EndOfDispatch, Outcome, Limit, cameras, graded)),
    ):
        assert set(map(str, keys)) <= set(catalogue)
        assert all(set(text) == {"en", "zh"} and all(text.values()) for text in catalogue.values())


def test_the_article_names_law_and_penalty() -> None:
    """Excavation within 5 m: Article 30, paragraph 2, penalty by Article 52."""
    article = texts.article(opened(event()))
    assert article is not None
    assert article["en"].endswith("Article 30(2); penalty: Article 52")
    assert "第30条第2项" in article["zh"]
