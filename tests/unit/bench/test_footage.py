"""What counts as a false alarm on annotated film; a bench that calls everything right would be no bench."""

from __future__ import annotations

import pytest

from models.eval.events.truth import Clip, Event, Unsure
from tests.bench.footage import Film, Told, summary, verdict

CLIP = Clip(
    file="gate.mp4", exhaustive=("person", "truck"),
    events=(Event(class_name="person", from_s=10.0, to_s=20.0),),
    unsure=(Unsure(class_name="truck", from_s=40.0, to_s=50.0, why="far away"),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("object_class", "at_s", "expected"),
    [
        ("person", 15.0, "true"), ("person", 22.9, "true"), ("person", 23.1, "false"), ("truck", 15.0, "false"),
        ("truck", 45.0, "unscored"), ("excavator", 15.0, "unscored"),
    ],
)  # fmt: skip
def test_an_onset_is_false_only_where_everything_of_its_class_was_annotated(
    object_class: str, at_s: float, expected: str
) -> None:
    """Who is named and not there is a false alarm; what nobody annotated is neither right nor wrong."""
    assert verdict(CLIP, object_class, at_s) == expected


def test_a_false_alarm_is_counted_under_its_rule_its_light_and_its_clip() -> None:
    """Two false alarms in half an hour are four an hour, and the interval says how little that is."""
    told = tuple(
        Told(clip="gate.mp4", at_s=at, rule_id="person-on-pipe", object_class="person", verdict=verdict)
        for at, verdict in ((1.0, "false"), (2.0, "false"), (15.0, "true"))
    )
    film = Film(
        name="gate.mp4",
        seconds=1800.0,
        light="dark",
        motion="busy",
        told=told,
        asked={"whole": 1, "window": 2, "nothing": 3},
    )
    table = summary([film])
    assert (table["false_alarms"], table["per_camera_hour"], table["true_onsets"]) == (2, 4.0, 1)
    assert table["interval_95"][0] < 1 < 14 < table["interval_95"][1]
    assert table["by_rule"]["person-on-pipe"]["false_alarms"] == 2
    assert table["by_condition"]["dark"]["false_alarms"] == 2
    assert table["by_condition"]["light"]["false_alarms"] == 0
    assert table["asked"] == {"whole": 1, "window": 2, "nothing": 3}
    assert [row[0] for row in table["clips"]["gate.mp4"]["false"]] == [1.0, 2.0]
