"""The annotated snapshot: box, what is suspected, where, when and how bad, burnt into a copy.

Texts stand in both languages, drawn with OpenCV's built-in fonts, so that no font need be installed. A
simulated picture says so across its head. Decides nothing; values come from the event.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import cv2
import msgspec
import numpy as np

from edge.frames import Bgr
from monitor.domain.geometry import format_chainage
from monitor.domain.levels import Level
from monitor.domain.violations import CATALOGUE

SIMULATED: Final = "SIMULATED / 模拟画面"
_CLASS_ZH: Final = {
    "person": "人员", "excavator": "挖掘机", "truck": "卡车", "crane": "起重机", "loader": "装载机",
    "drill_rig": "钻机", "fire": "火", "smoke": "烟", "car": "汽车",
    "unexplained": "不明变化",
}  # fmt: skip
_COLOURS_BGR: Final = {
    Level.I: (48, 48, 230), Level.II: (40, 140, 255), Level.III: (60, 220, 250), Level.IV: (235, 160, 60),
}  # fmt: skip
_FONT: Final = "sans"
JPEG_QUALITY: Final = 88
#: Smaller pictures are enlarged, so that the text can be read.
LEAST_WIDTH_PX: Final = 960


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What is written into a snapshot."""

    camera_name: dict[str, str]
    site_name: dict[str, str]
    captured_at: datetime
    timezone: str
    violation: str
    object_class: str
    confidence: float
    level: Level
    simulated: bool
    chainage_m: float | None = None
    offset_m: float | None = None
    lonlat: tuple[float, float] | None = None
    accuracy_m: float | None = None
    may_lie_within: bool = False


def lines(label: Label) -> tuple[str, ...]:
    """The lines at the foot of the picture."""
    row = CATALOGUE[label.violation]
    local = label.captured_at.astimezone(ZoneInfo(label.timezone))
    may = " (may lie within / 可能位于范围内)" if label.may_lie_within else ""
    head = f"{label.level} 级  疑似 {row.title['zh']} / suspected: {row.title['en']}{may}  Art {row.article}"
    if not row.article:  # no article forbids what nobody has recognised yet
        head = f"{label.level} 级  {row.title['zh']} / {row.title['en']}{may}"
    when = f"{local:%Y-%m-%d %H:%M:%S %z}  ({label.captured_at:%H:%M:%S} UTC)"
    names = (label.camera_name, label.site_name)
    who = "  ·  ".join(" ".join(dict.fromkeys(filter(None, (n.get("zh"), n.get("en"))))) for n in names)
    return head, f"{when}  {who}", _where(label)


def _where(label: Label) -> str:
    if label.chainage_m is None or label.offset_m is None:
        return "no ground fix / 无地面定位"
    side = "right / 右" if label.offset_m >= 0 else "left / 左"
    text = f"{format_chainage(label.chainage_m)}  {abs(label.offset_m):.1f} m {side}"
    if label.lonlat is not None and label.accuracy_m is not None:
        text += f"   {label.lonlat[0]:.6f}, {label.lonlat[1]:.6f} (WGS84)  ±{label.accuracy_m:.1f} m"
    return text


def draw(bgr: Bgr, box: tuple[float, float, float, float], label: Label) -> Bgr:
    """A copy of the picture with all of it, enlarged if it is small; the input is left alone."""
    scale = max(1, math.ceil(LEAST_WIDTH_PX / bgr.shape[1]))
    size = (bgr.shape[1] * scale, bgr.shape[0] * scale)
    picture = np.asarray(cv2.resize(bgr, size), dtype=np.uint8) if scale > 1 else bgr.copy()
    width_px = picture.shape[1]
    size_px = max(12, round(width_px / 55))
    colour = _COLOURS_BGR[label.level]
    x1, y1, x2, y2 = (round(v * scale) for v in box)
    cv2.rectangle(picture, (x1, y1), (x2, y2), colour, max(2, width_px // 400))
    tag = f"{_CLASS_ZH.get(label.object_class, '')} {label.object_class} {label.confidence:.2f}".strip()
    _write(picture, tag, (x1, max(size_px + 4, y1 - size_px // 3)), size_px, colour)
    foot_px = picture.shape[0] - round(size_px * 0.6)
    for index, text in enumerate(reversed(lines(label))):
        _write(
            picture, text, (size_px // 2, foot_px - index * round(size_px * 1.5)), size_px, (255, 255, 255)
        )
    if label.simulated:
        _write(picture, SIMULATED, (size_px // 2, round(size_px * 2.2)), size_px * 2, (0, 220, 255))
    return picture


def beside(
    before: Bgr | None, annotated: Bgr, box: tuple[float, float, float, float], shape: tuple[int, ...]
) -> Bgr:
    """The scene before a change, left of the annotated picture of now; that alone if nobody knows how it looked.

    Args:
        before: of any size. box: in pixels of the picture that was annotated, whose shape is `shape`.
    """
    if before is None:
        return annotated
    height, width = annotated.shape[:2]
    left = np.asarray(cv2.resize(before, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    scale_x, scale_y = width / shape[1], height / shape[0]
    corners = (
        (round(box[0] * scale_x), round(box[1] * scale_y)),
        (round(box[2] * scale_x), round(box[3] * scale_y)),
    )
    cv2.rectangle(left, *corners, (255, 255, 255), max(2, width // 400))
    size_px = max(12, round(width / 55)) * 2
    _write(left, "before / 之前", (size_px // 2, size_px * 4), size_px, (255, 255, 255))
    right = annotated.copy()
    _write(right, "now / 现在", (size_px // 2, size_px * 4), size_px, (255, 255, 255))
    return np.hstack([left, right])


def _write(
    picture: Bgr, text: str, at_px: tuple[int, int], size_px: int, colour: tuple[int, int, int]
) -> None:
    """Text with a dark band behind it, made smaller until it fits the picture's width."""
    font = cv2.FontFace(_FONT)
    room_px = picture.shape[1] - at_px[0] - 4
    box = cv2.getTextSize((picture.shape[1], picture.shape[0]), text, at_px, font, size_px, 600)
    if box[2] > room_px > 0:
        size_px = max(8, int(size_px * room_px / box[2]))
        box = cv2.getTextSize((picture.shape[1], picture.shape[0]), text, at_px, font, size_px, 600)
    x, y, w, h = box
    top, bottom = max(0, y - 3), min(picture.shape[0], y + h + 3)
    left, right = max(0, x - 3), min(picture.shape[1], x + w + 3)
    if bottom > top and right > left:
        band = picture[top:bottom, left:right]
        band[:] = (band * 0.35).astype(np.uint8)
    cv2.putText(picture, text, at_px, colour, font, size_px, 600)


def warm_up() -> None:
    """Load the font: else the first event of a camera would wait for it."""
    _write(np.zeros((40, 200, 3), np.uint8), "I 级", (4, 30), 16, (255, 255, 255))


def to_jpeg(bgr: Bgr) -> bytes:
    """The picture as JPEG; ValueError if it can't be encoded."""
    good, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not good:
        raise ValueError(f"a picture of shape {bgr.shape} could not be encoded")
    return data.tobytes()
