"""The two pictures of a moment as evidence: annotated and clean, each with the boxes of all that was found in it.

Makes JPEGs and writes them; what is in the picture, and whether somebody wants it, is decided elsewhere.
"""

from __future__ import annotations

import msgspec

from edge import annotate
from edge.boxes import enlarged, of_right_half
from edge.evidence import EvidenceStore, Kept
from edge.frames import Bgr
from monitor.domain.privacy import Note, in_size
from monitor.domain.privacy_note import into_jpeg


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What a look saw, in pixels of the picture that it looked at."""

    box: tuple[float, float, float, float]
    label: annotate.Label
    size_px: tuple[int, int]
    #: boxes of everything that was found
    note: Note | None = None
    #: of what changed: how the scene looked before
    before: Bgr | None = None


def keep_pair(
    store: EvidenceStore, scene: Scene, bgr: Bgr, *, of_substream: bool = False
) -> tuple[Kept, Kept]:
    """Both pictures of the scene, written; `bgr` may be of another size than the look's. EvidenceRefused."""
    size_px = (bgr.shape[1], bgr.shape[0])
    scale = size_px[0] / scene.size_px[0]
    x1, y1, x2, y2 = (side * scale for side in scene.box)
    annotated = annotate.draw(bgr, (x1, y1, x2, y2), scene.label)
    annotated = annotate.beside(scene.before, annotated, (x1, y1, x2, y2), bgr.shape)
    note = None if scene.note is None else in_size(scene.note, size_px)
    return (
        store.keep_jpeg(_noted(annotated, bgr, note), "snapshot_annotated", of_substream=of_substream),
        store.keep_jpeg(_noted(bgr, bgr, note), "snapshot_clean", of_substream=of_substream),
    )


def _noted(picture: Bgr, look: Bgr, note: Note | None) -> bytes:
    """A picture made of another as JPEG, with that one's boxes."""
    jpeg = annotate.to_jpeg(picture)
    if note is not None:
        note = enlarged(note, picture.shape[0] // look.shape[0])
        if picture.shape[1] == 2 * note.size_px[0]:  # before and now, side by side
            note = of_right_half(note)
    if note is None or note.size_px != (picture.shape[1], picture.shape[0]):
        return jpeg  # boxes of another picture would hide the wrong parts: the centre then hides all
    return into_jpeg(jpeg, note)
