"""Reads what edges say of themselves, and decides which camera states changed. Pure."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from monitor.domain.events import CameraStatus, EdgeStatus
from monitor.ingest.judge import YEARS

_STATUS = msgspec.json.Decoder(EdgeStatus)
_ONLINE = {b"1": True, b"true": True, b"online": True, b"0": False, b"false": False, b"offline": False}


class _Online(msgspec.Struct, frozen=True):
    online: bool


def read_status(payload: bytes, edge_id: str) -> EdgeStatus:
    """A status of this edge; ValueError says what is wrong with it."""
    try:
        status = _STATUS.decode(payload)
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise ValueError(f"not a status: {exc}") from exc
    if status.edge_id != edge_id:
        raise ValueError(f"the status of edge {status.edge_id!r} came on the topic of {edge_id!r}")
    for at in (status.at, status.started_at, *(camera.since for camera in status.cameras.values())):
        if at.tzinfo is None:
            raise ValueError("a time has no time zone")
        if at.year not in YEARS:
            raise ValueError(f"a time is in the year {at.year}")
    if not 0 <= status.last_seq < 2**53:
        raise ValueError(f"last_seq must be 0 to 2^53, got {status.last_seq}")
    return status


def read_online(payload: bytes) -> bool:
    """Whether an edge is there: `{"online": true}`, or a plain word; ValueError if it is neither."""
    plain = _ONLINE.get(payload.strip().lower())
    if plain is not None:
        return plain
    try:
        return msgspec.json.decode(payload, type=_Online).online
    except msgspec.MsgspecError as exc:
        raise ValueError(f"neither online nor offline: {payload[:80]!r}") from exc


def speaks_again(silent: bool, said_at: datetime | None, status: EdgeStatus) -> bool:
    """Whether this status ends a silence; the broker's copy of the last one, given at each connection, does not."""
    return silent and (said_at is None or status.at > said_at)


def changed_cameras(known: Mapping[str, str], status: EdgeStatus) -> dict[str, CameraStatus]:
    """Cameras whose state is another one than the known one (camera id to state), or that are new."""
    return {
        camera_id: said
        for camera_id, said in status.cameras.items()
        if known.get(camera_id) != said.state.value
    }
