"""The picture in which a survey is clicked: the camera's newest clean snapshot, or one that a person brought.

A picture that is brought is decoded and encoded anew like a field photo, at its full size, and only the newest
one of a camera is kept. Pixels of a survey refer to the camera's configured frame where it has one.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from PIL import Image, UnidentifiedImageError

from monitor.domain.assets import Camera
from monitor.domain.events import sha256_hex
from monitor.domain.ground.fix import scale_between
from monitor.store.pool import Conn
from monitor.web.photos import shown_copy
from monitor.web.sql import QUERIES
from monitor.web.uploads import path_of, write_whole

UPLOADED = "uploaded"
#: 4K, 4096 x 2160 too: a picture for each who looks is decoded and encoded anew
MAX_PIXELS = 9_000_000


class SurveyPicture(msgspec.Struct, frozen=True, kw_only=True):
    """Which picture is shown."""

    #: hash of the snapshot, or 'uploaded'
    of: str
    at: datetime
    size_px: tuple[int, int]


def newest(conn: Conn, data_dir: Path, camera_id: str) -> SurveyPicture | None:
    """The newest of both kinds that can be read; None if there is none."""
    found = []
    row = conn.execute(QUERIES["newest_clean_snapshot"], {"camera": camera_id}).fetchone()
    if row is not None and (size := _size(path_of(data_dir, row["sha256"]))) is not None:
        found.append(SurveyPicture(of=row["sha256"], at=row["announced_at"], size_px=size))
    own = _own(data_dir, camera_id)
    if (size := _size(own)) is not None:
        at = datetime.fromtimestamp(own.stat().st_mtime, UTC)
        found.append(SurveyPicture(of=UPLOADED, at=at, size_px=size))
    return max(found, key=lambda picture: picture.at, default=None)


def path_if_known(conn: Conn, data_dir: Path, camera_id: str, of: str) -> Path | None:
    """The file, if it is this camera's and is there."""
    if of == UPLOADED:
        # the id comes from a URL: only a camera that the uploader looked up has such a file
        path = _own(data_dir, camera_id) if camera_id.replace("-", "").replace("_", "").isalnum() else None
    else:
        known = conn.execute(QUERIES["is_clean_snapshot_of"], {"sha256": of, "camera": camera_id}).fetchone()
        path = path_of(data_dir, of) if known is not None else None
    return path if path is not None and path.is_file() else None


def keep(data_dir: Path, camera_id: str, original: bytes, now: datetime) -> str:
    """Keep a picture that somebody brought; the hash of what they brought. Unusable if it is no picture."""
    _, copy = shown_copy(original, edge_px=None, most_pixels=MAX_PIXELS)
    path = _own(data_dir, camera_id)
    write_whole(path, copy)
    os.utime(path, (now.timestamp(), now.timestamp()))
    return sha256_hex(original)


def frame_for(camera: Camera, picture_px: tuple[int, int] | None) -> tuple[int, int] | None:
    """The size of picture that pixels refer to: as configured if the picture has that shape, else its own."""
    if camera.frame_size_px is None:
        return picture_px
    if picture_px is None or fits(camera.frame_size_px, picture_px) or not may_have_frame(camera, picture_px):
        return camera.frame_size_px
    return picture_px


def fits(frame_px: tuple[int, int], picture_px: tuple[int, int]) -> bool:
    """Whether a picture shows that whole frame: the same shape."""
    return scale_between(picture_px, frame_px) is not None


def may_have_frame(camera: Camera, frame_px: tuple[int, int]) -> bool:
    """Whether pixels may refer to that size: zones and lens are in pixels of the configured one."""
    return camera.frame_size_px in (None, frame_px) or not (camera.zones or camera.lens)


def _own(data_dir: Path, camera_id: str) -> Path:
    return data_dir / "survey" / f"{camera_id}.jpg"


def _size(path: Path) -> tuple[int, int] | None:
    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, UnidentifiedImageError):
        return None
