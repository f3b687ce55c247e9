"""Calm: nothing that must ring is kept quiet, and nothing that is kept quiet is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.calm import bundling, texts
from alerts.calm.flapping import flaps, on_flap_timer
from alerts.calm.flood import flood, grouped
from alerts.calm.holding import INHIBITING, Held, Quiet, hold_of, on_shelf_end
from alerts.calm.messages import shelf_messages
from alerts.calm.running import tallies
from alerts.calm.shelves import (
    EndOfShelf,
    Scope,
    Shelf,
    ShelfAsk,
    ShelfForbidden,
    ShelfReason,
    ShelfRefused,
    begin,
    end,
    may_shelve,
    most_s,
)
from alerts.clocks import clocks
from alerts.commands import Change, SeekOfficer, SetTimer
from alerts.lifecycle import AlertKind, State
from alerts.messages import escalation_message
from alerts.news import told
from alerts.policy import Policy
from alerts.reasons import Health, Why
from alerts.values import SYSTEM, Actor, Alert, Confirmation, LastWord, Move
from hcawatch.config.calm import calm_of
from hcawatch.config.schema import CalmSection
from monitor.domain.calm import Calm
from monitor.domain.events import CameraState
from monitor.domain.levels import Level
from monitor.domain.response import Response
from monitor.domain.roles import Role
from tests.doubles.alert_story import CITY, NOON, OPERATOR, SUPERVISOR, uid

HOUR = timedelta(hours=1)
CALM = Calm()


def alert(**changes: Any) -> Alert:
    values: dict[str, Any] = {
        "alert_id": uid("alert"), "number": 5, "kind": AlertKind.VIOLATION, "state": State.OPEN, "violation": "on_pipe",
        "subject": "s1", "site_id": "s1", "camera_id": "c1", "level": Level.III, "reasons": (), "weights_version": "1",
        "opened_at": NOON, "onset_at": NOON, "last_seen_at": NOON,
    }  # fmt: skip
    return Alert(**{**values, **changes})


def ask(**changes: Any) -> ShelfAsk:
    values: dict[str, Any] = {
        "actor": SUPERVISOR, "scope": Scope.CAMERA, "camera_id": "c1", "worst": Level.III,
        "reason": ShelfReason.MAINTENANCE, "note": "mast is painted", "until_at": NOON + HOUR,
    }  # fmt: skip
    return ShelfAsk(**{**values, **changes})


def shelf(**changes: Any) -> Shelf:
    one = begin(ask(), None, (), CITY, CALM, NOON, uid("shelf"))
    return msgspec.structs.replace(one, **changes)


def held(level: Level, quiet: Quiet, **changes: Any) -> Any:
    given: dict[str, Any] = {
        "camera_id": "c1",
        "violation": "on_pipe",
        "alert_id": None,
        "seen_at": NOON,
        "now": NOON,
    }
    return hold_of(level=level, quiet=quiet, **{**given, **changes})


# ---------------------------------------------------------------- what is held
quiets = st.builds(
    Quiet,
    shelves=st.lists(
        st.builds(
            lambda scope, camera, worst, hours: shelf(
                scope=scope, camera_id=camera, violation="on_pipe", alert_id=uid("alert"), worst=worst,
                from_at=NOON + hours * HOUR, until_at=NOON + (hours + 2) * HOUR,
            ),
            st.sampled_from(Scope), st.sampled_from(["c1", "c2"]),
            st.sampled_from([Level.II, Level.III, Level.IV]), st.integers(-4, 3),
        ),
        max_size=4,
    ).map(tuple),
    camera=st.none() | st.builds(
        lambda state, minutes: LastWord(state=state, since=NOON + timedelta(minutes=minutes)),
        st.sampled_from(CameraState), st.integers(-60, 60),
    ),
)  # fmt: skip


@settings(deadline=None)
@given(quiets, st.sampled_from(["on_pipe", "excavation_5m"]))
def test_red_goes_through_everything(quiet: Quiet, violation: str) -> None:
    """No shelf and no covered camera keeps level I from ringing."""
    assert held(Level.I, quiet, violation=violation, alert_id=uid("alert")) is None


@settings(deadline=None)
@given(quiets, st.sampled_from([Level.II, Level.III, Level.IV]))
def test_what_is_held_is_held_by_something_that_stands(quiet: Quiet, level: Level) -> None:
    """A shelf that is over, of another source, or of milder levels holds nothing; and there is always a reason."""
    hold = held(level, quiet)
    standing = [
        s
        for s in quiet.shelves
        if s.from_at <= NOON < s.until_at
        and s.scope is not Scope.ALERT
        and s.camera_id == "c1"
        and not level.is_worse_than(s.worst)
    ]
    if standing:
        assert hold.by is Held.SHELF
        assert hold.until == max(s.until_at for s in standing)
    elif hold is not None:
        assert hold.by is Held.INHIBITED
        assert quiet.camera is not None
        assert quiet.camera.state in INHIBITING
        assert quiet.camera.since <= NOON
        assert hold.reason.points == 0


@pytest.mark.parametrize("state", sorted(INHIBITING))
def test_a_picture_from_before_the_trouble_is_trusted(state: CameraState) -> None:
    """The backlog of a camera that was covered at two rings for what it saw at one."""
    word = LastWord(state=state, since=NOON)
    assert held(Level.II, Quiet(camera=word), seen_at=NOON).by is Held.INHIBITED
    assert held(Level.II, Quiet(camera=word), seen_at=NOON - HOUR) is None


def test_a_camera_that_gives_no_picture_inhibits_nothing() -> None:
    """What a stalled or unreachable camera sent before is no worse for it."""
    for state in (
        CameraState.STALLED,
        CameraState.UNREACHABLE,
        CameraState.STREAMING,
        CameraState.UNANALYSED,
    ):
        assert held(Level.IV, Quiet(camera=LastWord(state=state, since=NOON))) is None


# ---------------------------------------------------------------- who may shelve, how long
@settings(deadline=None)
@given(
    st.sampled_from(list(Role)), st.sampled_from(list(Level)), st.floats(-1, 50), st.sampled_from([Scope.CAMERA, Scope.ALERT])
)  # fmt: skip
def test_no_shelf_beyond_role_and_time(role: Role, level: Level, hours: float, scope: Scope) -> None:
    """An operator III and IV, a supervisor II as well, nobody I; never longer than its level allows."""
    one = alert(level=level)
    asked = ask(actor=Actor(user="x", role=role), worst=level, scope=scope, alert_id=one.alert_id,
                until_at=NOON + hours * HOUR)  # fmt: skip
    try:
        made = begin(asked, one, (), CITY, CALM, NOON, uid("s"))
    except ShelfRefused as refused:
        said = texts.PROBLEMS[refused.key]["en"].format(**refused.facts)
        assert said
        return
    assert made.worst is level is not Level.I
    assert role is Role.SUPERVISOR or (role is Role.OPERATOR and level is not Level.II)
    assert timedelta(0) < made.until_at - NOON <= timedelta(seconds=most_s(level, CALM))


def test_a_wide_shelf_is_as_short_as_its_worst_level() -> None:
    """A camera shelved for II to IV stands as long as II may."""
    assert [most_s(level, CALM) / 3600 for level in (Level.II, Level.III, Level.IV)] == [4, 12, 24]
    assert most_s(Level.I, CALM) == 0.0
    never = calm_of(CalmSection(shelf_most_h={"III": 0}))
    assert most_s(Level.III, never) == 0.0
    assert not may_shelve(Role.SUPERVISOR, Level.I)


@pytest.mark.parametrize(
    ("changes", "key"),
    [({"note": " "}, "shelf_needs_note"), ({"camera_id": "nowhere"}, "shelf_no_camera"),
     ({"scope": Scope.RULE, "violation": "nonsense"}, "shelf_no_rule"), ({"scope": Scope.ALERT}, "shelf_no_alert"),
     ({"worst": Level.I}, "shelf_never_red"), ({"until_at": NOON}, "shelf_until"),
     ({"actor": OPERATOR, "worst": Level.II}, "shelf_level")],
)  # fmt: skip
def test_a_refusal_says_why(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ShelfRefused) as refused:
        begin(ask(**changes), None, (), CITY, CALM, NOON, uid("s"))
    assert refused.value.key == key


def test_nobody_is_called_off_by_a_shelf() -> None:
    """An alert with an officer on the way, or one that is closed, is not shelved; nor one source twice."""
    for state in (State.DISPATCHED, State.ON_SITE, State.DISMISSED):
        with pytest.raises(ShelfRefused):
            begin(ask(scope=Scope.ALERT), alert(state=state), (), CITY, CALM, NOON, uid("s"))
    with pytest.raises(ShelfRefused, match="shelf_stands_already"):
        begin(ask(), None, (shelf(),), CITY, CALM, NOON, uid("s"))


def test_an_operator_does_not_end_what_only_a_supervisor_may_begin() -> None:
    wide = shelf(worst=Level.II)
    with pytest.raises(ShelfForbidden):
        end(wide, OPERATOR, EndOfShelf.BY_HAND, "", NOON)
    over = end(wide, SYSTEM, EndOfShelf.DUE, "", NOON)
    with pytest.raises(ShelfRefused, match="shelf_is_over"):
        end(over, SUPERVISOR, EndOfShelf.BY_HAND, "", NOON)


# ---------------------------------------------------------------- its end
kept = st.builds(
    lambda n, level, confirmation, over, by, closed: (
        alert(
            alert_id=uid(f"a{n}"), number=n, level=level, confirmation=confirmation, held_by=by,
            condition_ended_at=NOON if over else None, closed_at=NOON if closed else None,
            state=State.DISMISSED if closed else State.OPEN,
        ),
        Quiet(),
    ),
    st.integers(1, 9999), st.sampled_from([Level.II, Level.III, Level.IV]),
    st.sampled_from(list(Confirmation)), st.booleans(), st.sampled_from([None, "shelf"]), st.booleans(),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(kept, max_size=8, unique_by=lambda one: one[0].number))
def test_everything_that_came_is_named_once_when_a_shelf_ends(came: list[tuple[Alert, Quiet]]) -> None:
    """It rings, waits for a look, or was closed; what is still there rings, and nobody refuted is sent to."""
    left = on_shelf_end(shelf(), came, Policy(), NOON + HOUR)
    named = [*left.rings, *left.gone, *left.held, *left.closed]
    assert sorted(named) == sorted(a.number for a, _ in came)
    rung = {
        c.after.alert_id: c.after for c in left.commands if isinstance(c, Change) and c.move.step == "ring"
    }
    for one, _ in came:
        if one.closed_at is None and one.held_by and one.condition_ended_at is None:
            assert rung[one.alert_id].held_by is None
            assert rung[one.alert_id].rung_at == NOON + HOUR
    sent = {c.timer.alert_id for c in left.commands if isinstance(c, SetTimer)}
    sent |= {c.alert.alert_id for c in left.commands if isinstance(c, SeekOfficer)}
    refuted = {a.alert_id for a, _ in came if a.confirmation == "refuted"}
    assert not sent & refuted


def test_what_another_shelf_still_holds_goes_on_being_held() -> None:
    """Ending the camera's shelf lets nothing ring that its rule's shelf keeps."""
    other = shelf(shelf_id=uid("other"), scope=Scope.RULE, violation="on_pipe", until_at=NOON + 3 * HOUR)
    left = on_shelf_end(shelf(), [(alert(held_by="shelf"), Quiet(shelves=(other,)))], Policy(), NOON + HOUR)
    assert left.held == (5,)
    (change,) = left.commands
    assert isinstance(change, Change)
    assert change.after.shelf_id == other.shelf_id


def test_the_end_of_a_shelf_holds_nothing_that_somebody_works_on() -> None:
    """It came and went while shelved, and an officer is there: it rings, and waits for nobody's look."""
    there = alert(held_by="shelf", state=State.ON_SITE, condition_ended_at=NOON)
    left = on_shelf_end(shelf(), [(there, Quiet())], Policy(), NOON + HOUR)
    (change,) = left.commands
    assert isinstance(change, Change)
    assert (change.after.held_by, change.after.state, left.gone) == (None, State.ON_SITE, ())
    assert left.rings == (there.number,)


