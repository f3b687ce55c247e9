"""One episode of a suspected violation: one onset, sparse updates, one end.

A pure state machine over frozen, serialisable values. The onset comes when a row's dwell holds; then an
update only when the position moved, the violation or the risk got worse, or 30 s passed; the end when the
object was gone from the place for the row's `gone_s` of looked time. Blind time is not absence.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec

from edge.rules import Match, Sighting
from monitor.domain.levels import Level

Phase = Literal["onset", "update", "end"]
Reason = Literal[
    "onset", "position_moved", "risk_changed", "violation_changed", "heartbeat", "clip_closed", "still_taken", "gone",
    "lost_sight", "source_ended", "not_in_force", "camera_removed", "learned",
]  # fmt: skip

MOVED_M: Final = 5.0
HEARTBEAT_S: Final = 30.0
#: An object of the same class this near is the one that was lost, if it was lost for less than that.
SAME_WITHIN_M: Final = 6.0
SAME_WITHIN_HEIGHTS: Final = 1.0
SAME_WITHIN_S: Final = 60.0


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A match whose dwell holds, with its grade."""

    match: Match
    level: Level
    points: int
    dwell_s: float
    #: stream seconds without the object after which its episode ends
    gone_s: float


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A running episode. Times ending in _s are stream seconds of the session, _at UTC for restarts."""

    episode_id: str
    onset_event_id: str
    object_class: str
    #: the track that carries it; None after a restart until the object is found again
    track_id: int | None
    began_s: float
    onset_at: datetime
    last_seen_s: float
    last_seen_at: datetime
    #: looked-at seconds since it was last seen in its place
    missed_s: float = 0.0
    #: the worst so far: within an episode neither violation nor level gets milder
    worst: Judged
    also: tuple[str, ...] = ()
    sighting: Sighting
    last_sent_s: float
    sent_ground_m: tuple[float, float] | None = None


class Emission(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be told: becomes one numbered event at the rim."""

    phase: Phase
    reason: Reason
    event_id: str
    episode: Episode
    captured_at: datetime
    media_s: float
    #: an onset or a higher risk is shown by a picture
    wants_snapshot: bool = False

    @property
    def dwell_s(self) -> float:
        """Seconds that the object has been there."""
        return max(0.0, self.media_s - self.episode.began_s)


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """When a look was taken, and how much looked-at time it adds."""

    media_s: float
    captured_at: datetime
    #: seconds since the look before, blind time left out
    looked_s: float


def best(judged: tuple[Judged, ...]) -> Judged | None:
    """The worst of them: by points, then the certain before the possible."""
    return max(judged, key=lambda j: (j.points, not j.match.may_lie_within, j.dwell_s), default=None)


def begin(
    sighting: Sighting, judged: tuple[Judged, ...], moment: Moment, episode_id: str, event_id: str
) -> Emission:
    """The onset of a new episode; `judged` must not be empty."""
    worst = best(judged)
    assert worst is not None
    episode = Episode(
        episode_id=episode_id, onset_event_id=event_id, object_class=sighting.object_class,
        track_id=sighting.track_id, began_s=moment.media_s - worst.dwell_s, onset_at=moment.captured_at,
        last_seen_s=moment.media_s, last_seen_at=moment.captured_at, worst=worst,
        also=_also(worst, judged), sighting=sighting, last_sent_s=moment.media_s, sent_ground_m=sighting.ground_m,
    )  # fmt: skip
    return _tell("onset", "onset", event_id, episode, moment, wants_snapshot=True)


def seen(
    episode: Episode, sighting: Sighting, judged: tuple[Judged, ...], moment: Moment, event_id: str
) -> tuple[Episode, Emission | None]:
    """The object is in its place: `judged` are the rows whose dwell holds (may be empty: it rests)."""
    before = episode.worst
    worst = best((before, *(j for j in judged if _worse(j, before)))) or before
    also = tuple(sorted({*episode.also, *_also(worst, judged)} - {worst.match.violation}))
    episode = msgspec.structs.replace(
        episode, track_id=sighting.track_id, last_seen_s=moment.media_s, last_seen_at=moment.captured_at,
        missed_s=0.0, worst=worst, also=also, sighting=sighting,
    )  # fmt: skip
    reason = _why_tell(episode, before, moment)
    if reason is None:
        return episode, None
    risen = worst.level.is_worse_than(before.level)
    episode = msgspec.structs.replace(
        episode, last_sent_s=moment.media_s, sent_ground_m=sighting.ground_m or episode.sent_ground_m
    )
    return episode, _tell("update", reason, event_id, episode, moment, wants_snapshot=risen)


