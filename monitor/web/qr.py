"""A text as a QR code, drawn as one SVG path. Encoded by OpenCV, which is here anyway. Pure."""

import cv2
import msgspec


class Qr(msgspec.Struct, frozen=True):
    """Side in modules (with its quiet zone) and the path of the dark ones, one unit each."""

    size: int
    path: str


def qr_of(text: str) -> Qr:
    """The code of a text of at most some hundred characters."""
    modules = cv2.QRCodeEncoder.create().encode(text)
    rows, columns = modules.shape[:2]
    parts = []
    for y in range(rows):
        x = 0
        while x < columns:
            begin = x
            while x < columns and modules[y, x] == 0:
                x += 1
            if x > begin:
                parts.append(f"M{begin} {y}h{x - begin}v1h-{x - begin}z")
            x += 1
    return Qr(size=int(max(rows, columns)), path="".join(parts))
