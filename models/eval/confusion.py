"""What is taken for what: labelled against found classes in one picture, pure.

Counts from a score on; a found box takes the labelled box of any class that it overlaps most. What
overlaps nothing is a false alarm only where its class is labelled exhaustively.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import numpy as np

from models.boxes import iou
from models.eval.values import Seen

IOU_MIN: Final = 0.5
#: Key for "nothing": a labelled box that was missed, or a found one where nothing is.
NOTHING: Final = ""


def confusion(pictures: Iterable[Seen], *, score_min: float) -> Counter[tuple[str, str]]:
    """{(labelled class, found class): boxes}; either may be `NOTHING`."""
    counts: Counter[tuple[str, str]] = Counter()
    for seen in pictures:
        counts += _one(seen, score_min)
    return counts


def _one(seen: Seen, score_min: float) -> Counter[tuple[str, str]]:
    strong = np.flatnonzero(seen.scores >= score_min)
    overlaps = iou(seen.truth_xyxy, seen.found_xyxy[strong])
    pairs = np.argwhere(overlaps >= IOU_MIN)
    pairs = pairs[np.argsort(-overlaps[pairs[:, 0], pairs[:, 1]], kind="stable")]
    counts: Counter[tuple[str, str]] = Counter()
    truths, found = set(range(len(seen.truth_classes))), set(range(len(strong)))
    for g, d in pairs.tolist():
        if g in truths and d in found:
            truths.remove(g)
            found.remove(d)
            counts[seen.truth_classes[g], seen.found_classes[strong[d]]] += 1
    counts.update((seen.truth_classes[g], NOTHING) for g in truths)
    unlabelled = (seen.found_classes[strong[d]] for d in found)
    counts.update((NOTHING, name) for name in unlabelled if name in seen.exhaustive)
    return counts
