"""A hidden part is hidden for good, and a copy says that it is one."""

import numpy as np
import pytest

from monitor.domain.privacy import Look, Note, boxes_of
from monitor.domain.privacy_note import into_jpeg
from monitor.web.blurring import Bgr, hide, hide_all, stamp
from monitor.web.copies import NoCopyError, blurred_picture
from tests.doubles.web_town import picture

RNG = np.random.default_rng(5)
NOISE: Bgr = RNG.integers(0, 256, (240, 320, 3)).astype(np.uint8)


@pytest.mark.parametrize("side", [6, 10, 30, 100, 200])
def test_nothing_finer_than_a_quarter_is_left(side: int) -> None:
    """Two pictures whose quarters have the same means give nearly the same copy: their detail is gone."""
    part = (20.0, 20.0, 20.0 + side, 20.0 + side)
    other = NOISE.copy()
    other[20 : 20 + side, 20 : 20 + side] = other[20 : 20 + side, 20 : 20 + side][::-1, ::-1]
    a, b = (hide(bgr, [part])[20 : 20 + side, 20 : 20 + side].astype(int) for bgr in (NOISE, other))
    assert (
        np.abs(np.diff(a, axis=1)).mean()
        < 0.15 * np.abs(np.diff(NOISE[20 : 20 + side, 20 : 20 + side].astype(int), axis=1)).mean()
    )
    assert np.abs(a - b[::-1, ::-1]).max() <= 6, "the copy is made of the means alone"


def test_the_rest_of_the_picture_stays() -> None:
    """What is not hidden is what was filmed, and the original array is left alone."""
    before = NOISE.copy()
    copy = hide(NOISE, [(50.0, 60.0, 90.0, 100.0)])
    assert (before == NOISE).all()
    changed = np.argwhere((copy != NOISE).any(axis=2))
    assert changed.min(axis=0).tolist() >= [60, 50]
    assert changed.max(axis=0).tolist() <= [99, 89]


@pytest.mark.parametrize("part", [(-50.0, -50.0, 20.0, 20.0), (310.0, 230.0, 900.0, 900.0), (400.0, 0.0, 500.0, 9.0), (9.0, 9.0, 9.0, 9.0)])  # fmt: skip
def test_parts_beyond_the_picture_are_cut_off(part: tuple[float, float, float, float]) -> None:
    """A head at the picture's edge is hidden as far as it shows."""
    assert hide(NOISE, [part]).shape == NOISE.shape


def test_of_a_picture_without_boxes_only_colours_are_left() -> None:
    """Twelve means across: enough to see that there is a picture."""
    assert hide_all(NOISE).astype(int).std() < 0.2 * NOISE.astype(int).std()


def test_the_copy_says_what_it_is_a_copy_of() -> None:
    """A strip below the picture, never over it; sides are even, as films need them."""
    odd = NOISE[:239, :319]
    marked = stamp(odd, "a" * 64)
    assert (marked[:238, :318] == odd[:238, :318]).all()
    assert marked.shape[0] % 2 == marked.shape[1] % 2 == 0
    assert (marked[240:].max(axis=2) > 200).sum() > 100, "there is text"
    assert (stamp(odd, "b" * 64)[240:] != marked[240:]).any(), "it names the original's hash"


def test_boxes_of_another_picture_hide_everything() -> None:
    """A note whose size is not the picture's would hide the wrong parts."""
    note = Note(size_px=(320, 180), looks=(Look(0.0, boxes_of([("person", 0.9, (1.0, 1.0, 2.0, 2.0))])),))
    plain = picture("x", (640, 360))
    assert blurred_picture(into_jpeg(plain, note), "c" * 64) == blurred_picture(plain, "c" * 64)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", picture("x")[:900], picture("x", kind="PNG")])
def test_what_can_not_be_read_has_no_copy(data: bytes) -> None:
    """An error with a name, never the original instead."""
    with pytest.raises(NoCopyError):
        blurred_picture(data, "d" * 64)
