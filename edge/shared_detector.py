"""A camera's detector: its own network if it is the only camera of its edge, else a seat at the shared one.

The shared one keeps the protocol of `models.detector`: the picture is scaled here, by the same arithmetic
(`models.boxes`), so that boxes are the very same; the network runs in `edge.detector_process`. Where nobody
looked it raises `NotLooked`, never an empty answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from edge.job import CameraJob
from edge.scheduling import Occasion, Refusal, deadline_s
from edge.seat import LONGEST_SIDE_PX, Answer, CameraEnd, Request
from models.boxes import check_frame, fit, to_canvas, to_frame_xyxy
from models.detector import Detection, Detector, ModelInfo
from models.errors import ModelRefused, NotLooked
from models.registry import describe, find, load, read_card
from monitor.domain.levels import HcaGrade
from monitor.domain.privacy import NOTED_SCORE

#: How long a look may run on a busy machine once it has begun.
RUN_S: Final = 3.0
#: An answer is waited for in pieces, so that a detector that died is noticed.
PIECE_S: Final = 0.1
#: At the start the shared network is still being loaded; it is waited for, so that nothing is seen too late.
#: The worker's word that the detector is another one, and that detector itself, come so far apart at most.
BETWEEN_S: Final = 3.0
PATIENCE_S: Final = 20.0

log = structlog.get_logger()

OccasionNow = Callable[[], Occasion]


def detector_for(job: CameraJob, occasion: OccasionNow, long_side_px: int | None = None) -> Detector:
    """The detector of a camera's process.

    Args:
        job: has a seat if the edge has several cameras.
        occasion: what the look that is asked now is for.
        long_side_px: of the network's input; the card's own if none is given.

    Raises:
        ModelRefused, BackendUnknown, BackendUnusable: as `models.registry.load`.
    """
    if job.seat is None:
        return load(
            job.weights_dir,
            job.backend,
            providers=job.providers,
            long_side_px=long_side_px,
            score_min=NOTED_SCORE,
        )
    folder = job.weights_dir or find(None)
    card = read_card(folder)
    side_px = long_side_px or card.long_side_px
    if side_px > LONGEST_SIDE_PX:
        return load(
            job.weights_dir,
            job.backend,
            providers=job.providers,
            long_side_px=side_px,
            score_min=NOTED_SCORE,
        )
    return SharedDetector(
        job.seat, describe(card, job.backend, side_px), grade=job.hca.grade, occasion=occasion, folder=folder
    )


class SharedDetector:
    """A seat at the shared detector. Thread-safe: looks of one camera wait for each other."""

    def __init__(
        self,
        seat: CameraEnd,
        info: ModelInfo,
        *,
        grade: HcaGrade,
        occasion: OccasionNow,
        folder: Path,
    ) -> None:
        self._seat, self._info, self._occasion = seat, info, occasion
        #: of the camera's HCA; it may change while the camera runs
        self.grade = grade
        self._long_side_px, self._folder = max(info.input_hw), folder
        #: since when looks may meet the detector before or after the one that they name
        self._other_s: float | None = None
        seat.open()

    def adopt(self, weights_dir: Path | None, backend: str) -> None:
        """From now on ask for the looks of another set of weights, whose network takes pictures of the same size."""
        folder = weights_dir or find(None)
        info = describe(read_card(folder), backend, self._long_side_px)
        with self._seat.turn:
            self._info, self._folder, self._other_s = info, folder, None

    @property
    def info(self) -> ModelInfo:
        """By the card; the shared network refuses to look for who names another one."""
        return self._info

    @property
    def windows_ready(self) -> bool:
        """Whether it can be asked for windows without waiting for a compiler."""
        return self._seat.prepared

    def detect(
        self, frame_bgr: NDArray[np.uint8], *, long_side_px: int | None = None
    ) -> tuple[Detection, ...]:
        """Objects in one (H, W, 3) frame, best score first.

        Raises:
            NotLooked: the detector is overloaded, or isn't there just now.
            ModelRefused: the weights were exchanged since this process began.
        """
        check_frame(frame_bgr)
        side_px = long_side_px or self._long_side_px
        letterbox = fit((frame_bgr.shape[0], frame_bgr.shape[1]), long_side_px=side_px)
        with self._seat.turn:
            serving = self._seat.serving
            if not serving:
                raise NotLooked(Refusal.ABSENT)
            look, occasion = time.monotonic_ns(), self._occasion()
            to_canvas(frame_bgr, letterbox, self._seat.picture(look, letterbox.input_hw), rgb=False)
            until_s = deadline_s(occasion, time.monotonic())
            asked = self._seat.ask(
                Request(look, self.grade, occasion, until_s, letterbox.input_hw, side_px,
                        self._info.sha256)
            )  # fmt: skip
            answer = self._answered(look, until_s + RUN_S) if asked else None
        if answer is None:
            raise NotLooked(Refusal.NO_ANSWER if self._seat.serving == serving else Refusal.ABSENT)
        if answer.refused is Refusal.OTHER_MODEL and self._between():
            raise NotLooked(Refusal.ABSENT)
        if answer.refused is Refusal.OTHER_MODEL:
            raise ModelRefused(
                "its weights were exchanged while they were in use", where=self._folder,
                remedy="This camera's process starts again with the new ones by itself.",
            )  # fmt: skip
        if answer.refused is not None:
            raise NotLooked(answer.refused)
        self._other_s = None
        if not answer.boxes:
            return ()
        xyxy = to_frame_xyxy(np.array([box.xyxy for box in answer.boxes], dtype=np.float32), letterbox)
        return tuple(
            Detection(
                class_name=box.class_name, score=box.score, xyxy=(corner[0], corner[1], corner[2], corner[3])
            )
            for box, corner in zip(answer.boxes, xyxy.tolist(), strict=True)
        )

    def _between(self) -> bool:
        """Whether the detector just changes: the worker's word of it and the detector itself come moments apart."""
        now_s = time.monotonic()
        if self._other_s is None:
            self._other_s = now_s
        return now_s - self._other_s < BETWEEN_S

    def _answered(self, look: int, until_s: float) -> Answer | None:
        """The answer; None once it is too late, or the one that was asked is gone and none took its place.

        Who makes way for another detector answers what it has taken, and leaves the rest to the other.
        """
        while (left_s := until_s - time.monotonic()) > 0:
            answer = self._seat.answer(look, min(PIECE_S, left_s))
            if answer is not None:
                return answer
            if not self._seat.serving:
                return self._seat.answer(look, 0.0)
        return None

    def warm_up(self) -> None:
        """Wait until the shared network is loaded; not for ever: cameras go on without, and say so."""
        until_s = time.monotonic() + PATIENCE_S
        while not self._seat.serving:
            if time.monotonic() > until_s:
                log.error("no_detector", waited_s=PATIENCE_S)
                return
            time.sleep(0.05)
