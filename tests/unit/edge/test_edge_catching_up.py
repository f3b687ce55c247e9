"""A woken camera looks at what it kept, and doesn't lose what happens meanwhile, however dear a look is."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from edge.followed import most_late
from edge.frames import Frame, Slot
from edge.watcher import GRACE_S


def frame(media_s: float) -> Frame:
    return Frame(picture=None, size_px=(1, 1), media_s=media_s, captured_at=datetime(2026, 5, 1, tzinfo=UTC))


@pytest.mark.parametrize("look_s", [0.06, 0.2, 0.35, 0.5, 0.8])
def test_a_dwell_survives_that_a_camera_catches_up(look_s: float) -> None:
    """An excavator digs from 10 s on. Of the ten late looks as many are taken as keep the gap below a dwell's grace."""
    slot, now_s, at = Slot(), 12.1, []
    for k in range(10):
        slot.put_late(frame(10.2 + 0.2 * k))
    slot.put(frame(now_s))
    while now_s < 30.0:
        taken = slot.take(0.0)
        assert taken is not None
        at.append(taken.media_s)
        now_s += max(look_s, 0.0 if slot.behind else 0.2)
        slot.thin(most_late(look_s))
        slot.put(frame(now_s))
    assert all(0.0 < b - a < GRACE_S for a, b in pairwise(at))
    assert 12.0 in at, "what woke it is among them"


def test_what_is_thinned_out_counts_as_dropped() -> None:
    """The ledger stays honest; nothing is thinned out where looks are cheap."""
    slot = Slot()
    for k in range(10):
        slot.put_late(frame(float(k)))
    slot.thin(most_late(0.06))
    assert slot.dropped == 0
    slot.thin(4)
    assert slot.dropped == 6
    left = [one.media_s for _ in range(4) if (one := slot.take(0.0)) is not None]
    assert left == sorted(left)
    assert left[-1] == 9.0
    assert not slot.behind
