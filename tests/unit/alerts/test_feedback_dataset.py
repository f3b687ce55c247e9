"""Which pictures teach what: labels, splits, and what is left out."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alerts.feedback.causes import FalseCause
from alerts.feedback.dataset import Candidate, choose, classes_of, data_yaml, label_of
from tests.doubles.alert_story import NOON


def candidate(n: int = 1, **changes: Any) -> Candidate:
    values: dict[str, Any] = {
        "alert_id": f"a{n}", "number": n, "site_id": "s1", "onset_at": NOON, "state": "dismissed", "confirmation": "pending",
        "outcome": "referred", "sha256": f"{n:064x}", "footage": "real", "event_id": f"e{n}", "camera_id": "c1",
        "captured_at": NOON + timedelta(minutes=n), "object_class": "excavator", "confidence": 0.8,
        "bbox": (480.0, 270.0, 960.0, 810.0), "frame_size_px": (1920, 1080), "model": {}, "config_version": "1",
        "judged_by": "sun", "judged_role": "supervisor", "judged_at": NOON,
    }  # fmt: skip
    return Candidate(**{**values, **changes})


def test_only_causes_that_speak_of_the_picture_make_a_hard_negative() -> None:
    """A zone drawn wrong says nothing of the machine in it: as a negative it would teach that there is none."""
    made = {
        cause: len(choose([candidate(outcome="false_alarm", cause=cause)]).items)
        for cause in [*FalseCause, None]
    }
    assert [cause for cause, n in made.items() if n] == ["animal", "shadow_light", "wrong_class"]


def test_a_box_is_cut_off_at_the_frame_and_one_without_area_is_no_label() -> None:
    """A tracker's box may stick out."""
    (item,) = choose([candidate(bbox=(-20.0, 540.0, 960.0, 1200.0))]).items
    assert label_of(item, ("person", "excavator")) == "1 0.250000 0.750000 0.500000 0.500000\n"
    assert choose([candidate(bbox=(5.0, 5.0, 5.0, 9.0))]).left_out == (("no_box", 1),)
    assert choose([candidate(object_class="unexplained")]).left_out == (("no_class", 1),)


def test_nothing_is_claimed_that_nobody_looked_for() -> None:
    """Beside a confirmed machine others may stand: no class is labelled in full there."""
    items = choose(
        [candidate(1), candidate(2, outcome="false_alarm", cause="animal", object_class="person")]
    ).items
    table = data_yaml(items, classes_of(items, ("car",)))
    assert table["exhaustive"] == {"false-person-": ["person"], "right-excavator-": []}
    assert table["names"] == {0: "car", 1: "excavator", 2: "person"}


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 99)), min_size=1, max_size=40))
def test_pictures_of_one_alert_are_never_in_both_splits(drawn: list[tuple[int, int]]) -> None:
    """What teaches must not measure; with two alerts both splits have a picture, and the same call gives the same."""
    found = [candidate(alert, sha256=f"{alert * 1000 + k:064x}") for alert, k in drawn]
    items = choose(found).items
    by_alert: dict[str, set[str]] = {}
    for item in items:
        by_alert.setdefault(item.of.alert_id, set()).add(item.split)
    assert all(len(splits) == 1 for splits in by_alert.values())
    if len(by_alert) > 1:
        assert {item.split for item in items} == {"train", "val"}
    assert choose(found).items == items
    assert len({item.of.sha256 for item in items}) == len(items)
