"""Which pictures a person should look at first: those with most misses and false alarms. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.eval.matching import COCO_IOUS, match
from models.eval.values import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What went wrong in one picture at the threshold; only classes that it labels exhaustively."""

    seen: Seen
    missed: int
    false: int
    #: One a missed box, a false box's score each: a sure false alarm is as bad as a miss.
    cost: float


def worst(pictures: Sequence[Seen], *, score_min: float, most: int) -> tuple[Faults, ...]:
    """At most `most` pictures with faults, worst first."""
    faulty = [faults for seen in pictures if (faults := _faults(seen, score_min)).cost > 0]
    return tuple(sorted(faulty, key=lambda f: (-f.cost, f.seen.path.name))[:most])


def _faults(seen: Seen, score_min: float) -> Faults:
    missed = false = 0
    cost = 0.0
    for name in sorted(seen.exhaustive):
        boxes, scores = seen.found_of(name)
        strong = scores >= score_min
        matched = match(seen.truth_of(name), boxes[strong], scores[strong], ious=COCO_IOUS[:1])
        misses = int(matched.truths.sum()) - int(np.count_nonzero(matched.hit[0]))
        missed += misses
        false += int(np.count_nonzero(~matched.hit[0]))
        cost += misses + float(matched.scores[~matched.hit[0]].sum())
    return Faults(seen=seen, missed=missed, false=false, cost=cost)
