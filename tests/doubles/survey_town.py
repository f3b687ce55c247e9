"""The demo's rendered site as a town whose cameras are registered: a real configuration with numbered versions,
a picture of which the renderer knows where everything stands, and the web over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import yaml
from fastapi import FastAPI

from hcawatch.config import LoadedConfig, load, versions
from hcawatch.config.surveys import ConfigSurveys
from hcawatch.demo.clips import STORY, Truth
from hcawatch.demo.setting import FIELD, base_city_file, write_setting
from models.scenes.clip import Stage, truth_table
from monitor.domain.events import sha256_hex
from monitor.web.uploads import path_of, write_whole
from tests.doubles.web_town import NOON, Town, town

#: the machine digs
WORKING_FRAME = 20 * STORY.fps


@cache
def picture() -> bytes:
    """One frame of the demo's clip, as the edge sends a clean snapshot."""
    found, jpeg = cv2.imencode(".jpg", Stage(STORY).frame(WORKING_FRAME).bgr)
    assert found
    return jpeg.tobytes()


def truth() -> Truth:
    """What the renderer knows: pixel and place of each surveyed point."""
    table = truth_table(STORY, [])
    working = {"activity": "working", "footprint_centre_en_m": [0.0, 30.0]}
    return Truth(camera=table["camera"], ground_points=table["ground_points"], centreline=table["centreline"],
                 frames=[working], fps=STORY.fps)  # fmt: skip


class SurveyTown:
    """The demo's city in the database as version 1, its field camera not surveyed yet."""

    def __init__(self, dsn: str, here: Town, folder: Path) -> None:
        self.here, self.path, self.dsn = here, folder / "city.yaml", dsn
        write_setting(
            self.path, base=yaml.safe_load(base_city_file().read_text()), truth=truth(), field_clip=folder / "clip.mp4",
            path_url="rtsp://127.0.0.1/path", trees_url="rtsp://127.0.0.1/trees", loop=True,
            today=here.now.date(),
        )  # fmt: skip
        document = yaml.safe_load(self.path.read_text())
        field = next(camera for camera in document["cameras"] if camera["id"] == FIELD)
        #: where the renderer's points are: pixel and [lon, lat]
        self.surveyed: list[dict[str, Any]] = field.pop("ground_points")
        self.path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False))
        self.config: LoadedConfig = load(self.path, part="nobody")
        with versions.connect(dsn) as conn:
            versions.apply(conn, self.config, author="li", reason="first", now=here.now)
        self.surveys = ConfigSurveys(dsn=dsn, path=self.path)

    def app(self, **changes: Any) -> FastAPI:
        """The web over this town."""
        return self.here.app(**{"city": self.config.city, "surveys": self.surveys, **changes})

    def sends(self, data: bytes, camera_id: str = FIELD, kind: str = "snapshot_clean") -> str:
        """A stored snapshot of the camera."""
        sha256 = sha256_hex(data)
        write_whole(path_of(self.here.data_dir, sha256), data)
        with self.here.pool.connection() as conn:
            conn.execute(
                "INSERT INTO evidence (sha256, kind, content_type, bytes, edge_id, camera_id, announced_at, stored_at)"
                " VALUES (%s, %s, 'image/jpeg', %s, 'edge-demo', %s, %s, %s)",
                (sha256, kind, len(data), camera_id, self.here.now, self.here.now),
            )
        return sha256


@contextmanager
def survey_town(dsn: str, folder: Path, now: datetime = NOON) -> Iterator[SurveyTown]:
    """A town over a migrated database."""
    with town(dsn, folder / "data", now) as here:
        yield SurveyTown(dsn, here, folder)