def test_who_shelved_and_the_supervisors_hear_of_the_end() -> None:
    """In both languages: what rings now and what waits for a look."""
    one = shelf(role=Role.OPERATOR)
    left = on_shelf_end(one, [(alert(held_by="shelf"), Quiet())], Policy(), NOON)
    messages = shelf_messages(one, left, CITY, NOON)
    assert [m.body["officer"] for m in messages] == ["supervisor", "operator"]
    assert "#5" in messages[0].body["text"]["zh"]
    assert len({m.idempotency_key for m in messages}) == 2


# ---------------------------------------------------------------- clocks and channels
def test_clocks_of_what_is_held_stand_still_and_begin_with_its_ringing() -> None:
    """Nobody is rung for what was shelved for hours, and everybody has the whole limit afterwards."""
    quiet = clocks(alert(level=Level.II, held_by="shelf"), (), CITY, Response())
    assert not any(c.ran_out(NOON + 99 * HOUR) for c in quiet)
    rung_at = NOON + 3 * HOUR
    again = clocks(alert(level=Level.II, rung_at=rung_at), (), CITY, Response())
    assert {c.since for c in again} == {rung_at}
    assert all(c.runs for c in again)


def move(n: int, step: str, held: str | None, level: Level = Level.III, to: State = State.OPEN) -> Move:
    return Move(alert_id=uid("alert"), n=n, step=step, from_state=None, to_state=to, level=level, actor="x",
                role=Role.SYSTEM, at=NOON, reason="by_hand", held_by=held)  # fmt: skip


