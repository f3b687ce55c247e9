"""What a comparison of two detectors finds, as values. Decides nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.eval.bootstrap import Interval

#: The figures of a class that are compared, as `models.eval` names them.
FIGURES: Final = ("map50", "recall_at_p90", "precision", "recall")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """One figure of both, and how much more of it the new one has. NaN where it can't be measured."""

    old: float
    new: float
    #: 95 % bootstrap interval of new less old: each draw takes the same pictures for both.
    interval: Interval

    @property
    def difference(self) -> float:
        """New less old."""
        return self.new - self.old

    @property
    def low(self) -> float:
        """The least that it may have gained (the most that it may have lost)."""
        return self.interval[0]

    @property
    def high(self) -> float:
        """The most that it may have gained."""
        return self.interval[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedClass:
    """A class that both know, on the frozen set."""

    name: str
    #: Rules raise alarms on it with the model in use.
    shipped: bool
    images: int
    boxes: int
    #: By the names in `FIGURES`.
    figures: Mapping[str, Paired]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedSite:
    """False alarms on a site's own pictures, each detector's of the classes on which rules raise alarms with it."""

    pictures: int
    #: Found boxes from the threshold on that nothing labelled explains, a picture.
    a_picture: Paired
    #: (pictures,) of the old, and of the new.
    totals: tuple[NDArray[np.float64], NDArray[np.float64]]
    #: {class: (old, new)} in all pictures together; 0 where a class raises no alarm.
    by_class: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything that a verdict is made from."""

    threshold: float
    classes: tuple[ComparedClass, ...]
    #: Mean AP50 over the shipped classes with enough labels.
    mean_map50: Paired
    site: ComparedSite
    #: Classes that only one of the two knows.
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    #: Classes on which rules raise alarms with the old one and not with the new, which doesn't know them or
    #: whose card doesn't ship them; and the other way round.
    gone: tuple[str, ...]
    added: tuple[str, ...]
    #: Both are the same network at the same input size.
    same: bool


def as_table(found: Comparison) -> dict[str, Any]:
    """The figures as plain JSON values, rounded to four digits; None for what could not be measured."""
    return {
        "threshold": found.threshold,
        "classes": {
            c.name: {"shipped": c.shipped, "images": c.images, "boxes": c.boxes}
            | {key: paired_row(paired) for key, paired in c.figures.items()}
            for c in found.classes
        },
        "mean_map50_shipped": paired_row(found.mean_map50),
        "site": {
            "pictures": found.site.pictures,
            "false_alarms_a_picture": paired_row(found.site.a_picture),
            "classes": {name: {"old": old, "new": new} for name, (old, new) in found.site.by_class.items()},
        },
        "only_old": list(found.only_old),
        "only_new": list(found.only_new),
        "alarms_gone": list(found.gone),
        "alarms_added": list(found.added),
    }


def paired_row(paired: Paired) -> dict[str, Any]:
    """One compared figure as plain JSON values."""
    return {
        "old": plain(paired.old), "new": plain(paired.new), "difference": plain(paired.difference),
        "interval": [plain(v) for v in paired.interval],
    }  # fmt: skip


def plain(value: float) -> float | None:
    """Four digits, None for NaN."""
    return None if math.isnan(value) else round(value, 4)
