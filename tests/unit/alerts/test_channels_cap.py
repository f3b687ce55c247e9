"""CAP 1.2: what we send is what the standard's own schema (OASIS, data/CAP-v1.2.xsd) accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from lxml import etree

from alerts.channels.cap import NAMESPACE, cap_xml
from alerts.lifecycle import State
from alerts.news import alert_news
from alerts.reasons import Why
from alerts.values import SYSTEM, Alert, Move
from monitor.domain.assets import Channel, City
from monitor.domain.levels import Level
from tests.doubles.alert_story import CITY, NOON, event
from tests.unit.alerts.test_alerts_decide import opened

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parent / "data" / "CAP-v1.2.xsd"))
CAP = Channel(
    channel_id="cap", kind="cap", url="https://a.example", sender="hcawatch.example", sends=("alerts",)
)
REAL = msgspec.structs.replace(CITY, made_up=False, channels=(CAP,))


def move(alert: Alert, n: int, step: str, level: Level, to: State = State.OPEN) -> Move:
    return Move(alert_id=alert.alert_id, n=n, step=step, from_state=State.OPEN, to_state=to, level=level,
                actor=SYSTEM.user, role=SYSTEM.role, at=NOON, reason=Why.NEW_PLACE)  # fmt: skip


def story() -> list[dict[str, Any]]:
    """An alert of level III that rises to I and is dismissed: bodies of what is told of levels I and II."""
    alert = opened(event())
    moves: list[Move] = []
    told = []
    for step, level, to in (("open", Level.III, State.OPEN), ("rise", Level.II, State.OPEN),
                            ("rise", Level.I, State.OPEN), ("dismiss", Level.I, State.DISMISSED)):  # fmt: skip
        moves.append(move(alert, len(moves) + 1, step, level, to))
        now = msgspec.structs.replace(alert, level=level, state=to, number=7)
        told += [message.body for message in alert_news(now, moves, REAL, NOON)]
    return told


def parsed(body: dict[str, Any], city: City = REAL) -> Any:
    root = etree.fromstring(cap_xml(body, city, "hcawatch.example", "https://watch.example"))
    SCHEMA.assertValid(root)
    return root


def one(root: Any, name: str) -> str | None:
    return root.findtext(f".//{{{NAMESPACE}}}{name}")


def test_alert_update_cancel_refer_to_each_other() -> None:
    """A receiver can tell that the second message is about the first, and that the third takes both back."""
    first, second, third = (parsed(body) for body in story())
    assert [one(r, "msgType") for r in (first, second, third)] == ["Alert", "Update", "Cancel"]
    assert one(first, "references") is None
    assert one(second, "references") == f"hcawatch.example,{one(first, 'identifier')},{one(first, 'sent')}"
    assert len(str(one(third, "references")).split(" ")) == 2
    assert [one(r, "severity") for r in (first, second)] == ["Severe", "Extreme"]
    assert [e.text for e in first.iter(f"{{{NAMESPACE}}}language")] == ["zh-CN", "en-US"]


def test_who_wants_level_one_and_two_hears_nothing_of_level_three() -> None:
    """The opening at level III was not told; the rise to II is told as an alert."""
    assert [body["what"] for body in story()] == ["opened", "changed", "closed"]


@pytest.mark.parametrize(("made_up", "footage", "status"),
                         [(False, "real", "Actual"), (True, "real", "Exercise"), (False, "simulated", "Exercise")])  # fmt: skip
def test_a_drill_never_looks_like_the_real_thing(made_up: bool, footage: str, status: str) -> None:
    """A made-up city and simulated footage are an Exercise."""
    body = {**story()[0], "footage": footage}
    assert one(parsed(body, msgspec.structs.replace(REAL, made_up=made_up)), "status") == status


def test_an_alert_without_a_place_and_with_odd_characters() -> None:
    """No ground fix: an area in words; what XML can't hold is left out, not an error in the courier."""
    body = {
        **story()[0],
        "lon": None,
        "lat": None,
        "chainage": None,
        "site_id": None,
        "title": {"en": "a\x00<&>b"},
    }
    root = parsed(body)
    assert one(root, "circle") is None
    assert one(root, "areaDesc")
