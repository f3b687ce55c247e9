"""The simulated officer's photo: a drawing that says in both languages that it is none. Pure."""

import io
from datetime import datetime

from PIL import Image, ImageDraw

_SIZE_PX = (960, 720)
_Stroke = tuple[tuple[float, float], ...]

# 模拟 ("simulated") as strokes on a 100 x 100 grid, since no font with Chinese comes with our packages
_MO: tuple[_Stroke, ...] = (
    ((5, 28), (42, 28)), ((23, 5), (23, 95)), ((22, 32), (14, 50), (4, 62)), ((25, 38), (40, 55)),
    ((45, 17), (97, 17)), ((60, 6), (60, 28)), ((82, 6), (82, 28)),
    ((53, 34), (89, 34), (89, 60), (53, 60), (53, 34)), ((53, 47), (89, 47)),
    ((45, 71), (97, 71)), ((71, 60), (68, 74), (58, 86), (44, 96)), ((73, 73), (82, 85), (97, 96)),
)  # fmt: skip
_NI: tuple[_Stroke, ...] = (
    ((5, 27), (38, 27)), ((23, 5), (23, 90), (14, 84)), ((4, 62), (38, 48)),
    ((50, 18), (50, 72), (66, 58)), ((62, 22), (72, 38)),
    ((87, 10), (85, 45), (75, 74), (50, 96)), ((78, 60), (97, 94)),
)  # fmt: skip


def simulated_photo(lines: tuple[str, ...]) -> bytes:
    """A JPEG with these lines (ASCII) below 'SIMULATED / 模拟'. The same lines give the same bytes."""
    image = Image.new("RGB", _SIZE_PX, (92, 104, 88))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 430, _SIZE_PX[0], _SIZE_PX[1]), fill=(122, 104, 80))  # ground
    draw.polygon(((330, 520), (630, 520), (590, 600), (370, 600)), fill=(74, 60, 46))  # a filled-in pit
    draw.rectangle((0, 0, _SIZE_PX[0], 150), fill=(20, 24, 28))
    draw.text((40, 40), "SIMULATED /", fill=(255, 196, 0), font_size=64)
    _characters(draw, left_px=470, top_px=35, size_px=84)
    for n, line in enumerate(lines):
        draw.text((40, 175 + 34 * n), line, fill=(255, 255, 255), font_size=26)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def _characters(draw: ImageDraw.ImageDraw, *, left_px: float, top_px: float, size_px: float) -> None:
    for n, strokes in enumerate((_MO, _NI)):
        for stroke in strokes:
            points = [
                (left_px + (n * 112 + x) * size_px / 100, top_px + y * size_px / 100) for x, y in stroke
            ]
            draw.line(points, fill=(255, 196, 0), width=max(3, round(size_px / 14)), joint="curve")


def photo_of_dispatch(
    number: int, dispatch_id: str, place: tuple[float, float] | None, at: datetime
) -> bytes:
    """The photo of one dispatch: always the same, so that a repeated upload is the same photo."""
    where = "no position" if place is None else f"{place[0]:.6f} E, {place[1]:.6f} N (WGS84)"
    return simulated_photo(
        (f"alert #{number}", where, f"{at:%Y-%m-%d %H:%M:%S} UTC", f"dispatch {dispatch_id}")
    )
