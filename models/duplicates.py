"""Pictures that are the same or neighbouring frames, within a split and across: figures on such a pair are memory.

Decides which two pictures are near (`why_near`), which pairs are looked at (`candidates`), and which training
pictures must go (`not_near`). The measures are `models.fingerprint`'s; reading labels, `models.eval.dataset`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations_with_replacement
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.eval.dataset import LabelledPicture
from models.fingerprint import Fingerprint, colours_of, fingerprint, likenesses, shared_corners

#: Limits, chosen by eye on our pictures: of the pairs between training and validation, hashes within 10 bits
#: were right in 3 of 5, with the likeness as well in 3 of 3. From 13 common corners on all of 24 drawn pairs
#: were one scene; at 9 to 12 it was nine in ten.
SAME_BITS: Final = 10
SAME_LIKENESS: Final = 0.75
SAME_CORNERS: Final = 13
#: Between sources a chance match of flames had 13; no true pair was found there at all.
SAME_CORNERS_ELSEWHERE: Final = 20
#: Corners cost half a millisecond a pair, so each picture is compared only with its likeliest: this many by
#: thumbnail, by colour and by both, in each split, and all within `SAME_BITS`.
NEAREST: Final = 12
#: Rows of the comparison at a time; bounds memory.
BLOCK: Final = 256

Progress = Callable[[int, int], None]


class Reason(StrEnum):
    """Why two pictures are near."""

    HASH = "hash"
    SCENE = "scene"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A picture with its place."""

    print: Fingerprint
    split: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two pictures that are near, and by what."""

    a: Entry
    b: Entry
    reason: Reason
    #: Bits of 64; correlation of thumbnails; common corner points.
    distance: int
    likeness: float
    corners: int

    @property
    def crosses(self) -> bool:
        """Whether the two are in different splits."""
        return self.a.split != self.b.split


def why_near(distance: int, likeness: float, corners: int, *, one_source: bool = True) -> Reason | None:
    """Whether two pictures (of one source or of two) show the same, and by which measure; None if they don't.

    The hash alone is not enough: any two excavators before a white wall have the same one.
    """
    if distance <= SAME_BITS and likeness >= SAME_LIKENESS:
        return Reason.HASH
    return Reason.SCENE if corners >= (SAME_CORNERS if one_source else SAME_CORNERS_ELSEWHERE) else None


def pairs(entries: Sequence[Entry], progress: Progress | None = None) -> tuple[Pair, ...]:
    """All near pairs, those that cross splits first, then the nearest."""
    by: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by[entry.split].append(entry)
    looked = [
        (by[s][i], by[t][j])
        for s, t in combinations_with_replacement(sorted(by), 2)
        for i, j in sorted(candidates([e.print for e in by[s]], [e.print for e in by[t]]))
        if s != t or i < j
    ]
    found = [pair for pair in _compared(looked, progress) if pair is not None]
    return tuple(
        sorted(found, key=lambda p: (not p.crosses, p.distance, -p.corners, p.a.print.path, p.b.print.path))
    )


def not_near(
    pictures: Iterable[LabelledPicture],
    held_out: Iterable[LabelledPicture],
    progress: Progress | None = None,
) -> tuple[tuple[LabelledPicture, ...], tuple[Pair, ...]]:
    """What training may see: `pictures` without those near a held-out one, and the pairs that tell why.

    Args:
        pictures: what training would take.
        held_out: everything that measures: the held-out list's pictures and the validation split.
        progress: called with (pictures and pairs done, in all).

    Raises:
        DataUnusable: a picture can't be read.
    """
    kept, measuring = tuple(pictures), tuple(held_out)
    total = len(kept) + len(measuring)
    prints = _told(described(kept, "train"), total, progress, 0)
    against = _told(described(measuring, "held-out"), total, progress, len(prints))
    looked = [
        (prints[i], against[j])
        for i, j in sorted(candidates([e.print for e in prints], [e.print for e in against]))
    ]
    near = tuple(pair for pair in _compared(looked, None) if pair is not None)
    gone = {pair.a.print.path for pair in near}
    return tuple(p for p in kept if p.path not in gone), near


def described(pictures: Iterable[LabelledPicture], split: str) -> Iterator[Entry]:
    """Fingerprints of pictures, one after another: the slow part, five milliseconds each."""
    for picture in pictures:
        beginning, underscore, _ = picture.path.stem.partition("_")
        source = picture.source or (beginning if underscore else "")
        yield Entry(print=fingerprint(picture.path), split=split, source=source)


def candidates(a: Sequence[Fingerprint], b: Sequence[Fingerprint]) -> set[tuple[int, int]]:
    """Positions (in `a`, in `b`) that are worth a close look; the nearest of both sides."""
    return _nearest(a, b) | {(i, j) for j, i in _nearest(b, a)}


def as_row(pair: Pair) -> dict[str, object]:
    """A pair as plain JSON values."""
    return {
        "a": str(pair.a.print.path), "b": str(pair.b.print.path), "splits": [pair.a.split, pair.b.split],
        "sources": [pair.a.source, pair.b.source], "crosses": pair.crosses, "reason": pair.reason.value,
        "distance": pair.distance, "likeness": round(pair.likeness, 3), "corners": pair.corners,
    }  # fmt: skip


def _compared(looked: Sequence[tuple[Entry, Entry]], progress: Progress | None) -> Iterator[Pair | None]:
    for done, (a, b) in enumerate(looked, start=1):
        distance, likeness = _close(a.print, b.print)
        # Corners are counted only if the cheap measures don't settle it.
        settled = why_near(distance, likeness, 0)
        corners = 0 if settled else shared_corners(a.print, b.print)
        reason = settled or why_near(distance, likeness, corners, one_source=a.source == b.source)
        if progress is not None and (done % 500 == 0 or done == len(looked)):
            progress(done, len(looked))
        yield (
            None
            if reason is None
            else Pair(a=a, b=b, reason=reason, distance=distance, likeness=likeness, corners=corners)
        )


def _close(a: Fingerprint, b: Fingerprint) -> tuple[int, float]:
    bits, like = likenesses([a], [b])
    return int(bits[0, 0]), float(like[0, 0])


def _told(found: Iterator[Entry], total: int, progress: Progress | None, done: int) -> list[Entry]:
    entries = []
    for entry in found:
        entries.append(entry)
        if progress is not None:
            progress(done + len(entries), total)
    return entries


def _nearest(a: Sequence[Fingerprint], b: Sequence[Fingerprint]) -> set[tuple[int, int]]:
    """For each of `a` the likeliest of `b`, and one more, since a picture is its own likeliest."""
    found: set[tuple[int, int]] = set()
    if not a or not b:
        return found
    most = min(NEAREST + 1, len(b))
    for start in range(0, len(a), BLOCK):
        block = a[start : start + BLOCK]
        bits, like = likenesses(block, b)
        colours = colours_of(block) @ colours_of(b).T
        for key in (like, colours, like + colours):
            best = np.argpartition(-key, most - 1, axis=1)[:, :most]
            found |= {(start + row, int(j)) for row in range(len(block)) for j in best[row]}
        found |= _at(bits <= SAME_BITS, start)
    return found


def _at(chosen: NDArray[np.bool_], start: int) -> set[tuple[int, int]]:
    return {(start + int(i), int(j)) for i, j in zip(*np.nonzero(chosen), strict=True)}
