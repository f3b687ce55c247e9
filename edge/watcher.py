"""The decision core of one camera: looks in, things to be told out. Pure, and drivable without video.

`step(setup, state, look, new_id)` follows each track's class, place and activity, asks the rules, and
moves the episodes. It leaves pixels to the rim (boxes come tracked, with their motion measured), and
numbers, pictures and bytes to whoever carries out the emissions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from edge import activity, episodes, in_force
from edge.activity import Sample
from edge.episodes import Emission, Episode, Judged, Moment
from edge.ground import Ground
from edge.rules import Match, Place, Sighting, beside, graded, ignored, matches
from monitor.domain.assets import Camera
from monitor.domain.events import NoFix
from monitor.domain.ground.fix import GroundFix
from monitor.domain.hours import Schedule
from monitor.domain.rulebook import RuleSetting
from monitor.domain.sun import is_night
from monitor.domain.violations import Activity, Rule, rules_for

Box = tuple[float, float, float, float]
NewId = Callable[[], str]

#: A row's conditions may fail this long (a missed look, a boom at rest) without its dwell starting anew.
GRACE_S: Final = 3.0
#: What was first seen at a look began before it, half a look on average: so much of a dwell need not be waited for.
BETWEEN_LOOKS_S: Final = 0.05
#: Looks further apart than this leave blind time between them, which is neither presence nor absence.
LOOKED_GAP_S: Final = 3.0
#: A track that was not seen for so long is forgotten.
FORGET_S: Final = 12.0
#: Weight of the newest look in a track's score.
SCORE_SHARE: Final = 0.25
#: Share of the votes for a track's class that each look leaves: a machine that takes over the track of a car
#: which stood there for an hour is one after some two seconds, not after an hour.
VOTE_KEPT: Final = 0.93
#: A look that scores less than this share of its track shows a part of the object: it does not move its place.
TRUST_SHARE: Final = 0.7


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change while a camera is watched."""

    camera: Camera
    place: Place
    ground: Ground | None
    timezone: ZoneInfo
    #: rows that hold with this model, and what this camera sets of them
    rules: tuple[Rule, ...] = rules_for(None)
    settings: tuple[RuleSetting, ...] = ()
    schedules: Mapping[str, Schedule] = msgspec.field(default_factory=dict)
    #: why the ground says nothing just now: the camera was moved, and is not registered again
    void: NoFix | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A tracked box of one look."""

    track_id: int
    class_name: str
    score: float
    xyxy: Box
    #: share (0..1) of pixels inside the box that changed since the look before; None if not measured
    box_motion: float | None = None


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look of the detector."""

    media_s: float
    captured_at: datetime
    frame_size_px: tuple[int, int]
    objects: tuple[Seen, ...] = ()
    #: the camera sees by infrared now
    infrared: bool = False
    #: ids of objects that are there, and belong to the scene from now on (`edge.unexplained`)
    learned: tuple[int, ...] = ()


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Since when, and until when, a row (with its certainty) has held for a track; stream seconds."""

    key: str
    since_s: float
    last_s: float
    #: looks that found it so
    looks: int = 1


class TrackMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one track."""

    track_id: int
    #: (class, summed score, the older the less)
    votes: tuple[tuple[str, float], ...]
    score: float
    samples: tuple[Sample, ...]
    activity: Activity = "passing"
    holds: tuple[Hold, ...] = ()
    #: the last look whose box was good enough to say where the object stands
    trusted: Sighting | None = None
    last_seen_s: float


class WatcherState(msgspec.Struct, frozen=True, kw_only=True):
    """All that one camera's core remembers."""

    tracks: tuple[TrackMemory, ...] = ()
    episodes: tuple[Episode, ...] = ()
    last_look_s: float | None = None
    #: episodes of an earlier session, not yet in this one's stream seconds
    restored: tuple[Episode, ...] = ()


def step(
    setup: Setup, state: WatcherState, look: Look, new_id: NewId
) -> tuple[WatcherState, tuple[Emission, ...]]:
    """One look further: the state after it and what is to be told."""
    setup = _in_force(setup, look)
    moment = _moment(state, look)
    running = (*state.episodes, *(episodes.rebase(e, moment) for e in state.restored))
    known = {track.track_id: track for track in state.tracks}
    tracks: dict[int, TrackMemory] = {}
    present: list[tuple[Sighting, tuple[Match, ...], tuple[Judged, ...]]] = []
    for seen in look.objects:
        if ignored(setup.camera, _foot(seen.xyxy)):
            continue
        track, sighting = _follow(setup, known.get(seen.track_id), seen, look)
        matched = matches(sighting, setup.camera, setup.place, setup.rules)
        track = _hold(track, matched, look.media_s)
        tracks[track.track_id] = track
        present.append((sighting, matched, _ready(setup, track, matched, sighting, look)))
    for track in state.tracks:
        if track.track_id not in tracks and look.media_s - track.last_seen_s <= FORGET_S:
            tracks[track.track_id] = track
    running, over = _learned(running, look.learned, moment, new_id)
    after, told = _move(setup, running, present, moment, new_id)
    return WatcherState(tracks=tuple(tracks.values()), episodes=after, last_look_s=look.media_s), (
        *over,
        *told,
    )


