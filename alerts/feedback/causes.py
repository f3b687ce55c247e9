"""How a case is closed, and why a camera raised it for nothing: two tables. Pure.

The outcome flows back: it makes the precision of a camera and rule, and the cause says which setting might have
kept the false alarm away. A cause that no number can help says what a person looks at instead.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal

import msgspec

from monitor.domain.assets import Text


class Outcome(StrEnum):
    """How a case was closed. It flows back to the model and the zone."""

    RECTIFIED = "rectified"
    REFERRED = "referred"  # to enforcement
    PERMITTED_WORK = "permitted_work"
    FALSE_ALARM = "false_alarm"
    DUPLICATE = "duplicate"
    NO_ACCESS = "no_access"


class FalseCause(StrEnum):
    """Why it was a false alarm."""

    PASSING_VEHICLE = "passing_vehicle"
    ANIMAL = "animal"
    SHADOW_LIGHT = "shadow_light"
    PERMITTED_WORK = "permitted_work"
    WRONG_ZONE = "wrong_zone"
    WRONG_PLACE = "wrong_place"
    WRONG_CLASS = "wrong_class"
    OTHER = "other"  # the note says which


#: what might have kept it away: a number that the edge has for the rule, or what a person looks at
Remedy = Literal["enter_score", "dwell_s", "zone", "survey", "permit", "none"]


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    text: Text
    remedy: Remedy


CAUSES: Final[Mapping[FalseCause, Cause]] = {
    FalseCause.PASSING_VEHICLE: Cause(text={"en": "a vehicle that passed", "zh": "路过的车辆"}, remedy="dwell_s"),
    FalseCause.ANIMAL: Cause(text={"en": "an animal", "zh": "动物"}, remedy="enter_score"),
    FalseCause.SHADOW_LIGHT: Cause(text={"en": "shadow or light", "zh": "阴影或光线"}, remedy="enter_score"),
    FalseCause.PERMITTED_WORK: Cause(text={"en": "permitted work", "zh": "许可作业"}, remedy="permit"),
    FalseCause.WRONG_ZONE: Cause(text={"en": "the zone in the picture is drawn wrong", "zh": "画面区域划定有误"}, remedy="zone"),
    FalseCause.WRONG_PLACE: Cause(text={"en": "somewhere else than the alert says", "zh": "位置判断有误"}, remedy="survey"),
    FalseCause.WRONG_CLASS: Cause(text={"en": "something else than the alert says", "zh": "目标类别判断有误"}, remedy="enter_score"),
    FalseCause.OTHER: Cause(text={"en": "another cause, see the note", "zh": "其他原因，见备注"}, remedy="none"),
}  # fmt: skip


class Verdict(StrEnum):
    """What an alert says of the camera that raised it."""

    RIGHT = "right"  # confirmed: rectified or referred, or confirmed although nobody got in
    FALSE = "false"
    LAWFUL = "lawful"  # seen rightly, and permitted
    UNJUDGED = "unjudged"  # runs, or was closed without anybody saying so


def verdict_of(outcome: str | None, confirmation: str, *, closed: bool, supervised: bool = False) -> Verdict:
    """What a case says, by its closing; an alert that runs says nothing yet.

    A duplicate says nothing of its own. Where nobody got in, the word of the room counts.
    """
    if supervised:
        return Verdict.LAWFUL
    if not closed:
        return Verdict.UNJUDGED
    match outcome:
        case Outcome.RECTIFIED | Outcome.REFERRED:
            return Verdict.RIGHT
        case Outcome.FALSE_ALARM:
            return Verdict.FALSE
        case Outcome.PERMITTED_WORK:
            return Verdict.LAWFUL
        case Outcome.NO_ACCESS if confirmation == "confirmed":
            return Verdict.RIGHT
    return Verdict.UNJUDGED
