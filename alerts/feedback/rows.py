"""One row of the table at one camera: its numbers by day and at night, and how far feedback may ever move them. Pure."""

from typing import Final, Literal

import msgspec

from alerts.feedback.points import Point
from monitor.domain.assets import LonLat
from monitor.domain.rulebook import RuleNumbers, RuleSetting, most
from monitor.domain.violations import Rule

Number = Literal["enter_score", "dwell_s"]
NUMBERS: Final[tuple[Number, ...]] = ("enter_score", "dwell_s")


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """How far one step, and all steps together, go; a share of the shipped number where `relative`."""

    step: float
    over: float
    relative: bool


BOUNDS: Final[dict[Number, Bound]] = {
    "enter_score": Bound(step=0.05, over=0.15, relative=False),
    "dwell_s": Bound(step=0.25, over=1.0, relative=True),
}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table at one camera."""

    camera_id: str
    shipped: Rule
    #: what is set for it, by the camera or for all of the edge
    setting: RuleSetting | None = None
    #: the camera's other rows, with the numbers in force by day …
    others: tuple[Rule, ...] = ()
    #: … and at night
    others_at_night: tuple[Rule, ...] = ()
    #: where the sun is looked up, as the edge does; None: nobody knows when it was night
    place: LonLat | None = None

    def in_force(self, number: Number, point: Point = Point.ALWAYS) -> float:
        """The number at night, or by day, but for classes that have their own."""
        return float(self._numbers(point).get(number, getattr(self.shipped, number)))

    def rule(self, point: Point = Point.ALWAYS) -> Rule:
        """The row with all its numbers at night, or by day; of classes that have their own, the lowest: what might come
        counts."""
        if self.setting is None:
            return msgspec.structs.replace(self.shipped, on=True)
        row = msgspec.structs.replace(self.shipped, **self._numbers(point), on=self.setting.on)
        for own in self.setting.by_class:
            numbers = {**_given(own.numbers), **(_given(own.night) if point is Point.NIGHT else {})}
            lower = {key: min(getattr(row, key), value) for key, value in numbers.items()}
            row = msgspec.structs.replace(row, **lower)
        return row

    def of_class(self, name: str, point: Point, **changes: float) -> Rule:
        """The row as it stands for one class by day or at night, with changed numbers: the class's own go over them."""
        held = {**self._numbers(point), **changes}
        own = (
            None
            if self.setting is None
            else next((one for one in self.setting.by_class if one.object_class == name), None)
        )
        if own is not None:
            held |= {**_given(own.numbers), **(_given(own.night) if point is Point.NIGHT else {})}
        return msgspec.structs.replace(self.shipped, on=True, **held)

    def others_at(self, point: Point) -> tuple[Rule, ...]:
        """The camera's other rows as they hold then; where both may, both."""
        by = {Point.NIGHT: self.others_at_night, Point.DAY: self.others}
        return by.get(point, (*self.others, *self.others_at_night))

    def ceiling(self, number: Number) -> float:
        """Never above this, whoever approves."""
        shipped, bound = float(getattr(self.shipped, number)), BOUNDS[number]
        return min(shipped + bound.over * (shipped if bound.relative else 1.0), most(self.shipped, number))

    def _numbers(self, point: Point) -> dict[str, float]:
        """What is set for all classes."""
        if self.setting is None:
            return {}
        at_night = _given(self.setting.night) if point is Point.NIGHT else {}
        return {**_given(self.setting.numbers), **at_night}


def _given(numbers: RuleNumbers) -> dict[str, float]:
    return {key: value for key, value in msgspec.structs.asdict(numbers).items() if value is not None}
