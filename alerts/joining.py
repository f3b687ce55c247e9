"""Which alert an episode belongs to: one of the site's running ones, or none of them.

Pure. One alert per place: within 50 m on the same side of the pipeline, or, without a ground fix, the
same camera and zone of its picture; and within half an hour of the alert's last update.
"""

import math
from collections.abc import Sequence

from alerts.policy import Policy
from alerts.reasons import Why
from alerts.values import Alert
from monitor.domain.events import RiskEvent
from monitor.domain.geometry import LocalFrame

#: distances are measured about the alert's place, and looked up about the event's: their metres differ by far less
SLACK = 1.02


def in_time(event: RiskEvent, alert: Alert, policy: Policy) -> bool:
    """Whether the event lies within the alert's time, widened by half an hour on both sides.

    Both sides, since the backlog of an edge that was cut off arrives late.
    """
    return alert.onset_at - policy.join_within <= event.captured_at <= alert.last_seen_at + policy.join_within


def distance_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres between two (lon, lat) some hundred metres apart."""
    return math.hypot(*LocalFrame(a).to_en_m(b))


def same_side(event: RiskEvent, alert: Alert) -> bool:
    """Whether both lie on the same side. Within its own error of the centreline a side is not known."""
    if event.offset_m is None or alert.offset_m is None or event.pipeline_id != alert.pipeline_id:
        return True
    known = abs(event.offset_m) > (event.position.accuracy_m if event.position else 0.0) and abs(
        alert.offset_m
    ) > (alert.accuracy_m or 0.0)
    return not known or (event.offset_m >= 0) == (alert.offset_m >= 0)


def belongs(event: RiskEvent, alert: Alert, policy: Policy) -> Why | None:
    """Why the event belongs to this alert's place, or None."""
    if (
        event.site_id != alert.site_id
        or event.violation != alert.violation
        or not in_time(event, alert, policy)
    ):
        return None
    if event.position is not None and alert.place is not None:
        near = distance_m(alert.place, (event.position.lon, event.position.lat)) <= policy.join_within_m
        return Why.SAME_PLACE if near and same_side(event, alert) else None
    if event.camera_id == alert.camera_id and event.zone_id == alert.zone_id:
        return Why.SAME_PICTURE_ZONE
    return None


def place_box(event: RiskEvent, policy: Policy) -> dict[str, float | None]:
    """Degrees around everything that may be within the joining distance of the event; None without a position."""
    if event.position is None:
        return dict.fromkeys(("west", "south", "east", "north"))
    frame = LocalFrame((event.position.lon, event.position.lat))
    reach_m = policy.join_within_m * SLACK
    west, south = frame.to_lonlat((-reach_m, -reach_m))
    east, north = frame.to_lonlat((reach_m, reach_m))
    return {"west": west, "south": south, "east": east, "north": north}


def apart(events: Sequence[RiskEvent], policy: Policy) -> tuple[bool, ...]:
    """Of each event: whether no earlier one of them could share an alert with it, whatever that one does.

    Where it is True the order of the two does not matter, so that both may be decided at once.
    """
    earlier: dict[tuple[str, str], list[RiskEvent]] = {}
    episodes: set[str] = set()
    found = []
    for event in events:
        others = earlier.setdefault((event.site_id, event.violation), [])
        found.append(
            event.episode_id not in episodes and not any(_in_reach(event, one, policy) for one in others)
        )
        others.append(event)
        episodes.add(event.episode_id)
    return tuple(found)


def _in_reach(event: RiskEvent, other: RiskEvent, policy: Policy) -> bool:
    if event.position is None or other.position is None:
        return event.camera_id == other.camera_id
    here, there = (event.position.lon, event.position.lat), (other.position.lon, other.position.lat)
    return distance_m(here, there) <= policy.join_within_m * SLACK
