"""Whose look the shared detector takes next, and which looks it refuses: pure, over frozen values.

While there is time for all, whoever asks is served. When there isn't, three rules in this order: nobody is
left unseen (`NOBODY_UNSEEN_S`, however unimportant the camera); where something goes on, dwell and episode
must not break off (`GOING_ON_S`); what time is left goes by the HCA's grade, III first, then by what goes on,
evenly among equals. A look that could not begin by its deadline is refused, since a newer picture is better
than an old one, and a refused look is told: it is no look. Leaves running the network to
`edge.detector_process`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from monitor.domain.levels import HcaGrade

#: However much is asked, each camera that asks is looked at this often while it can be had at all: as often as
#: the gate wants it where nothing stands (`gate.EMPTY_FLOOR_S`).
NOBODY_UNSEEN_S: Final = 6.0
#: Where something goes on, before other cameras' further looks: as often as the gate wants it for what stands
#: still (`gate.FLOOR_S`), and less than the 3 s after which a dwell begins anew (`watcher.GRACE_S`).
GOING_ON_S: Final = 2.0
#: A look has to begin within this time: half of what an onset may take, or before its floor is missed.
SOON_S: Final = 0.5
LATER_S: Final = 1.0


class Occasion(StrEnum):
    """What a look is for, the most urgent first."""

    DWELL = "dwell"  # a rule holds and its dwell runs: an alarm may be due
    MOTION = "motion"  # something moves, nobody knows what
    EPISODE = "episode"  # an alarm runs and is kept up to date
    FLOOR = "floor"  # nothing goes on; so that nothing is forgotten


_URGENCY: Final = {occasion: len(Occasion) - rank for rank, occasion in enumerate(Occasion)}
_GRADE: Final = {HcaGrade.I: 1, HcaGrade.II: 2, HcaGrade.III: 3}


class Refusal(StrEnum):
    """Why nobody looked."""

    LATE = "late"  # its deadline passed: the detector has more to do than it can
    SUPERSEDED = "superseded"  # the camera asked again, with a newer picture
    ABSENT = "absent"  # no detector runs just now
    NO_ANSWER = "no_answer"  # it was asked and said nothing: it hangs, or it died
    FAILED = "failed"  # it tried and could not
    OTHER_MODEL = "other_model"  # the weights were exchanged while it ran


class Why(StrEnum):
    """Which rule chose a look."""

    UNSEEN = "unseen"
    GOING_ON = "going_on"
    GRADE = "grade"


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A look that a camera asks for. Monotonic seconds of the machine, the same for all its processes."""

    camera_id: str
    #: grows with each look of the camera, so that no answer is taken for another's
    look: int
    grade: HcaGrade
    occasion: Occasion
    #: a look that has not begun by then is not run
    deadline_s: float


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What is decided now."""

    #: the look to run, and by which rule; None if nothing is asked
    ask: Ask | None
    why: Why | None
    refused: tuple[tuple[Ask, Refusal], ...]
    #: what goes on waiting
    waiting: tuple[Ask, ...]


def deadline_s(occasion: Occasion, now_s: float) -> float:
    """By when a look that is asked now has to begin."""
    return now_s + (SOON_S if occasion in (Occasion.DWELL, Occasion.MOTION) else LATER_S)


def turn(asked: Sequence[Ask], served_s: Mapping[str, float], now_s: float, *, idle: bool = True) -> Turn:
    """Which of the looks that are asked is run now.

    Args:
        asked: in the order in which they came; of each camera only the newest counts.
        served_s: when a look of each camera last began; who isn't in it was never looked at.
        idle: whether there is somebody to run one; if not, only what is late is refused.
    """
    newest: dict[str, int] = {}
    for ask in asked:
        newest[ask.camera_id] = max(ask.look, newest.get(ask.camera_id, ask.look))
    refused = [(ask, Refusal.SUPERSEDED) for ask in asked if ask.look != newest[ask.camera_id]]
    current = [ask for ask in asked if ask.look == newest[ask.camera_id]]
    refused += [(ask, Refusal.LATE) for ask in current if now_s > ask.deadline_s]
    waiting = [ask for ask in current if now_s <= ask.deadline_s]
    if not waiting or not idle:
        return Turn(ask=None, why=None, refused=tuple(refused), waiting=tuple(waiting))
    ranked = [(_rank(ask, now_s - served_s.get(ask.camera_id, -math.inf)), ask) for ask in waiting]
    (_, why, _), best = max(ranked, key=lambda pair: (pair[0][0], pair[0][2]))
    return Turn(
        ask=best, why=why, refused=tuple(refused), waiting=tuple(ask for ask in waiting if ask is not best)
    )


def _rank(ask: Ask, unseen_s: float) -> tuple[int, Why, tuple[float, ...]]:
    """Which rule speaks for a look, and how loudly; the longest unseen wins among equals."""
    if unseen_s >= NOBODY_UNSEEN_S:
        return 2, Why.UNSEEN, (unseen_s, _GRADE[ask.grade])
    if unseen_s >= GOING_ON_S and ask.occasion is not Occasion.FLOOR:
        return 1, Why.GOING_ON, (_GRADE[ask.grade], unseen_s)
    return 0, Why.GRADE, (_GRADE[ask.grade], _URGENCY[ask.occasion], unseen_s)