def test_channels_hear_nothing_of_what_is_held() -> None:
    """Neither its opening nor its closing; what rings later is news then; what was told before is taken back."""

    def heard(*moves: Move) -> list[int]:
        return [m.n for m in told(moves, list(Level))]

    def closed(n: int) -> Move:
        return move(n, "dismiss", "shelf", to=State.DISMISSED)

    assert heard(move(1, "open", "shelf"), closed(2)) == []
    assert heard(move(1, "open", "shelf"), move(2, "ring", None)) == [2]
    before = [move(1, "open", None), move(2, "hold", "shelf"), move(3, "rise", "shelf", Level.II)]
    assert heard(*before) == [1]
    assert heard(*before[:2], closed(3)) == [1, 3]


def test_channels_hear_nothing_of_what_one_shelf_hands_to_the_next() -> None:
    """Opened held, held by something else when the shelf ends: who never heard of it gets no "changed" or "closed"."""
    opened, handed = move(1, "open", "shelf"), move(2, "hold", "inhibited")
    assert [m.n for m in told([opened, handed, move(3, "ring", None)], list(Level))] == [3]
    gone = move(2, "hold", "shelf_over")
    assert told([opened, gone, move(3, "dismiss", "shelf_over", to=State.DISMISSED)], list(Level)) == ()


