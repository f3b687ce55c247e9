"""Pictures as the edge looks at them: a part is what the whole shows there."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from edge.frames import ArrayPicture, VideoPicture


@pytest.mark.parametrize("format_name", ["yuv420p", "yuvj420p", "nv12", "yuv422p"])
@pytest.mark.parametrize("colours", [Colorspace.ITU709, Colorspace.ITU601])
@pytest.mark.parametrize("sides", [(0, 0, 64, 36), (22, 14, 118, 90), (21, 13, 117, 89), (96, 60, 160, 98)])
def test_a_part_has_the_colours_of_the_whole(
    format_name: str, colours: Colorspace, sides: tuple[int, int, int, int]
) -> None:
    """What the detector gets of a window is, pixel by pixel, what it would get of the full picture."""
    noise = np.random.default_rng(7).integers(0, 255, (98, 160, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(noise, "bgr24").reformat(format=format_name)
    frame.colorspace, frame.color_range = colours, ColorRange.MPEG
    picture = VideoPicture(frame)
    left, top, right, bottom = sides
    whole = picture.bgr()
    assert np.array_equal(picture.part(*sides), whole[top:bottom, left:right])
    assert np.array_equal(ArrayPicture(whole).part(*sides), whole[top:bottom, left:right])
