"""Why a camera has no ground: named, so that a person can be told what to correct."""

from enum import StrEnum


class Refusal(StrEnum):
    """What is wrong with a survey. Texts are looked up by these words."""

    TOO_FEW = "too_few"
    SAME = "same"  # two points with the same pixel or place
    ONE_LINE_PICTURE = "one_line_picture"
    ONE_LINE_GROUND = "one_line_ground"
    NO_PLANE = "no_plane"  # no flat ground seen from one side shows the points so: some are exchanged
    CONTRADICT = "contradict"  # they fit a plane, but worse than clicks and survey can be
    BEYOND_LENS = "beyond_lens"
    SCALE = "scale"  # the pixels belong to a picture of another shape
    NO_FRAME = "no_frame"
    NO_POSITION = "no_position"
    SKYWARD = "skyward"  # a mast's camera that shows no ground


class CalibrationVoid(Exception):
    """A camera's survey or mast does not give a ground plane. Final; says why and what to do."""

    def __init__(self, message: str, why: Refusal) -> None:
        super().__init__(message)
        self.why = why