# ---------------------------------------------------------------- coming and going
def test_the_third_loss_in_a_quarter_of_an_hour_flaps() -> None:
    """Only what clears by itself: a lost number or a dead letter is never held back."""
    assert [flaps(Health.CAMERA_NOT_WATCHING, n, CALM) for n in (0, 1, 2, 9)] == [False, False, True, True]
    assert not flaps(Health.DEAD_LETTER, 99, CALM)


@pytest.mark.parametrize(
    ("state", "minutes_ago", "does"),
    [
        ("streaming", 15, "clear"),
        ("streaming", 14, "wait"),
        ("stalled", 60, "nothing"),
        ("streaming", -60, "wait"),
    ],
)
def test_what_flaps_clears_once_it_stayed_back(state: str, minutes_ago: int, does: str) -> None:
    """Whatever the edge's clock says: the wait is never longer than the window, and never without end."""
    flapping = alert(kind=AlertKind.HEALTH, violation=None, health="camera_not_watching", flapping_since=NOON)
    word = LastWord(state=state, since=NOON - timedelta(minutes=minutes_ago))
    commands = on_flap_timer(flapping, word, CALM, NOON)
    if does == "clear":
        (change,) = commands
        assert isinstance(change, Change)
        assert (change.after.state, change.move.reason) == (State.CLEARED, Why.STAYED_BACK)
    elif does == "wait":
        (timer,) = commands
        assert isinstance(timer, SetTimer)
        assert NOON < timer.timer.due_at <= NOON + timedelta(minutes=15)
    else:
        assert commands == ()


