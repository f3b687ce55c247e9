"""What a camera's watchdog remarks, in a form that any language can be put to: keys with their facts.

It travels as the text `reason` of a camera's status (`same_pixels:15; infrared`), so that an older centre shows
it and a newer one says it in its reader's language. What is no remark (a decoder's own error) passes as it is.
"""

from enum import StrEnum


class Remark(StrEnum):
    """Why a camera's state is what it is, or what else is to be known of one that watches."""

    # of a camera that watches
    INFRARED = "infrared"
    STREAM_SLOW = "stream_slow"  # fact: per cent
    STREAM_FAST = "stream_fast"
    CLOCK_AHEAD = "clock_ahead"  # fact: seconds
    CLOCK_BEHIND = "clock_behind"
    LOSSY = "lossy"  # fact: per cent of the pictures
    # of one that does not
    NO_PICTURE = "no_picture"  # fact: seconds
    SAME_PIXELS = "same_pixels"  # fact: seconds
    BLACK = "black"
    WHITE = "white"
    GLARE = "glare"  # fact: per cent of the picture
    SHAPES_ONLY = "shapes_only"
    NOTHING_TO_SEE = "nothing_to_see"
    DETAIL_GONE = "detail_gone"  # fact: per cent of the picture
    OTHER_SCENE = "other_scene"
    DETECTOR_BUSY = "detector_busy"
    DETECTOR_ABSENT = "detector_absent"
    DETECTOR_SILENT = "detector_silent"
    DETECTOR_FAILS = "detector_fails"
    OTHER_WEIGHTS = "other_weights"


def told(remark: Remark, fact: float | None = None) -> str:
    """A remark as it travels.

    >>> told(Remark.SAME_PIXELS, 15.0), told(Remark.BLACK)
    ('same_pixels:15', 'black')
    """
    return remark.value if fact is None else f"{remark.value}:{fact:.0f}"


def read(reason: str) -> tuple[tuple[Remark | None, str], ...]:
    """(remark, its fact) of each; (None, the text) for what is none.

    >>> read("infrared; stream_slow:3")
    ((<Remark.INFRARED: 'infrared'>, ''), (<Remark.STREAM_SLOW: 'stream_slow'>, '3'))
    >>> read("no route to host: 10.0.0.9; try 2")
    ((None, 'no route to host: 10.0.0.9; try 2'),)
    """
    found: list[tuple[Remark | None, str]] = []
    for part in filter(None, reason.split("; ")):
        key, _, fact = part.partition(":")
        if key not in set(Remark):
            return ((None, reason),)
        found.append((Remark(key), fact))
    return tuple(found)
