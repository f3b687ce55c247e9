"""Surveys made in the console, written as versions of the configuration: fills the web's port.

What is written is the newest version with one camera's points changed, checked like a file: a survey never
brings in anything else, and never goes over a version that its author has not seen.
"""

import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from hcawatch.config import versions
from hcawatch.config.checks.look import Surroundings
from hcawatch.config.faults import Fault
from hcawatch.config.load import Report, from_document
from hcawatch.config.texts import Language
from monitor.web.surveying import MovedOn, Refused, Registered, Saved, Survey

_LANGUAGES: tuple[Language, ...] = ("en", "zh")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSurveys:
    """The versions in one database."""

    dsn: str
    #: the configuration file: its folder is what paths are relative to
    path: Path

    def current(self, camera_id: str) -> Registered | None:
        """The camera in the newest version."""
        with versions.connect(self.dsn) as conn:
            newest = versions.newest(conn)
        config = None if newest is None else self._checked(newest.body, datetime.now(UTC)).config
        if newest is None or config is None:
            return None
        city = config.city
        camera = next((camera for camera in city.cameras if camera.camera_id == camera_id), None)
        if camera is None:
            return None
        pipeline = city.pipeline(city.hca(camera.site_id).pipeline_id)
        return Registered(number=newest.number, camera=camera, pipeline=pipeline)

    def yaml_of(self, survey: Survey) -> str:
        """As it stands under the camera: one line for each point, so that it can be read and compared."""
        said = _said(survey)
        lines = [
            f"frame_size_px: {_flow(said['frame_size_px'])}",
            f"survey_sigma_m: {survey.survey_sigma_m:g}",
        ]
        lines += ["ground_points:", *(f"  - {_flow(point)}" for point in said["ground_points"])]
        return "".join(f"    {line}\n" for line in lines)

    def save(
        self, camera_id: str, survey: Survey, *, author: str, reason: str, now: datetime, seen: int
    ) -> Saved:
        """The next version: MovedOn, Refused."""
        with versions.connect(self.dsn) as conn:
            newest = versions.newest(conn)
            if newest is None or newest.number != seen:
                raise MovedOn
            body = copy.deepcopy(newest.body)
            camera = next((c for c in body["cameras"] if c["id"] == camera_id), None)
            if camera is None:
                raise MovedOn
            camera.pop("mast", None)
            camera.update(_said(survey))
            report = self._checked(body, now)
            if report.config is None:
                raise Refused(_sentences(report.errors))
            try:
                number = versions.apply(conn, report.config, author=author, reason=reason, now=now, seen=seen)
            except versions.ConfigMovedOn as exc:
                raise MovedOn from exc
        version = report.config.city.camera(camera_id).calibration_version
        return Saved(number=number, calibration_version=version)

    def _checked(self, body: dict[str, Any], now: datetime) -> Report:
        # nobody's secrets and files: it is only compared and stored
        around = Surroundings(folder=self.path.absolute().parent, env={}, now=now, part="nobody")
        return from_document(body, path=self.path, around=around)


def _said(survey: Survey) -> dict[str, Any]:
    return {
        "frame_size_px": list(survey.frame_size_px),
        "survey_sigma_m": survey.survey_sigma_m,
        "ground_points": [
            {"pixel": list(point.pixel), "lonlat": list(point.lonlat)} for point in survey.points
        ],
    }


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False).strip()


def _sentences(faults: tuple[Fault, ...]) -> dict[str, str]:
    """The first faults, in words."""
    return {
        language: " ".join(f"{f.key}: {f.what(language)}. {f.remedy(language)}" for f in faults[:3])
        for language in _LANGUAGES
    }
