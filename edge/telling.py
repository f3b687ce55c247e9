"""Carries out what a camera's core wants told: pictures first, then one numbered event that names them.

Evidence is durable before its event is numbered; number, bytes, episode and upload entry are one
transaction. Clips are closed when their last second has come, or when their episode ends before that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec
import structlog

from edge import annotate, episodes
from edge.boxes import SeenBoxes
from edge.episodes import Emission, Episode
from edge.errors import EvidenceRefused, OutboxRefused
from edge.evidence import LATE_S, POST_S, PRE_S, EvidenceStore, Kept
from edge.evidence_queue import PendingEvidence
from edge.frames import Bgr, Ring
from edge.full_stills import FullStills, Wanted
from edge.losses import LossCounter
from edge.outbox import Outbox, SavedEpisode
from edge.snapshots import Scene, keep_pair
from edge.watcher import Setup
from models.detector import Detection
from monitor.domain.events import NO_LOOK, ModelRef, Position, RiskEvent
from monitor.domain.violations import UNEXPLAINED

#: The main stream may come so much later than the substream: what a full-size picture shows was found up to then.
LAG_S: Final = 0.6

log = structlog.get_logger()


class Shot(msgspec.Struct, frozen=True, kw_only=True):
    """The picture of the look that is being told."""

    bgr: Callable[[], Bgr]
    time_uncertain: bool = False
    #: how the scene looked before a change came, by the id of its region; None if nobody knows
    before: Callable[[int], Bgr | None] | None = None
    #: it is the substream's, and the main stream is another
    of_substream: bool = False
    #: stream seconds of the look
    media_s: float = 0.0


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """What all events of a camera say of it, whatever is seen."""

    edge_id: str
    camera_id: str
    site_id: str
    pipeline_id: str
    footage: Literal["real", "simulated"]
    model: ModelRef


class _Clip(msgspec.Struct, frozen=True, kw_only=True):
    """A clip that is still being filmed."""

    episode: Episode
    from_s: float
    to_s: float


class Teller:
    """Turns emissions into evidence and numbered events of one camera."""

    def __init__(
        self,
        *,
        edge_id: str,
        config_version: str,
        setup: Setup,
        outbox: Outbox,
        store: EvidenceStore,
        rings: tuple[Ring, ...],
        model: ModelRef,
        new_id: Callable[[], str],
        stills: FullStills | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._edge_id, self._config_version, self._setup = edge_id, config_version, setup
        self._outbox, self._store, self._rings, self._model = outbox, store, rings, model
        self._new_id, self._now, self._stills = new_id, now, stills
        self._losses = LossCounter(outbox, edge_id, now)
        self._unpictured = LossCounter(outbox, edge_id, now, what="evidence", reason="disk_full")
        self._clips: dict[str, _Clip] = {}
        self._seen = SeenBoxes()
        self._refused: set[tuple[str, int | None]] = set()

    def saw(self, media_s: float, size_px: tuple[int, int], found: Iterable[Detection]) -> None:
        """Everything that the detector found in a look: evidence carries it, so that faces can be hidden."""
        self._seen.add(media_s, size_px, found)

    def reconfigure(self, setup: Setup, config_version: str) -> None:
        """From now on events are told of this setup, by this version."""
        self._setup, self._config_version = setup, config_version

    def looks_by(self, model: ModelRef) -> None:
        """From now on events name this detector."""
        self._model = model

    def tell(self, emission: Emission, shot: Shot) -> bool:
        """One event with its evidence; False if the outbox refused it (the caller undoes the state)."""
        episode = emission.episode
        scene = self._scene(emission, shot) if emission.wants_snapshot else None
        pictures = () if scene is None else self._snapshots(scene, shot)
        clip = self._clip_of(self._clips.get(episode.episode_id)) if emission.phase == "end" else ()
        if not self._append(emission, (*(pictures or ()), *(clip or ())), time_uncertain=shot.time_uncertain):
            return False
        if scene is not None and shot.of_substream and self._stills is not None:
            self._ask_in_full(emission, scene, shot)
        self._count_refused(pictures, clip)
        if emission.phase == "onset":
            self._clips[episode.episode_id] = _Clip(
                episode=episode, from_s=emission.media_s - PRE_S, to_s=emission.media_s + POST_S)  # fmt: skip
        elif emission.phase == "end":
            self._clips.pop(episode.episode_id, None)
        return True

    def close_clips(self, media_s: float, running: tuple[Episode, ...], *, at_once: bool = False) -> None:
        """Write the clips whose last second has come, each named by an update of its episode.

        Args:
            at_once: all, with what there is: the line is cut, or the worker stops.
        """
        self._settle()
        current = {e.episode_id: e for e in running}
        self._name_stills(media_s, current)
        for episode_id, clip in list(self._clips.items()):
            if media_s < clip.to_s and not at_once:
                continue
            del self._clips[episode_id]
            kept = self._clip_of(clip)
            self._count_refused(kept)
            if kept:
                self._name(current.get(episode_id, clip.episode), "clip_closed", kept, media_s)

    def _name(
        self, episode: Episode, reason: episodes.Reason, kept: tuple[Kept, ...], media_s: float
    ) -> None:
        """An update that only names evidence."""
        emission = Emission(phase="update", reason=reason, event_id=self._new_id(), episode=episode,
                            captured_at=self._now(), media_s=media_s)  # fmt: skip
        self._append(emission, kept, time_uncertain=False)

    def _ask_in_full(self, emission: Emission, scene: Scene, shot: Shot) -> None:
        """The same moment by the main stream, beside the looks; boxes of a moment before too, as it may lag a little."""
        assert self._stills is not None
        full = msgspec.structs.replace(scene, note=self._seen.still(back_s=LAG_S))
        store = self._store
        keep: Callable[[Bgr], tuple[Kept, ...]] = lambda bgr: keep_pair(store, full, bgr)  # noqa: E731 - bound to these
        self._stills.ask(Wanted(emission=emission, at_s=shot.media_s, keep=keep))

    def _name_stills(self, media_s: float, running: dict[str, Episode]) -> None:
        """Full-size pictures that are ready; of an episode that has ended meanwhile, only its small ones are told."""
        for made in () if self._stills is None else self._stills.made():
            episode_id = made.emission.episode.episode_id
            if made.kept and episode_id in running:
                self._name(running[episode_id], "still_taken", made.kept, media_s)
            else:
                log.warning("full_still_missing", camera=self._setup.camera.camera_id, event=made.emission.event_id,
                            reason="ended" if made.kept else str(made.missing))  # fmt: skip

    def _count_refused(self, *refused: tuple[Kept, ...] | None) -> None:
        """Once its event is told: a look that is told again must not count again."""
        for kept in refused:
            if kept is None:
                self._unpictured.refuse()

    def _clip_of(self, clip: _Clip | None) -> tuple[Kept, ...] | None:
        """The clip, a part for each stream if the camera was lost in between; None if the disk refused it."""
        if clip is None:
            return ()
        kept: list[Kept] = []
        try:
            for ring in self._rings:  # the sharper stream first; a smaller one only for what that lacks
                spans = ring.spans(clip.from_s, clip.to_s)
                for from_s, to_s in spans:
                    if (part := self._store.keep_clip(ring, from_s, to_s, self._seen.film)) is not None:
                        kept.append(part)
                packets, _ = ring.cut(clip.from_s, clip.to_s)
                if (
                    len(spans) == 1
                    and packets
                    and packets[0].media_s <= clip.from_s + LATE_S
                    and packets[-1].media_s >= clip.to_s - LATE_S
                ):
                    break
        except EvidenceRefused as exc:
            log.error("clip_refused", camera=self._setup.camera.camera_id, error=str(exc))
            return tuple(kept) or None
        return tuple(kept)

    def _scene(self, emission: Emission, shot: Shot) -> Scene:
        sighting = emission.episode.sighting
        changed = shot.before is not None and sighting.object_class == UNEXPLAINED
        return Scene(
            box=sighting.xyxy, size_px=sighting.frame_size_px, label=self._label(emission), note=self._seen.still(),
            before=shot.before(sighting.track_id) if changed and shot.before is not None else None,
        )  # fmt: skip

    def _snapshots(self, scene: Scene, shot: Shot) -> tuple[Kept, ...] | None:
        """Both pictures; None if the disk refused them."""
        try:
            # the picture may be a substream's, boxes are in pixels of the full frame
            return keep_pair(self._store, scene, shot.bgr(), of_substream=shot.of_substream)
        except EvidenceRefused as exc:  # the event itself matters more than its picture
            log.error("snapshot_refused", camera=self._setup.camera.camera_id, error=str(exc))
            return None

    def _label(self, emission: Emission) -> annotate.Label:
        camera, hca, sighting = self._setup.camera, self._setup.place.hca, emission.episode.sighting
        worst = emission.episode.worst
        return annotate.Label(
            camera_name=camera.name, site_name=hca.name, captured_at=emission.captured_at,
            timezone=str(self._setup.timezone), violation=worst.match.violation,
            object_class=sighting.object_class, confidence=sighting.score, level=worst.level,
            simulated=camera.footage == "simulated", chainage_m=sighting.chainage_m, offset_m=sighting.offset_m,
            lonlat=sighting.lonlat, accuracy_m=sighting.accuracy_m, may_lie_within=worst.match.may_lie_within,
        )  # fmt: skip

    def _append(self, emission: Emission, kept: tuple[Kept, ...], *, time_uncertain: bool) -> bool:
        episode, camera_id = emission.episode, self._setup.camera.camera_id
        announced_at = self._now().timestamp()
        saved = SavedEpisode(camera_id=camera_id, episode_id=episode.episode_id,
                             state=None if emission.phase == "end" else episodes.dump(episode))  # fmt: skip
        pending = tuple(
            PendingEvidence(ref=ref, name=name, event_id=emission.event_id, camera_id=camera_id,
                            episode_id=episode.episode_id, level=episode.worst.level, announced_at=announced_at)
            for ref, name in kept
        )  # fmt: skip
        if emission.reason in NO_LOOK:
            saved_all: tuple[SavedEpisode, ...] = ()
        else:
            saved_all = (saved,)
        key = (emission.phase, episode.track_id)
        try:
            row = self._outbox.append(
                lambda epoch, seq: event_of(
                    emission, self.sender, epoch=epoch, seq=seq, config_version=self._config_version,
                    kept=kept, time_uncertain=time_uncertain),
                episodes=saved_all, evidence=pending,
            )  # fmt: skip
        except OutboxRefused as exc:
            if key not in self._refused:  # told again at every look: counted once
                self._refused.add(key)
                self._losses.refuse()
                log.error("event_refused", camera=camera_id, error=str(exc), refused=self._losses.refused)
            return False
        self._refused.discard(key)
        self._settle()
        log.info("event_numbered", camera=camera_id, seq=row.seq, phase=emission.phase, reason=emission.reason,
                 violation=episode.worst.match.violation, level=str(episode.worst.level))  # fmt: skip
        return True

    @property
    def sender(self) -> Sender:
        """Who tells the events of this camera."""
        camera, pipeline = self._setup.camera, self._setup.place.pipeline
        return Sender(edge_id=self._edge_id, camera_id=camera.camera_id, site_id=camera.site_id,
                      pipeline_id=pipeline.pipeline_id, footage=camera.footage, model=self._model)  # fmt: skip

    def _settle(self) -> None:
        """Say what was refused, as soon as there is room for it."""
        self._losses.settle()
        self._unpictured.settle()


def event_of(
    emission: Emission,
    sender: Sender,
    *,
    epoch: str,
    seq: int,
    config_version: str,
    kept: tuple[Kept, ...] = (),
    time_uncertain: bool = False,
) -> RiskEvent:
    """An emission as the event that travels. Pure."""
    episode, sighting, worst = emission.episode, emission.episode.sighting, emission.episode.worst
    position = None
    if sighting.lonlat is not None and sighting.accuracy_m is not None:
        lon, lat = sighting.lonlat
        position = Position(lon=round(lon, 8), lat=round(lat, 8), accuracy_m=round(sighting.accuracy_m, 2))
    return RiskEvent(
        event_id=emission.event_id, edge_id=sender.edge_id, epoch=epoch, seq=seq, episode_id=episode.episode_id,
        phase=emission.phase, site_id=sender.site_id, camera_id=sender.camera_id,
        captured_at=emission.captured_at.astimezone(UTC), time_uncertain=time_uncertain,
        violation=worst.match.violation, also=episode.also, rule_id=worst.match.rule_id,
        object_class=sighting.object_class, track_id=sighting.track_id,
        confidence=round(min(1.0, max(0.0, sighting.score)), 4),
        bbox=_rounded(sighting.xyxy), frame_size_px=sighting.frame_size_px, position=position,
        no_fix=sighting.no_fix, pipeline_id=sender.pipeline_id,
        chainage_m=_round(sighting.chainage_m), offset_m=_round(sighting.offset_m),
        within_band=_round(worst.match.within_band, 4), may_lie_within=worst.match.may_lie_within,
        zone_id=worst.match.zone_id, dwell_s=round(emission.dwell_s, 2), activity=sighting.activity,
        risk_edge=worst.level, reason=emission.reason, footage=sender.footage,
        evidence=tuple(ref for ref, _ in kept), model=sender.model, config_version=config_version,
    )  # fmt: skip


def _round(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)


def _rounded(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    return (round(box[0], 1), round(box[1], 1), round(box[2], 1), round(box[3], 1))
