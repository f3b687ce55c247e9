"""Shows a labelled set to a detector, one picture after another: the rim of the evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.detector import Detector
from models.eval.dataset import LabelledPicture, LabelledSet
from models.eval.values import Seen
from models.predict import read_image

#: Mean grey level (of 255) below which a picture counts as taken at night. A stand-in: the sources do
#: not say when a picture was taken.
DARK_BELOW: Final = 60.0


def look(
    labelled: LabelledSet, detector: Detector, progress: Callable[[int, int], None] | None = None
) -> Iterator[Seen]:
    """What the detector finds in each picture, beside its labels.

    Args:
        labelled: the pictures.
        detector: loaded down to a low score, so that curves are whole.
        progress: called with (pictures done, pictures in all) after each.

    Raises:
        ImageUnreadable: a picture of the set is broken; a figure without it would be of another set.
    """
    for done, picture in enumerate(labelled.pictures, start=1):
        yield see(picture, read_image(picture.path), detector)
        if progress is not None:
            progress(done, len(labelled.pictures))


def see(picture: LabelledPicture, image: NDArray[np.uint8], detector: Detector) -> Seen:
    """One picture's labels in pixels and what the detector finds in it."""
    height, width = image.shape[:2]
    found = detector.detect(image)
    return Seen(
        path=picture.path,
        truth_xyxy=picture.xyxy_share * np.array([width, height, width, height], dtype=np.float64),
        truth_classes=picture.class_names,
        found_xyxy=np.array([d.xyxy for d in found], dtype=np.float64).reshape(-1, 4),
        scores=np.array([d.score for d in found], dtype=np.float64),
        found_classes=tuple(d.class_name for d in found),
        exhaustive=picture.exhaustive,
        source=picture.source,
        dark=bool(image.mean() < DARK_BELOW),
    )
