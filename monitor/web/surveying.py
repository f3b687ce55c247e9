"""What the survey page needs of the configuration: a port, which the entry point fills. Nothing here decides."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from monitor.domain.assets import Camera, GroundPoint, Pipeline


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody found out about one camera."""

    frame_size_px: tuple[int, int]
    points: tuple[GroundPoint, ...]
    survey_sigma_m: float


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """A camera as the newest configuration has it, and the pipeline that it stands beside."""

    #: that configuration's number
    number: int
    camera: Camera
    pipeline: Pipeline


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What came of saving."""

    number: int
    calibration_version: str


class MovedOn(Exception):
    """Another configuration was applied since the one that the person saw. Final: look again."""


class Refused(Exception):
    """The configuration with this survey would be faulty. Final; carries the sentence by language."""

    def __init__(self, sentence: Mapping[str, str]) -> None:
        super().__init__(sentence["en"])
        self.sentence = dict(sentence)


class SurveyBook(Protocol):
    """The numbered configurations, as far as surveys go."""

    def current(self, camera_id: str) -> Registered | None:
        """The camera in the newest configuration; None if there is none yet, or it names no such camera."""

    def yaml_of(self, survey: Survey) -> str:
        """The survey as a person writes it under the camera."""

    def save(
        self, camera_id: str, survey: Survey, *, author: str, reason: str, now: datetime, seen: int
    ) -> Saved:
        """Write the next configuration, with its audit entry. MovedOn if number `seen` is not the newest; Refused."""
