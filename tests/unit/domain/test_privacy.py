"""What a blurred copy hides: the face and the plate where they are known, everything where they are not."""

from itertools import pairwise

import pytest

from monitor.domain.privacy import (
    NOTED_SCORE,
    UNSEEN_S,
    Box,
    Film,
    Look,
    Note,
    Rect,
    boxes_of,
    hidden_part,
    hidden_parts,
)
from monitor.domain.privacy_note import MOST_BYTES, from_jpeg, into_jpeg, read, write
from monitor.domain.roles import RIGHTS, Right, Role, Sight, sight
from tests.doubles.web_town import picture

PERSON: Rect = (100.0, 100.0, 140.0, 220.0)


def inside(inner: Rect, outer: Rect) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def look(at_s: float, *rects: Rect) -> Look:
    return Look(at_s, boxes_of([("person", 0.5, rect) for rect in rects]))


def test_what_is_too_weak_for_an_alarm_is_hidden_all_the_same() -> None:
    """Alarms want precision, privacy wants recall: a face that scores 0.05 is a face."""
    found = [("person", NOTED_SCORE, PERSON), ("person", NOTED_SCORE - 0.001, PERSON), ("fire", 0.9, PERSON)]
    assert [(b.kind, b.score) for b in boxes_of(found)] == [("p", 5)]


def test_a_head_at_the_top_and_a_plate_at_the_bottom() -> None:
    """A standing person's head with room around it, not the hands; a car's plate, not its roof."""
    head = hidden_part("p", PERSON)
    assert inside((108.0, 100.0, 132.0, 122.0), head)
    assert head[3] < 160.0
    plate = hidden_part("v", (0.0, 0.0, 200.0, 100.0))
    assert inside((80.0, 70.0, 120.0, 100.0), plate)
    assert plate[1] > 25.0


def test_of_somebody_cut_off_at_the_waist_the_whole_face_is_hidden() -> None:
    """A box that is wider than high has its face lower than a third."""
    assert inside((120.0, 110.0, 180.0, 190.0), hidden_part("p", (100.0, 100.0, 200.0, 200.0)))


def test_boxes_grow_outwards_when_rounded_and_enlarged() -> None:
    """The annotated picture of a small camera is an enlarged one."""
    assert boxes_of([("car", 0.9, (10.9, 10.9, 20.1, 20.1))], scale=2.0)[0] == Box("v", 90, 21, 21, 41, 41)


def test_in_a_film_what_moves_is_hidden_between_two_looks() -> None:
    """Five looks a second, a person who walks 60 px in that time: the head is covered all the way."""
    looks = [look(0.0, PERSON), look(0.2, (160.0, 100.0, 200.0, 220.0))]
    for step in range(11):
        x = 100.0 + 6 * step
        head = (x + 8, 100.0, x + 32, 122.0)
        parts = Film(looks).hidden_at(step * 0.02)
        assert parts is not None
        assert any(inside(head, part) for part in parts), step
        assert len(parts) == 1, "one person is hidden once"


def test_a_box_that_one_look_lacks_is_hidden_all_the_same() -> None:
    """A detector that blinks does not uncover anybody."""
    looks = [look(0.0, PERSON), look(0.2), look(0.4, PERSON)]
    for at_s in (0.0, 0.1, 0.2, 0.3, 0.4, 0.6):
        parts = Film(looks).hidden_at(at_s)
        assert parts is not None
        assert any(inside((108.0, 100.0, 132.0, 122.0), part) for part in parts), at_s


def test_who_stands_still_stays_hidden_until_the_next_look() -> None:
    """Where nothing moves the detector looks every two seconds."""
    parts = Film([look(0.0, PERSON), look(2.0, PERSON)]).hidden_at(1.1)
    assert parts is not None
    assert inside((108.0, 100.0, 132.0, 122.0), parts[0])


CROSSED: Rect = (1000.0, 100.0, 1040.0, 220.0)


