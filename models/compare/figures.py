"""Differences between two detectors on the same pictures, with paired intervals: pure.

The figures are `models.eval`'s own, as are matching and draws; a draw takes the same pictures for both, so what
makes pictures hard for both cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from models.compare.values import ComparedClass, ComparedSite, Comparison, Paired
from models.compare.verdict import counts
from models.eval import bootstrap, precision
from models.eval.bootstrap import Draws, Placed
from models.eval.matching import COCO_IOUS
from models.eval.summary import ENTER_SCORE, PRECISION_WANTED, place
from models.eval.values import Seen

Values = NDArray[np.float64]
IOU: Sequence[float] = COCO_IOUS[:1]


def compare(
    frozen: tuple[Sequence[Seen], Sequence[Seen]],
    site: tuple[Sequence[Seen], Sequence[Seen]],
    *,
    labelled: Sequence[str],
    old_classes: Sequence[str],
    new_classes: Sequence[str],
    old_alarms: Collection[str],
    new_alarms: Collection[str],
    threshold: float = ENTER_SCORE,
    same: bool = False,
    resamples: int = bootstrap.RESAMPLES,
) -> Comparison:
    """Compare what the old and the new detector saw.

    Args:
        frozen: the same labelled pictures in the same order, as (old, new) saw them.
        site: likewise, pictures in which only what is labelled is to be reported.
        labelled: classes of the frozen set.
        old_classes: what the old one knows.
        new_classes: what the new one knows.
        old_alarms: classes on which rules raise alarms with the old one, as its card ships them.
        new_alarms: likewise with the new one.
        threshold: score from which rules take a box as seen.
        same: both are the same network at the same input size.
        resamples: draws of an interval.
    """
    common = [name for name in old_classes if name in new_classes]
    draws = bootstrap.draw(len(frozen[0]), resamples)
    classes, means = [], []
    for name in common:
        # One that raises alarms and isn't labelled there is told: nobody can say whether it was lost.
        if name not in labelled and name not in old_alarms:
            continue
        pair = (place(frozen[0], name, IOU), place(frozen[1], name, IOU))
        drawn = tuple(bootstrap.average_precisions(one, draws) for one in pair)
        row = _class(name, pair, draws, (drawn[0], drawn[1]), shipped=name in old_alarms, threshold=threshold)
        classes.append(row)
        if counts(row):
            means.append((row.figures["map50"], drawn))
    alarms = ([n for n in old_classes if n in old_alarms], [n for n in new_classes if n in new_alarms])
    return Comparison(
        threshold=threshold,
        classes=tuple(classes),
        mean_map50=Paired(
            old=_mean([paired.old for paired, _ in means]),
            new=_mean([paired.new for paired, _ in means]),
            interval=bootstrap.interval(_mean_difference([(old, new) for _, (old, new) in means])),
        ),
        site=_site(site, alarms, threshold, resamples),
        only_old=tuple(name for name in old_classes if name not in new_classes),
        only_new=tuple(name for name in new_classes if name not in old_classes),
        gone=tuple(name for name in alarms[0] if name not in alarms[1]),
        added=tuple(name for name in alarms[1] if name not in alarms[0]),
        same=same,
    )


def _class(
    name: str,
    pair: tuple[Placed, Placed],
    draws: Draws,
    drawn: tuple[Values, Values],
    *,
    shipped: bool,
    threshold: float,
) -> ComparedClass:
    at = [precision.at_threshold(one.pooled, threshold) for one in pair]
    drawn_at = [bootstrap.at_threshold(one, draws, threshold) for one in pair]
    recalls = [bootstrap.recalls_at(one, draws, PRECISION_WANTED) for one in pair]
    return ComparedClass(
        name=name,
        shipped=shipped,
        images=len(pair[0].places),
        boxes=int(pair[0].pooled.truths.sum()),
        figures={
            "map50": _paired([precision.average_precision(one.pooled) for one in pair], drawn),
            "recall_at_p90": _paired(
                [precision.recall_at_precision(one.pooled, PRECISION_WANTED) for one in pair], recalls
            ),
            "precision": _paired([one[0] for one in at], [one[0] for one in drawn_at]),
            "recall": _paired([one[1] for one in at], [one[1] for one in drawn_at]),
        },
    )


def false_alarms(pictures: Sequence[Seen], name: str, threshold: float) -> Values:
    """(all pictures,) found boxes of a class from the threshold on that nothing labelled explains."""
    placed = place(pictures, name, IOU)
    pooled = placed.pooled
    false = (pooled.scores >= threshold) & ~pooled.hit[0] & ~pooled.ignored[0]
    found = np.zeros(len(pictures))
    np.add.at(found, placed.places[pooled.picture[false]], 1.0)
    return found


def _site(
    site: tuple[Sequence[Seen], Sequence[Seen]],
    alarms: tuple[Sequence[str], Sequence[str]],
    threshold: float,
    resamples: int,
) -> ComparedSite:
    pictures = len(site[0])
    nothing = np.zeros(pictures)
    each = [
        {name: false_alarms(seen, name, threshold) for name in names}
        for seen, names in zip(site, alarms, strict=True)
    ]
    totals = [sum(one.values(), nothing) for one in each]
    draws = bootstrap.draw(pictures, resamples)
    return ComparedSite(
        pictures=pictures,
        a_picture=_paired(
            [float(total.mean()) if pictures else math.nan for total in totals],
            [draws.weights @ total / max(1, pictures) for total in totals],
        ),
        totals=(totals[0], totals[1]),
        by_class={
            name: (int(each[0].get(name, nothing).sum()), int(each[1].get(name, nothing).sum()))
            for name in dict.fromkeys((*alarms[0], *alarms[1]))
        },
    )


def _paired(figures: Sequence[float], drawn: Sequence[Values]) -> Paired:
    return Paired(old=figures[0], new=figures[1], interval=bootstrap.interval(drawn[1] - drawn[0]))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _mean_difference(drawn: Sequence[tuple[Values, Values]]) -> Values:
    """(R,) mean over classes; a draw without any box of a class leaves that class out."""
    if not drawn:
        return np.full(0, math.nan)
    differences = np.ma.masked_invalid(np.array([new - old for old, new in drawn]))
    return np.asarray(differences.mean(axis=0).filled(math.nan), dtype=np.float64)
