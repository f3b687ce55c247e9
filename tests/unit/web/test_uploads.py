"""Parts that grow on the centre's disk, and whole files that appear at once."""

from pathlib import Path

import pytest

from monitor.domain.events import sha256_hex
from monitor.web.errors import Unusable
from monitor.web.evidence import first_byte
from monitor.web.uploads import JPEG, Finish, PartFiles, TakenOverError, path_of, write_whole

DATA = b"\xff\xd8\xff" + b"x" * 1000
SHA = sha256_hex(DATA)


def test_an_upload_goes_on_where_the_last_one_broke(tmp_path: Path) -> None:
    """What arrived before the break counts, and the whole appears only at the end."""
    part = PartFiles(tmp_path).of(SHA)
    taken = part.take(0)
    assert taken is not None
    part.write(*taken, DATA[:400])
    taken[1].close()
    part = PartFiles(tmp_path).of(SHA)  # another process: only the disk remembers
    assert part.offset() == 400
    assert not path_of(tmp_path, SHA).exists()
    taken = part.take(400)
    assert taken is not None
    part.write(*taken, DATA[400:])
    assert part.finish(*taken, SHA, JPEG) is Finish.STORED
    assert path_of(tmp_path, SHA).read_bytes() == DATA


def test_no_hole_can_arise(tmp_path: Path) -> None:
    """Nobody writes behind the end of what is there."""
    assert PartFiles(tmp_path).of(SHA).take(1) is None


def test_a_dead_connection_blocks_nobody(tmp_path: Path) -> None:
    """The newest writer owns the part; the older one is told to stop and can't spoil it."""
    part = PartFiles(tmp_path).of(SHA)
    old = part.take(0)
    assert old is not None
    part.write(*old, DATA[:100])
    new = part.take(100)
    assert new is not None
    with pytest.raises(TakenOverError):
        part.write(*old, b"garbage")
    part.write(*new, DATA[100:])
    assert part.finish(*new, SHA, JPEG) is Finish.STORED


@pytest.mark.parametrize(
    ("sha256", "content_type", "finish"),
    [("0" * 64, JPEG, Finish.OTHER_HASH), (SHA, "video/mp4", Finish.OTHER_TYPE)],
)
def test_what_does_not_fit_is_thrown_away(
    tmp_path: Path, sha256: str, content_type: str, finish: Finish
) -> None:
    """Wrong bytes neither appear nor stay as a part that every retry would stumble over."""
    part = PartFiles(tmp_path).of(sha256)
    taken = part.take(0)
    assert taken is not None
    part.write(*taken, DATA)
    assert part.finish(*taken, sha256, content_type) is finish
    assert part.offset() == 0
    assert not path_of(tmp_path, sha256).exists()


def test_write_whole_leaves_nothing_beside(tmp_path: Path) -> None:
    """The file is there whole, and its partial is gone."""
    path = tmp_path / "a" / "b" / "photo"
    write_whole(path, b"data")
    write_whole(path, b"data")
    assert [p.name for p in path.parent.iterdir()] == ["photo"]


@pytest.mark.parametrize(
    ("content_range", "length", "total", "begin"),
    [
        (None, 10, 10, 0),
        (None, None, 10, 0),
        ("bytes 4-9/10", 6, 10, 4),
        ("bytes 0-3/10", 4, 10, 0),
    ],
)
def test_content_range_says_where_a_body_begins(
    content_range: str | None, length: int | None, total: int, begin: int
) -> None:
    """With and without Content-Range."""
    assert first_byte(content_range, length, total) == begin


@pytest.mark.parametrize(
    ("content_range", "length", "total"),
    [
        (None, 9, 10),
        (None, 11, 10),
        ("bytes 4-9/10", 5, 10),
        ("bytes 4-10/11", 7, 10),
        ("bytes 4-10/10", 7, 10),
        ("bytes 9-4/10", 0, 10),
        ("bytes */10", 0, 10),
        ("items 0-9/10", 10, 10),
    ],
)
def test_ranges_that_contradict_are_refused(content_range: str | None, length: int, total: int) -> None:
    """Lengths that don't fit together or the announced size are refused before a byte is taken."""
    with pytest.raises(Unusable):
        first_byte(content_range, length, total)
