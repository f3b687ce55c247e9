"""Who is followed as whom: another thing never takes over a track, and with it its silence."""

from __future__ import annotations

from edge.tracking import ByteTracker, Raw

CAR = Raw(class_name="car", score=0.84, xyxy=(400.0, 300.0, 560.0, 400.0))


def person(x_px: float, score: float = 0.8) -> Raw:
    return Raw(class_name="person", score=score, xyxy=(x_px, 290.0, x_px + 60.0, 410.0))


def test_who_walks_in_front_of_a_parked_car_is_not_the_car() -> None:
    """He is first found where he hides it: his track is his own from the first look to the last."""
    tracker, seen = ByteTracker(), {}
    for k in range(60):
        at_s = 0.2 * k
        boxes = [CAR] if k < 20 else [person(450 + 2 * (k - 20)), *([CAR] if k > 40 else [])]
        for one in tracker.update(boxes, at_s):
            seen.setdefault(one.track_id, set()).add(one.class_name)
    assert sorted(map(sorted, seen.values())) == [["car"], ["person"]]


def test_a_machine_that_looks_like_a_truck_now_and_then_stays_one_track() -> None:
    """The detector confuses machines: that splits no track."""
    tracker, seen = ByteTracker(), set()
    for k in range(30):
        name = "truck" if k % 5 == 0 else "excavator"
        box = Raw(class_name=name, score=0.7, xyxy=(100.0 + k, 100.0, 300.0 + k, 260.0))
        seen |= {one.track_id for one in tracker.update([box], 0.2 * k)}
    assert len(seen) == 1


def test_no_two_tracks_share_an_id() -> None:
    """People, machines and fires are counted by trackers of their own; an event's track is one thing."""
    tracker, seen = ByteTracker(), {}
    for k in range(40):
        kinds = ("person", "excavator", "fire", "smoke")
        boxes = [
            Raw(
                class_name=kind,
                score=0.8,
                xyxy=(150.0 * n + 700.0 * (k // 20), 50.0, 150.0 * n + 100.0 + 700.0 * (k // 20), 200.0),
            )
            for n, kind in enumerate(kinds)
        ]
        for one in tracker.update(boxes, 1.0 * k):
            seen.setdefault(one.track_id, set()).add(one.class_name)
    assert 0 not in seen
    assert all(len(names) == 1 for names in seen.values())
