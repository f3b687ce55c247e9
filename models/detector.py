"""The one protocol that every detector keeps, and the values that it deals in.

Decides nothing: pictures go in, boxes with classes and scores come out. The arithmetic between
picture and network is in `models.boxes`, the networks are run by the backends
(`models.onnx_backend`), and which weights may be used is `models.registry`'s matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One object that a detector sees in one frame."""

    #: One of the detector's `info.classes`.
    class_name: str
    #: 0 to 1; the share of such boxes that are right if the model's card has a calibration, else the
    #: network's own confidence.
    score: float
    #: Left, top, right, bottom in pixels of the frame that was given, clipped to it.
    xyxy: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """Which network is looking: what an event names as its `model`."""

    name: str
    version: str
    #: SHA-256 of the weights file, lower-case hex; checked when it was loaded.
    sha256: str
    #: Class names in the order of the network's outputs.
    classes: tuple[str, ...]
    #: The data it was trained on, in one line for people.
    trained_on: str
    #: Key of the backend that runs it, for example "onnxruntime".
    backend: str
    #: Height and width in pixels that a 16:9 frame has inside the network.
    input_hw: tuple[int, int]
    #: Classes whose figures were found good enough for an alarm; None: nobody said, all may raise one.
    shipped: tuple[str, ...] | None = None


@runtime_checkable
class Detector(Protocol):
    """Finds objects in single frames. Safe to call from several threads at once."""

    @property
    def info(self) -> ModelInfo:
        """Name, version, hash and classes of the network in use."""
        ...

    def detect(
        self, frame_bgr: NDArray[np.uint8], *, long_side_px: int | None = None
    ) -> tuple[Detection, ...]:
        """Objects in one frame, best score first.

        Args:
            frame_bgr: picture of shape (H, W, 3), blue-green-red, any size.
            long_side_px: longer side of the network's input, a multiple of 32, where it is not to be the usual
                one: a part of a frame is seen at the frame's own scale so (`edge.looking`).

        Raises:
            FrameUnusable: the array is not such a picture.
            NotLooked: the detector is shared between cameras and did not look; only such a one raises it.
        """
        ...

    def warm_up(self) -> None:
        """Run the network once on an empty picture, so that the first real frame is not the slow one."""
        ...
