"""A field photo: what is taken, and the copy that pages show. Pure functions on bytes.

The original is sealed by its hash and leaves only in an export; the copy is decoded and encoded anew, so
that nothing but its picture survives (no EXIF, no position, nothing hidden behind the picture).
"""

import io
import warnings

from PIL import ExifTags, Image

from monitor.web.errors import Unusable, WebError
from monitor.web.uploads import JPEG, PNG, WEBP, sniff

#: a phone's largest sensor mode today is 200 Mpx; what people send is under 50
MAX_PIXELS = 60_000_000
SHOWN_EDGE_PX = 2048
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FORMATS = {JPEG: "JPEG", PNG: "PNG", WEBP: "WEBP"}


def shown_copy(
    original: bytes, edge_px: int | None = SHOWN_EDGE_PX, most_pixels: int = MAX_PIXELS
) -> tuple[str, bytes]:
    """(content type of the original, JPEG to show). Unusable if it is no picture that we take.

    `edge_px` is the most that the longer edge keeps; None leaves the size as it is.
    """
    content_type = sniff(original[:16])
    if content_type not in _FORMATS:
        raise Unusable("photo_type", status=415)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(original), formats=[_FORMATS[content_type]]) as picture:
                # the header names the size: nothing is unpacked before this is known
                if picture.width * picture.height > most_pixels:
                    raise Unusable("photo_pixels", status=413, limit=most_pixels // 1_000_000)
                if edge_px is not None:
                    picture.draft("RGB", (edge_px, edge_px))
                upright = _upright(picture).convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise Unusable("photo_pixels", status=413, limit=most_pixels // 1_000_000) from exc
    except (WebError, MemoryError):
        raise
    except Exception as exc:  # a damaged file makes the decoders raise whatever they stumble over
        raise Unusable("photo_broken") from exc
    if edge_px is not None:
        upright.thumbnail((edge_px, edge_px))
    clean = Image.frombytes("RGB", upright.size, upright.tobytes())
    out = io.BytesIO()
    clean.save(out, "JPEG", quality=86)
    return content_type, out.getvalue()


def _upright(picture: Image.Image) -> Image.Image:
    """As the phone was held. What a damaged EXIF says is left aside: the picture counts."""
    picture.load()
    try:
        turn = _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - as above
        return picture
    return picture if turn is None else picture.transpose(turn)
