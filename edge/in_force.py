"""Which zones and rows of the table hold for a camera at one moment, with which numbers.

Pure. The rulebook decides (`monitor.domain.rulebook`); here stands only what it is asked with: the sun over
its site, its infrared state, the city's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from edge.rules import Match, Place
from monitor.domain.assets import Camera, PictureZone
from monitor.domain.hours import Schedule
from monitor.domain.rulebook import RuleSetting, closed_by, rulings
from monitor.domain.sun import light
from monitor.domain.violations import Rule


def zones_and_rules(
    camera: Camera,
    place: Place,
    rules: tuple[Rule, ...],
    settings: tuple[RuleSetting, ...],
    schedules: Mapping[str, Schedule],
    *,
    at: datetime,
    timezone: ZoneInfo,
    infrared: bool,
) -> tuple[Camera, tuple[Rule, ...]]:
    """The camera with the zones, and the rows with the numbers, that hold now; the same objects if nothing is set."""
    timed = any(zone.within or zone.outside for zone in camera.zones)
    if not timed and not settings and all(rule.when == "always" for rule in rules):
        return camera, rules
    now = light(at, place.middle, infrared=infrared)

    def is_open(zone: PictureZone) -> bool:
        closed = closed_by(zone.within, zone.outside, schedules, at=at, timezone=timezone, now=now)
        return closed is None

    if timed:
        camera = msgspec.structs.replace(camera, zones=tuple(zone for zone in camera.zones if is_open(zone)))
    held = rulings(rules, settings, schedules, at=at, timezone=timezone, now=now)
    return camera, tuple(ruling.rule for ruling in held)


def holds(match: Match, camera: Camera, rules: tuple[Rule, ...]) -> bool:
    """Whether the row and the zone of a match are in force (`camera` and `rules` as they hold now)."""
    rule_on = any(rule.on and rule.rule_id == match.rule_id for rule in rules)
    zone_on = match.zone_id is None or any(zone.zone_id == match.zone_id for zone in camera.zones)
    return rule_on and zone_on