def _worse(new: Judged, old: Judged) -> bool:
    if new.match.violation == old.match.violation and new.match.rule_id == old.match.rule_id:
        return new.points >= old.points
    certain = old.match.may_lie_within and not new.match.may_lie_within
    return new.points > old.points or (new.points == old.points and certain)


def _why_tell(episode: Episode, before: Judged, moment: Moment) -> Reason | None:
    if episode.worst.level != before.level:
        return "risk_changed"
    if episode.worst.match.violation != before.match.violation:
        return "violation_changed"
    here, sent = episode.sighting.ground_m, episode.sent_ground_m
    if here is not None and sent is not None and _apart(here, sent) > MOVED_M:
        return "position_moved"
    return "heartbeat" if moment.media_s - episode.last_sent_s >= HEARTBEAT_S else None


def missed(episode: Episode, moment: Moment, event_id: str) -> tuple[Episode | None, Emission | None]:
    """The object was not seen in its place at this look. None as episode: it ended."""
    if moment.media_s - episode.last_seen_s > SAME_WITHIN_S + episode.worst.gone_s and moment.looked_s == 0.0:
        return None, end(episode, moment, event_id, "lost_sight")
    episode = msgspec.structs.replace(episode, missed_s=episode.missed_s + moment.looked_s)
    if episode.missed_s < episode.worst.gone_s:
        return episode, None
    return None, end(episode, moment, event_id, "gone")


def end(episode: Episode, moment: Moment, event_id: str, reason: Reason) -> Emission:
    """The end of an episode."""
    return _tell("end", reason, event_id, episode, moment)


def is_same(episode: Episode, sighting: Sighting, moment: Moment) -> bool:
    """Whether an object without an episode is the one that this episode lost."""
    if episode.object_class != sighting.object_class:
        return False
    if moment.media_s - episode.last_seen_s > SAME_WITHIN_S:
        return False
    old, new = episode.sighting, sighting
    if (
        old.lonlat is not None
        and new.lonlat is not None
        and old.ground_m is not None
        and new.ground_m is not None
    ):
        return _apart(old.ground_m, new.ground_m) <= SAME_WITHIN_M
    # the camera may be seen by another of its streams since
    scale = new.frame_size_px[0] / max(1, old.frame_size_px[0])
    height_px = max(1.0, scale * (old.xyxy[3] - old.xyxy[1]))
    foot_px = (scale * old.foot_px[0], scale * old.foot_px[1])
    return _apart(foot_px, new.foot_px) <= SAME_WITHIN_HEIGHTS * height_px


def rebase(episode: Episode, moment: Moment) -> Episode:
    """A saved episode in the stream seconds of a new session, by the UTC that passed meanwhile."""

    def at_s(then: datetime) -> float:
        return moment.media_s - max(0.0, (moment.captured_at - then).total_seconds())

    dwelt_s = episode.last_seen_s - episode.began_s
    sent_ago_s = episode.last_seen_s - episode.last_sent_s
    last_seen_s = at_s(episode.last_seen_at)
    return msgspec.structs.replace(
        episode, track_id=None, missed_s=0.0, last_seen_s=last_seen_s, began_s=last_seen_s - dwelt_s,
        last_sent_s=last_seen_s - sent_ago_s,
    )  # fmt: skip


def _also(worst: Judged, judged: tuple[Judged, ...]) -> tuple[str, ...]:
    return tuple(sorted({j.match.violation for j in judged} - {worst.match.violation}))


def _apart(a: tuple[float, float], b: tuple[float, float]) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)


def _tell(
    phase: Phase,
    reason: Reason,
    event_id: str,
    episode: Episode,
    moment: Moment,
    *,
    wants_snapshot: bool = False,
) -> Emission:
    return Emission(phase=phase, reason=reason, event_id=event_id, episode=episode, captured_at=moment.captured_at,
                    media_s=moment.media_s, wants_snapshot=wants_snapshot)  # fmt: skip


_CODEC = msgspec.json.Decoder(Episode)


def dump(episode: Episode) -> bytes:
    """An episode as bytes, for the outbox."""
    return msgspec.json.encode(episode)


def load(state: bytes) -> Episode | None:
    """An episode from bytes; None if another version wrote something that this one can't read."""
    try:
        return _CODEC.decode(state)
    except msgspec.DecodeError:
        return None
