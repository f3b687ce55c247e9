"""How the boxes of a picture travel: inside it, so that one hash seals both and none arrives alone.

A JPEG has comment segments for it, a film's container a tag. Both are read as what somebody sent: whatever
is not exactly a note is no note.
"""

from __future__ import annotations

from typing import Final

import msgspec

from monitor.domain.privacy import Note

#: The film's tag: the one that MP4, Matroska and AVI all have.
TAG: Final = "comment"
#: A look has at most 300 boxes of some 20 bytes, a clip some hundred looks.
MOST_BYTES: Final = 2_000_000
_SOI, _COM, _SOS = b"\xff\xd8", 0xFE, 0xDA
_MARK: Final = b"hcawatch.boxes "
_SEGMENT: Final = 65_000

_DECODER: msgspec.json.Decoder[Note] = msgspec.json.Decoder(Note)


def write(note: Note) -> bytes:
    """A note as text."""
    return msgspec.json.encode(note)


def read(data: bytes | str | None) -> Note | None:
    """Text as a note; None if it is none, or one that can't be right."""
    if not data or len(data) > MOST_BYTES:
        return None
    try:
        note = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    times = [look.at_s for look in note.looks]
    if min(note.size_px) < 1 or not note.looks or times != sorted(times):
        return None
    return note


def into_jpeg(jpeg: bytes, note: Note) -> bytes:
    """The picture with the note in it; its pixels stay as they are. ValueError if it is no JPEG."""
    if not jpeg.startswith(_SOI):
        raise ValueError("no JPEG: it does not begin with its mark")
    text, at = write(note), len(_SOI)
    if jpeg[at : at + 2] == b"\xff\xe0":  # JFIF has to stay first
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    segments = b"".join(
        b"\xff" + bytes((_COM,)) + (len(part) + len(_MARK) + 2).to_bytes(2, "big") + _MARK + part
        for part in (text[i : i + _SEGMENT] for i in range(0, len(text), _SEGMENT))
    )
    return jpeg[:at] + segments + jpeg[at:]


def from_jpeg(jpeg: bytes) -> Note | None:
    """The note in a picture; None if there is none."""
    at, parts = len(_SOI), []
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF and jpeg[at + 1] != _SOS:
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        body = jpeg[at + 4 : at + 2 + length]
        if jpeg[at + 1] == _COM and body.startswith(_MARK):
            parts.append(body[len(_MARK) :])
        if length < 2:
            return None
        at += 2 + length
    return read(b"".join(parts))