@pytest.mark.parametrize(
    ("looks", "at_s"),
    [
        ([look(0.0, PERSON), look(5.0, CROSSED)], 2.5),
        ([look(0.0), look(5.0, PERSON)], 2.5),
        ([look(0.0, PERSON), look(5.0)], 4.0),
        ([look(3.0, PERSON)], 1.0),
        ([look(3.0, PERSON)], 5.0),
    ],
)
def test_who_moved_while_nobody_looked_is_hidden_with_everything(looks: list[Look], at_s: float) -> None:
    """Looks are rare when the edge is short of time: both ends of a way say nothing of its middle."""
    assert Film(looks).hidden_at(at_s) is None


def test_who_moved_a_little_between_rare_looks_is_hidden_all_the_way() -> None:
    """A head that was left and right of here may be here."""
    parts = Film([look(0.0, PERSON), look(2.0, (200.0, 100.0, 240.0, 220.0))]).hidden_at(0.9)
    assert parts is not None
    assert inside((108.0, 100.0, 232.0, 122.0), parts[0])


@pytest.mark.parametrize(
    ("at_s", "known"), [(UNSEEN_S, True), (UNSEEN_S + 0.1, False), (-UNSEEN_S - 0.1, False)]
)
def test_where_nobody_looked_nothing_is_known(at_s: float, known: bool) -> None:
    """None hides the whole picture; an empty look near by hides nothing."""
    assert (Film([look(0.0)]).hidden_at(at_s) is not None) is known


NOTE = Note(size_px=(640, 360), looks=(look(0.0, PERSON), look(0.2)))


def test_the_note_travels_inside_the_picture() -> None:
    """Read back as written, also when it needs several segments; the pixels stay what they are."""
    jpeg = picture("car")
    crowd = Note(size_px=(640, 360), looks=tuple(look(i / 5, *[PERSON] * 60) for i in range(100)))
    for note in (NOTE, crowd):
        noted = into_jpeg(jpeg, note)
        assert from_jpeg(noted) == note
        assert noted[noted.index(b"\xff\xdb") :] == jpeg[jpeg.index(b"\xff\xdb") :]
    assert len(write(crowd)) > 65_536


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{}", b"[]", b"\xff", b"x" * (MOST_BYTES + 1),
        write(Note(size_px=(640, 360), looks=())),
        write(Note(size_px=(0, 360), looks=NOTE.looks)),
        write(Note(size_px=(640, 360), looks=NOTE.looks[::-1])),
        write(NOTE).replace(b'"p"', b'"q"'),
        write(NOTE)[:-3],
    ],
)  # fmt: skip
def test_what_is_no_note_is_none(text: bytes) -> None:
    """Whatever an edge sends in its place, the centre then hides everything and goes on."""
    assert read(text) is None


@pytest.mark.parametrize("cut", range(2, 40))
def test_a_cut_or_bent_picture_has_no_note(cut: int) -> None:
    """Nothing in a picture's head makes the reader run on or fail."""
    noted = into_jpeg(picture("car"), NOTE)
    assert from_jpeg(noted[:cut]) is None
    bent = noted[:cut] + b"\x00\x00" + noted[cut + 2 :]
    assert from_jpeg(bent) in (None, NOTE)


def test_who_is_not_listed_gets_the_blurred_copy() -> None:
    """A role that is added later sees no face until somebody decides that it needs to."""
    assert {role for role in Role if sight(role) is Sight.CLEAR} == {
        Role.OPERATOR,
        Role.SUPERVISOR,
        Role.OFFICER,
    }
    assert all(sight(role) is Sight.BLURRED for role in (Role.PATROL, Role.HOLDER, Role.ADMIN, Role.SYSTEM))
    assert sight(Role.AUDITOR) is Sight.ON_REQUEST
    assert RIGHTS[Right.SEE_EVIDENCE] == {
        Role.OPERATOR,
        Role.SUPERVISOR,
        Role.OFFICER,
        Role.PATROL,
        Role.AUDITOR,
    }


def test_hidden_parts_are_those_of_each_box() -> None:
    """Nobody is left out in a crowd."""
    rects = [(x, 10.0, x + 20, 70.0) for x in range(0, 200, 20)]
    parts = hidden_parts(look(0.0, *rects).boxes)
    assert len(parts) == len(rects)
    assert all(a[0] < b[0] for a, b in pairwise(parts))
