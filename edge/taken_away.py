"""Ends the episodes of cameras that are taken away while their own process can't: it is dead, or was never started.

A camera's process ends its episodes itself if it lives. What is left in the outbox after that, of a camera that
this edge has no longer, would stand open at the centre for ever; the worker ends it by what the camera's last
process noted of itself. Refused by a full disk it is tried again at the next round.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

import msgspec
import structlog

from edge import episodes
from edge.errors import OutboxRefused
from edge.outbox import SavedEpisode, SqliteOutbox
from edge.telling import Sender, event_of

log = structlog.get_logger()


def note(outbox: SqliteOutbox, sender: Sender) -> None:
    """Keep who tells a camera's events for the time when nobody else knows; a full disk may refuse it."""
    try:
        outbox.set_note(f"sender:{sender.camera_id}", msgspec.json.encode(sender).decode())
    except OutboxRefused as exc:
        log.error("sender_not_noted", camera=sender.camera_id, error=str(exc))


def end_episodes(
    outbox: SqliteOutbox,
    cameras: Collection[str],
    *,
    config_version: str,
    now: datetime,
    new_id: Callable[[], str],
) -> int:
    """End what is stored of cameras other than these; how many episodes ended.

    Args:
        cameras: those of the configuration, and those whose process still runs.
        config_version: by which the others are gone.

    Raises:
        OutboxRefused: not all could be told; nothing is half told.
    """
    ended = 0
    for camera_id in outbox.cameras_with_episodes():
        if camera_id in cameras:
            continue
        kept = outbox.note(f"sender:{camera_id}")
        sender = None if kept is None else msgspec.json.decode(kept, type=Sender)
        for blob in outbox.episodes(camera_id):
            episode = episodes.load(blob)
            if sender is None or episode is None:
                log.error("episode_left_open", camera=camera_id, what="another version stored it; "
                          "close its alert in the console")  # fmt: skip
                continue
            _end(outbox, sender, episode, config_version=config_version, now=now, new_id=new_id)
            ended += 1
        outbox.forget_camera(camera_id)
    return ended


def _end(
    outbox: SqliteOutbox,
    sender: Sender,
    episode: episodes.Episode,
    *,
    config_version: str,
    now: datetime,
    new_id: Callable[[], str],
) -> None:
    moment = episodes.Moment(media_s=episode.last_seen_s, captured_at=now, looked_s=0.0)
    emission = episodes.end(episode, moment, new_id(), "camera_removed")
    over = SavedEpisode(camera_id=sender.camera_id, episode_id=episode.episode_id, state=None)
    row = outbox.append(
        lambda epoch, seq: event_of(emission, sender, epoch=epoch, seq=seq, config_version=config_version),
        episodes=(over,),
    )
    log.info("episode_of_removed_camera_ended", camera=sender.camera_id, seq=row.seq)
