"""Writes near pairs side by side for people: `index.html` (English), `index.zh.html`, and small pictures.

Decides how it looks and how many are shown; which pairs there are is `models.duplicates`'s decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.duplicates import Pair
from models.eval.pages import write_pages
from models.eval.texts import text
from models.predict import read_image

#: Pairs shown of each kind, and the width of each picture.
MOST: Final = 200
SHOWN_PX: Final = 320


def write_sheet(folder: Path, pairs: Sequence[Pair]) -> Path:
    """Write the sheet into `folder` (made if need be) and return its English page."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = []
    for key, chosen in (
        ("crossing", [p for p in pairs if p.crosses]),
        ("within", [p for p in pairs if not p.crosses]),
    ):
        shown = [(_picture(folder, f"{key}-{k:03d}", pair), pair) for k, pair in enumerate(chosen[:MOST])]
        kinds.append((key, shown, max(0, len(chosen) - MOST)))
    crossing = sum(pair.crosses for pair in pairs)
    return write_pages(
        folder, Path(__file__).with_name("duplicates.html.j2"), text,
        kinds=kinds, crossing=crossing, within=len(pairs) - crossing,
    )  # fmt: skip


def _picture(folder: Path, name: str, pair: Pair) -> str:
    """Both pictures beside each other in one file."""
    left, right = (_small(read_image(entry.print.path)) for entry in (pair.a, pair.b))
    height = max(left.shape[0], right.shape[0])
    sheet = np.full((height, 2 * SHOWN_PX + 4, 3), 255, np.uint8)
    sheet[: left.shape[0], :SHOWN_PX] = left
    sheet[: right.shape[0], SHOWN_PX + 4 :] = right
    cv2.imwrite(str(folder / f"{name}.jpg"), sheet)
    return f"{name}.jpg"


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height = max(1, round(image.shape[0] * SHOWN_PX / image.shape[1]))
    return np.asarray(cv2.resize(image, (SHOWN_PX, height), interpolation=cv2.INTER_AREA), np.uint8)