def close(
    state: WatcherState, captured_at: datetime, new_id: NewId, why: episodes.Reason = "source_ended"
) -> tuple[WatcherState, tuple[Emission, ...]]:
    """The source is over for good, or the camera is taken away: end what runs."""
    at_s = state.last_look_s or 0.0
    moment = Moment(media_s=at_s, captured_at=captured_at, looked_s=0.0)
    told = tuple(episodes.end(e, moment, new_id(), why) for e in (*state.episodes, *state.restored))
    return msgspec.structs.replace(state, episodes=(), restored=()), told


def of_another_stream(state: WatcherState) -> WatcherState:
    """The camera is seen by another of its streams, whose tracks are counted anew: episodes find their objects again."""
    return msgspec.structs.replace(
        state, tracks=(), episodes=tuple(msgspec.structs.replace(e, track_id=None) for e in state.episodes)
    )


def undo(after: WatcherState, before: WatcherState, refused: Emission) -> WatcherState:
    """The state when one emission could not be kept: its episode is as it was, so that the next look tells it again."""
    episode_id = refused.episode.episode_id
    was = [e for e in (*before.episodes, *before.restored) if e.episode_id == episode_id]
    rest = tuple(e for e in after.episodes if e.episode_id != episode_id)
    return msgspec.structs.replace(after, episodes=(*rest, *was))


def _in_force(setup: Setup, look: Look) -> Setup:
    """The setup with the zones and the rows' numbers that hold at this moment."""
    camera, rules = in_force.zones_and_rules(
        setup.camera, setup.place, setup.rules, setup.settings, setup.schedules,
        at=look.captured_at, timezone=setup.timezone, infrared=look.infrared,
    )  # fmt: skip
    if camera is setup.camera and rules is setup.rules:
        return setup
    return msgspec.structs.replace(setup, camera=camera, rules=rules)


def _moment(state: WatcherState, look: Look) -> Moment:
    gap_s = 0.0 if state.last_look_s is None else look.media_s - state.last_look_s
    return Moment(media_s=look.media_s, captured_at=look.captured_at,
                  looked_s=gap_s if 0.0 <= gap_s <= LOOKED_GAP_S else 0.0)  # fmt: skip


def _foot(xyxy: Box) -> tuple[float, float]:
    return (xyxy[0] + xyxy[2]) / 2, xyxy[3]


def _follow(setup: Setup, track: TrackMemory | None, seen: Seen, look: Look) -> tuple[TrackMemory, Sighting]:
    """The track after this look, and the object as it stands now."""
    votes = {name: VOTE_KEPT * votes for name, votes in track.votes} if track else {}
    votes[seen.class_name] = votes.get(seen.class_name, 0.0) + seen.score
    object_class = max(votes, key=lambda name: votes[name])
    score = seen.score if track is None else track.score + SCORE_SHARE * (seen.score - track.score)
    ground = _ground_m(setup, seen.xyxy, object_class, look)
    sample = Sample(media_s=look.media_s, xyxy=seen.xyxy, ground_m=ground, box_motion=seen.box_motion)
    samples = activity.recent((*(track.samples if track else ()), sample), look.media_s)
    doing = activity.judge(samples, track.activity if track else "passing")
    sighting = _sighting(
        setup, track, seen, look, samples=samples, object_class=object_class, score=score, doing=doing
    )
    trusted = sighting if track is None or seen.score >= TRUST_SHARE * track.score else track.trusted
    after = TrackMemory(
        track_id=seen.track_id, votes=tuple(votes.items()), score=score, samples=samples, activity=doing,
        holds=track.holds if track else (), trusted=trusted, last_seen_s=look.media_s,
    )  # fmt: skip
    return after, sighting


