"""Which classes of a set of weights may raise an alarm, and why the others may not, in words for people. Pure.

A card's `shipped` lists the classes whose figures were found good enough; `measured` says of any class what
was measured and, for one that is not shipped, why. Such a class is still found and shown. A card without
`shipped` says nothing about it: then every class may. What rules make of that is `monitor.domain.violations`'
matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from models.eval.texts import text


class WhyNot(StrEnum):
    """Why a class is not shipped (`why_not` of a card's `measured`)."""

    #: Measured, and its figures miss what was asked.
    NOT_GOOD = "not_good"
    #: Too few labelled objects to say how good it is.
    TOO_FEW = "too_few"
    #: Nobody has measured it.
    NOT_MEASURED = "not_measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A class that raises no alarm with this model."""

    class_name: str
    why: WhyNot
    #: Labelled boxes it was measured on, and its AP50; None if the card doesn't say.
    boxes: int | None = None
    ap50: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipping:
    """What a card says of its classes."""

    #: None: the card has no `shipped`, every class may raise an alarm.
    shipped: tuple[str, ...] | None
    silent: tuple[Silent, ...]


#: A card without the keys.
UNSAID: Final = Shipping(shipped=None, silent=())

_WHY: Final[Mapping[WhyNot, Mapping[str, str]]] = MappingProxyType(
    {
        WhyNot.NOT_GOOD: {
            "en": "not measured well enough with this model", "zh": "该模型对此类别的检测质量不足",
        },
        WhyNot.TOO_FEW: {
            "en": "too few labelled objects to measure it with this model", "zh": "标注样本过少，无法评估该模型对此类别的检测质量",
        },
        WhyNot.NOT_MEASURED: {"en": "not measured with this model", "zh": "该模型尚未评估此类别"},
    }
)  # fmt: skip
_SENTENCE: Final = {
    "en": "{name}: {why}{figures}, raises no alarm",
    "zh": "{name}：{why}{figures}，不产生告警",
}
_AP50: Final = {"en": " (AP50 {ap50:.2f} on {boxes} boxes)", "zh": "（{boxes} 个标注框，AP50 {ap50:.2f}）"}
_BOXES: Final = {"en": " (labelled boxes: {boxes})", "zh": "（{boxes} 个标注框）"}


def sentence(silent: Silent, language: str) -> str:
    """What a person is told of a class without alarms.

    >>> sentence(Silent(class_name="fire", why=WhyNot.NOT_GOOD, boxes=241, ap50=0.234), "en")
    'fire: not measured well enough with this model (AP50 0.23 on 241 boxes), raises no alarm'
    """
    if silent.boxes is None:
        figures = ""
    elif silent.ap50 is None:
        figures = _BOXES[language].format(boxes=silent.boxes)
    else:
        figures = _AP50[language].format(boxes=silent.boxes, ap50=silent.ap50)
    return _SENTENCE[language].format(
        name=text(silent.class_name, language), why=_WHY[silent.why][language], figures=figures
    )


def read_shipping(shipped: object, measured: object, classes: tuple[str, ...]) -> Shipping:
    """`shipped` and `measured` of a card.

    Raises:
        ValueError: what is wrong, naming the key.
    """
    table = _measured(measured, classes)
    if shipped is None:
        return UNSAID
    if not isinstance(shipped, list) or not shipped or set(map(str, shipped)) - set(classes):
        raise ValueError("shipped (a list of some of the classes: those that may raise an alarm)")
    names = {str(name) for name in shipped}
    silent = tuple(
        _silent(name, table.get(name, {"why_not": WhyNot.NOT_MEASURED.value}))
        for name in classes
        if name not in names
    )
    return Shipping(shipped=tuple(name for name in classes if name in names), silent=silent)


def _measured(raw: object, classes: tuple[str, ...]) -> Mapping[str, Mapping[str, Any]]:
    if raw is None:
        return {}
    if not isinstance(raw, dict) or not all(isinstance(row, dict) for row in raw.values()):
        raise ValueError("measured (a table: {class: {boxes, ap50, why_not}})")
    unknown = set(map(str, raw)) - set(classes)
    if unknown:
        raise ValueError(f"measured (names no class of the card: {', '.join(sorted(unknown))})")
    return {str(name): row for name, row in raw.items()}


def _silent(name: str, row: Mapping[str, Any]) -> Silent:
    try:
        return Silent(
            class_name=name,
            why=WhyNot(row["why_not"]),
            boxes=None if row.get("boxes") is None else int(row["boxes"]),
            ap50=None if row.get("ap50") is None else float(row["ap50"]),
        )
    except (KeyError, TypeError, ValueError) as exc:
        reasons = ", ".join(WhyNot)
        raise ValueError(f"measured.{name} (why_not: {reasons}; boxes and ap50 numbers)") from exc
