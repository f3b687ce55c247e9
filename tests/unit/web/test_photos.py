"""What becomes of a field photo."""

import io
import struct
import zlib

import pytest
from PIL import Image

from monitor.web.errors import Unusable
from monitor.web.photos import MAX_PIXELS, SHOWN_EDGE_PX, shown_copy


def encoded(kind: str = "JPEG", size: tuple[int, int] = (320, 200), **more: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 40, 40)).save(out, kind, **more)
    return out.getvalue()


def with_position() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif.get_ifd(0x8825)[2] = (31.0, 12.0, 30.0)  # GPS latitude
    exif[0x010E] = "a secret description"
    return encoded(exif=exif)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_shown_copy_is_a_jpeg_of_the_picture(kind: str) -> None:
    """All three types that phones send are shown as JPEG."""
    content_type, copy = shown_copy(encoded(kind))
    assert content_type == f"image/{kind.lower()}"
    with Image.open(io.BytesIO(copy)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (320, 200))


def test_position_and_texts_are_stripped_and_the_picture_stands_upright() -> None:
    """Nothing but the picture survives; its turning is carried out."""
    original = with_position()
    assert b"secret" in original
    _, copy = shown_copy(original)
    assert b"secret" not in copy
    assert b"Exif" not in copy
    with Image.open(io.BytesIO(copy)) as shown:
        assert not shown.getexif()
        assert shown.size == (200, 320)


def test_what_hides_behind_the_picture_is_gone() -> None:
    """Bytes after the end of the picture do not reach those who look at it."""
    _, copy = shown_copy(encoded() + b"<script>alert(1)</script>")
    assert b"script" not in copy


def test_a_large_photo_is_shown_smaller() -> None:
    """Pages get no more pixels than they show."""
    _, copy = shown_copy(encoded(size=(5000, 1000)))
    with Image.open(io.BytesIO(copy)) as shown:
        assert max(shown.size) == SHOWN_EDGE_PX


def png_that_claims(width: int, height: int) -> bytes:
    """A small PNG whose header promises more pixels than anybody wants to unpack."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = zlib.compress(bytes(10_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(30_000, 30_000), (MAX_PIXELS // 1000 + 1, 1000)])
def test_a_decompression_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    """Neither a monstrous nor a slightly too large picture is unpacked."""
    bomb = png_that_claims(*size)
    assert len(bomb) < 1000
    with pytest.raises(Unusable) as refused:
        shown_copy(bomb)
    assert refused.value.key == "photo_pixels"


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"", "photo_type"),
        (b"GIF89a" + bytes(100), "photo_type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "photo_type"),
        (b"\xff\xd8\xff" + bytes(100), "photo_broken"),
        (encoded()[:200], "photo_broken"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "photo_broken"),
    ],
)
def test_what_is_no_photo_is_refused(data: bytes, key: str) -> None:
    """Other types and broken files give a sentence, not a fault."""
    with pytest.raises(Unusable) as refused:
        shown_copy(data)
    assert refused.value.key == key


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_damaged_exif_costs_the_turning_at_most() -> None:
    """Whatever byte of it is another: a copy, or a sentence; a fault would make the phone send the photo for ever."""
    original = with_position()
    begin, end = original.index(b"Exif"), original.index(b"\xff\xdb")
    taken = 0
    for at in range(begin, end):
        for value in (0, 3, 255):
            damaged = bytearray(original)
            damaged[at] = value
            try:
                _, copy = shown_copy(bytes(damaged))
            except Unusable as refused:
                assert refused.key == "photo_broken"  # noqa: PT017 - one of two good ends
            else:
                taken += b"secret" not in copy
    assert taken > 2.9 * (end - begin), "a picture that can be seen is taken"