def _sighting(
    setup: Setup,
    track: TrackMemory | None,
    seen: Seen,
    look: Look,
    *,
    samples: tuple[Sample, ...],
    object_class: str,
    score: float,
    doing: Activity,
) -> Sighting:
    """The object as it stands now; its place is the last trusted one if this look shows only a part of it."""
    part = track is not None and seen.score < TRUST_SHARE * track.score
    if part and track is not None and track.trusted is not None and setup.void is None:
        return msgspec.structs.replace(
            track.trusted, xyxy=seen.xyxy, score=score, activity=doing, object_class=object_class
        )
    body = seen.xyxy if doing == "passing" else _body(samples)
    fix = _located(setup, body, object_class, look)
    fields = beside(fix, setup.place)
    return Sighting(
        track_id=seen.track_id, object_class=object_class, score=score, xyxy=seen.xyxy,
        frame_size_px=look.frame_size_px, activity=doing, **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def _ground_m(setup: Setup, xyxy: Box, object_class: str, look: Look) -> tuple[float, float] | None:
    fix = _located(setup, xyxy, object_class, look)
    return (fix.east_m, fix.north_m) if isinstance(fix, GroundFix) else None


def _located(setup: Setup, xyxy: Box, object_class: str, look: Look) -> GroundFix | NoFix | None:
    if setup.ground is None:
        return None
    return setup.void or setup.ground.locate(xyxy, object_class, look.frame_size_px)


def _body(samples: tuple[Sample, ...]) -> Box:
    """The box of a standing body: what nearly all boxes of the window have in common, without a swinging arm."""
    lefts, tops, rights, bottoms = (sorted(s.xyxy[side] for s in samples) for side in range(4))
    left, right = _quantile(lefts, 0.75), _quantile(rights, 0.25)
    if right <= left:
        left, right = _quantile(lefts, 0.5), _quantile(rights, 0.5)
    return (left, _quantile(tops, 0.5), right, _quantile(bottoms, 0.5))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Of a few ordered numbers, between two of them if need be: an array would cost more than the look."""
    at = share * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def _hold(track: TrackMemory, matched: tuple[Match, ...], media_s: float) -> TrackMemory:
    """Which rows have held since when; one that failed longer than the grace begins anew."""
    holds = {hold.key: hold for hold in track.holds if media_s - hold.last_s <= GRACE_S}
    for match in matched:
        if match.active:
            before = holds.get(match.key)
            holds[match.key] = (
                Hold(key=match.key, since_s=media_s, last_s=media_s)
                if before is None
                else msgspec.structs.replace(before, last_s=media_s, looks=before.looks + 1)
            )
    return msgspec.structs.replace(track, holds=tuple(holds.values()))


def _ready(
    setup: Setup, track: TrackMemory, matched: tuple[Match, ...], sighting: Sighting, look: Look
) -> tuple[Judged, ...]:
    """Matches that are active now and whose dwell and minimum evidence hold, graded."""
    rules = {rule.rule_id: rule for rule in setup.rules if sighting.object_class in rule.classes}
    holds = {hold.key: hold for hold in track.holds}
    night = is_night(look.captured_at, setup.place.middle, setup.timezone)
    ready: list[Judged] = []
    for match in matched:
        rule, hold = rules[match.rule_id], holds.get(match.key)
        if not match.active or hold is None:
            continue
        dwell_s = look.media_s - hold.since_s
        if dwell_s >= rule.dwell_s - BETWEEN_LOOKS_S and hold.looks >= rule.min_looks:
            risk = graded(match, sighting.activity, dwell_s, setup.place.hca.grade, night=night)
            ready.append(
                Judged(match=match, level=risk.level, points=risk.points, dwell_s=dwell_s, gone_s=rule.gone_s)
            )
    return tuple(ready)


def _learned(
    running: tuple[Episode, ...], learned: tuple[int, ...], moment: Moment, new_id: NewId
) -> tuple[tuple[Episode, ...], tuple[Emission, ...]]:
    """Ends what has become part of the scene: it is still there, and will not be told any more."""
    over = [e for e in running if e.track_id is not None and e.track_id in learned]
    rest = tuple(e for e in running if e not in over)
    return rest, tuple(episodes.end(e, moment, new_id(), "learned") for e in over)


def _move(
    setup: Setup,
    running: tuple[Episode, ...],
    present: list[tuple[Sighting, tuple[Match, ...], tuple[Judged, ...]]],
    moment: Moment,
    new_id: NewId,
) -> tuple[tuple[Episode, ...], tuple[Emission, ...]]:
    """All episodes one look further."""
    left = {e.episode_id: e for e in running}
    here = {sighting.track_id for sighting, _, _ in present}
    after: list[Episode] = []
    told: list[Emission] = []
    for sighting, matched, ready in present:
        episode = _episode_of(left, sighting, here, moment)
        if episode is not None and matched:  # in its place, working or resting
            del left[episode.episode_id]
            episode, emission = episodes.seen(episode, sighting, ready, moment, new_id())
            after.append(episode)
            if emission is not None:
                told.append(emission)
        elif episode is None and ready:
            emission = episodes.begin(sighting, ready, moment, new_id(), new_id())
            after.append(emission.episode)
            told.append(emission)
    for episode in left.values():
        if not in_force.holds(episode.worst.match, setup.camera, setup.rules):
            told.append(episodes.end(episode, moment, new_id(), "not_in_force"))
            continue
        rest, emission = episodes.missed(episode, moment, new_id())
        if rest is not None:
            after.append(rest)
        if emission is not None:
            told.append(emission)
    return tuple(after), tuple(told)


def _episode_of(
    left: dict[str, Episode], sighting: Sighting, here: set[int], moment: Moment
) -> Episode | None:
    """The episode of this object: by its track, else one that lost an object like it nearby."""
    for episode in left.values():
        if episode.track_id == sighting.track_id:
            return episode
    for episode in left.values():
        if episode.track_id not in here and episodes.is_same(episode, sighting, moment):
            return episode
    return None