# ---------------------------------------------------------------- floods
@settings(deadline=None)
@given(st.lists(st.integers(0, 360).map(lambda n: 20 * n), max_size=60), st.integers(1, 3))
def test_a_flood_begins_above_and_ends_below(seconds: list[int], positions: int) -> None:
    """Against the slow way: go through the time in steps of 20 s and count the last ten minutes."""
    calm = Calm(positions=positions)
    on = False
    for second in range(7201):
        recent = sum(second - 600 < s <= second for s in seconds)
        if recent > 10 * positions:
            on = True
        elif recent < 5 * positions:
            on = False
    found = flood([NOON + timedelta(seconds=s) for s in seconds], calm, NOON + timedelta(seconds=7200))
    assert found.on == on
    assert found.recent == sum(6600 < s <= 7200 for s in seconds)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["s1", "s2", None]), st.sampled_from(["on_pipe", "works_50m"]), st.sampled_from(list(Level))),
        max_size=30,
    )
)  # fmt: skip
def test_groups_lose_nothing(rows: list[tuple[str | None, str, Level]]) -> None:
    """Each alert is in one group, the worst group comes first, and its worst level is what it says."""
    alerts = [alert(alert_id=uid(f"a{n}"), number=n, site_id=s, violation=v, level=level, opened_at=NOON + timedelta(seconds=n))
              for n, (s, v, level) in enumerate(rows)]  # fmt: skip
    groups = grouped(tallies(alerts), alerts)
    assert sum(g.n for g in grouped(tallies(alerts), alerts[:3])) == len(rows), (
        "what is not at hand counts too"
    )
    assert sorted(a.number for g in groups for a in g.alerts) == list(range(len(rows)))
    ranks = [g.worst.rank for g in groups]
    assert ranks == sorted(ranks)
    for group in groups:
        assert group.worst.rank == min(a.level.rank for a in group.alerts)
        assert group.oldest_at == min(a.opened_at for a in group.alerts)
        assert {(a.site_id, a.violation) for a in group.alerts} == {(group.site_id, group.what)}


# ---------------------------------------------------------------- bundles
def message(number: int, level: Level = Level.II) -> Any:
    one = alert(alert_id=uid(f"a{number}"), number=number, level=level)
    clock = clocks(one, (), CITY, Response())[0]
    return escalation_message(one, clock, "boss", "mqtt", "t", f"key{number}", NOON, in_room=True)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 20), st.sampled_from([Level.I, Level.II, Level.III])),
        min_size=1,
        max_size=25,
    )
)
def test_a_bundle_names_every_alert_once_the_worst_first(rung: list[tuple[int, Level]]) -> None:
    """A supervisor must find each overdue alert in the one message that stands for many."""
    first, *others = [message(n, level) for n, level in rung]
    bundle = bundling.first_of(first, "boss", NOON)
    for other in others:
        bundle = bundling.with_another(bundle, other)
    numbers = [item["number"] for item in bundle.body["items"]]
    assert sorted(numbers) == sorted({n for n, _ in rung})
    ranks = [Level(item["level"]).rank for item in bundle.body["items"]]
    assert ranks == sorted(ranks)
    assert bundle.body["count"] == len(numbers)
    assert bundle.body["level"] == bundle.body["items"][0]["level"]
    assert str(len(numbers)) in bundle.body["title"]["zh"]


def test_the_first_messages_of_a_minute_go_by_themselves() -> None:

    def waits(level: Level, n: int, worst: Level | None = Level.III) -> bool:
        return bundling.bundles(level, bundling.ToldLately(n=n, worst=worst), CALM)

    assert [waits(Level.III, n) for n in range(5)] == [False, False, False, True, True]
    # level I, and what is worse than all that was told, goes by itself
    assert [waits(level, 9) for level in Level] == [False, False, True, True]
    assert not waits(Level.I, 9, Level.I)
    assert waits(Level.II, 9, Level.II)


# ---------------------------------------------------------------- texts and configuration
def test_texts_are_there_in_both_languages() -> None:
    wanted = {f"reason_{r.value}" for r in ShelfReason} | {f"held_{h.value}" for h in Held} | {f"ended_{e.value}" for e in EndOfShelf}  # fmt: skip
    assert wanted <= set(texts.WORDS)
    for text in (*texts.WORDS.values(), *texts.PROBLEMS.values()):
        assert text["en"]
        assert text["zh"]


def test_the_shipped_numbers_are_the_sections_defaults() -> None:
    """A file that says nothing changes nothing."""
    assert calm_of(CalmSection()) == Calm()


def test_a_flood_never_ends_later_than_it_begins() -> None:
    assert calm_of(CalmSection(flood_above=4, flood_below=9)).flood_below == 4


def test_a_flood_ends_by_itself() -> None:
    """Within its window, without any further alert."""
    opened = [NOON + timedelta(seconds=n) for n in range(20)]
    assert flood(opened, CALM, NOON + timedelta(minutes=5)).on
    assert not flood(opened, CALM, NOON + timedelta(minutes=11)).on
