"""Thresholds by hand on the real database: set in a form, checked as the edge checks, heard, answered, taken back."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from starlette.testclient import TestClient

from alerts.thresholds.cells import ALL, Cell
from alerts.thresholds.desk import ThresholdsDesk
from alerts.thresholds.ports import ThresholdsError
from alerts.values import Actor
from edge.configuration import Own, judge, of_file
from hcawatch.cli import run
from hcawatch.config import load, versions
from hcawatch.edge_configs import messages, of_version
from monitor.audit.entries import read
from monitor.domain.roles import Role
from tests.doubles.feedback_town import DOCUMENT, FeedbackTown, feedback_town
from tests.doubles.web_town import NOON
from tests.integration.test_web_alerts import as_

SUN = Actor(user="sun", role=Role.SUPERVISOR)
CAMERA, DIG = "old-town", "dig-5m"
ENTER, DWELL = Cell(ALL, "day", "enter_score"), Cell(ALL, "day", "dwell_s")
AT_NIGHT, LOADER = Cell(ALL, "night", "dwell_s"), Cell("loader", "day", "enter_score")


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[FeedbackTown]:
    with feedback_town(postgres_dsn, tmp_path) as one:
        yield one


def desk_of(here: FeedbackTown) -> ThresholdsDesk:
    return ThresholdsDesk(here.here.pool, here.book)


def entries(here: FeedbackTown) -> list[Any]:
    with here.here.pool.connection() as conn:
        rows = conn.execute(
            "SELECT body FROM audit_entry WHERE kind LIKE 'thresholds.%%' ORDER BY entry_id"
        ).fetchall()
    return [read(bytes(row["body"])) for row in rows]


def kinds(here: FeedbackTown, *cells: Cell) -> list[tuple[float, str]]:
    row = next(row for row in desk_of(here).of_camera(CAMERA).rows if row.rule.rule_id == DIG)
    return [(row.cells[cell].value, row.cells[cell].origin.kind) for cell in cells]


def key_of(do: Any, *given: Any, **more: Any) -> str:
    with pytest.raises(ThresholdsError) as refused:
        do(*given, **more)
    return refused.value.key


def heard(here: FeedbackTown, edge_id: str = "e1") -> Any:
    """The edge hears the newest version and judges it by its own checks; what it answers stands in its status."""
    with versions.connect(here.dsn) as conn:
        newest = versions.read(conn)
    config = of_version(newest, here.path)
    assert config is not None
    payload = messages(newest, config.city, NOON)[edge_id]
    own = Own(
        edge_id=edge_id, networks=("127.0.0.0/8",), credentials=frozenset(), folder=here.path.parent, sources=frozenset()
    )  # fmt: skip
    _, answer = judge(payload, own, of_file(config.city, edge_id, "file"), NOON)
    return newest.number, answer


def says(here: FeedbackTown, in_force: int, **answer: Any) -> None:
    """What the edge's status says."""
    status = {"config_version": "v", "config_number": in_force}
    if answer:
        status["answer"] = {"config_version": "v", "at": NOON.isoformat(), "reasons": [], **answer}  # type: ignore[assignment]
    with here.here.pool.connection() as conn:
        conn.execute(
            "INSERT INTO edge_state (edge_id, online, status, updated_at) VALUES ('e1', true, %s, now())"
            " ON CONFLICT (edge_id) DO UPDATE SET online = true, status = excluded.status",
            (Jsonb(status),),
        )


def test_numbers_by_hand_reach_the_edge_and_are_taken_back(here: FeedbackTown) -> None:
    """By class, by day and by night; each with its version, its entry, and who did it; then as it was."""
    desk = desk_of(here)
    change = desk.set(
        CAMERA, DIG, {ENTER: 0.6, AT_NIGHT: 8.0, LOADER: 0.65}, actor=SUN, reason="headlights", now=here.now
    )
    (setting,) = here.told().cameras[0].rules
    assert (setting.numbers.enter_score, setting.night.dwell_s, setting.reason) == (0.6, 8.0, "headlights")
    assert [(own.object_class, own.numbers.enter_score) for own in setting.by_class] == [("loader", 0.65)]
    number, answer = heard(here)
    assert (number, answer.taken) == (change.version, True)
    assert kinds(here, ENTER, AT_NIGHT, LOADER, DWELL) == [
        (0.6, "hand"), (8.0, "hand"), (0.65, "hand"), (4.0, "shipped"),
    ]  # fmt: skip
    (entry,) = entries(here)
    assert (entry.kind, entry.actor, entry.subject) == ("thresholds.set", "sun", "camera:old-town")
    assert entry.body["numbers"]["all.night.dwell_s"] == {"from": None, "to": 8}
    assert entry.body["version"] == change.version

    desk.set(CAMERA, DIG, {DWELL: 5.0}, actor=SUN, reason="carts pass", now=here.now)
    back = desk.take_back(change.change_id, actor=SUN, reason="missed a loader", now=here.now)
    assert (back.reverted_by, back.revert_reason) == ("sun", "missed a loader")
    (setting,) = here.told().cameras[0].rules
    assert (setting.numbers.enter_score, setting.night.dwell_s, setting.numbers.dwell_s) == (None, None, 5.0)
    assert not setting.by_class
    assert [one.kind for one in entries(here)] == ["thresholds.set", "thresholds.set", "thresholds.revert"]
    again = key_of(desk.take_back, change.change_id, actor=SUN, reason="again", now=here.now)
    assert again == "thresholds_taken_back_already"


def test_what_the_edge_would_refuse_is_refused_before_it_is_written(here: FeedbackTown) -> None:
    """The same limits, said in the reader's language; nothing is written, nothing stands in the log."""
    desk = desk_of(here)
    before = here.told()
    for cells, said in (
        ({ENTER: 0.8}, "would silence"),
        ({LOADER: 0.3, Cell("loader", "night", "leave_score"): 0.35}, "not below"),
        ({DWELL: 0.5}, "no value from 1 to 30 s"),
    ):
        with pytest.raises(ThresholdsError, match=said):
            desk.set(CAMERA, DIG, cells, actor=SUN, reason="try", now=here.now)
    asked: dict[str, Any] = {"actor": SUN, "reason": "try", "now": here.now}
    assert key_of(desk.set, CAMERA, DIG, {ENTER: None}, **asked) == "thresholds_nothing_new"
    assert key_of(desk.set, CAMERA, "dig-9m", {}, **asked) == "thresholds_no_rule"
    assert key_of(desk.set, "nowhere", DIG, {}, **asked) == "thresholds_no_camera"
    assert key_of(desk.set, CAMERA, DIG, {ENTER: 0.6}, **{**asked, "reason": " "}) == "thresholds_need_reason"
    assert key_of(desk.set, CAMERA, DIG, {ENTER: 0.6}, **asked, seen=9) == "thresholds_moved"
    olga = Actor(user="olga", role=Role.OPERATOR)
    assert key_of(desk.set, CAMERA, DIG, {ENTER: 0.6}, **{**asked, "actor": olga}) == "thresholds_not_yours"
    assert here.told() == before
    assert entries(here) == []


def test_what_feedback_did_and_what_a_person_did_are_told_apart(here: FeedbackTown) -> None:
    """One number from an approved proposal, one by hand; feedback does not go over a number set by hand."""
    for score in (0.51, 0.52, 0.53):
        here.false_alarm(score)
    (proposal_id,), _ = here.desk.look(here.now)
    here.desk.approve(proposal_id, SUN, "", here.now)
    desk_of(here).set(CAMERA, DIG, {DWELL: 5.0}, actor=SUN, reason="carts pass", now=here.now)
    assert kinds(here, ENTER, DWELL) == [(0.54, "feedback"), (5.0, "hand")]
    here.desk.revert(proposal_id, SUN, "missed one", here.now)
    assert kinds(here, ENTER, DWELL)[1] == (5.0, "hand"), (
        "taking feedback's step back leaves what was set by hand"
    )
    assert kinds(here, ENTER)[0][0] == 0.5
    desk_of(here).set(CAMERA, DIG, {LOADER: 0.6}, actor=SUN, reason="loaders", now=here.now)
    for score in (0.51, 0.52, 0.53):
        here.false_alarm(score)
    made, silences = here.desk.look(here.now)
    assert (made, [str(one.why) for one in silences]) == ((), ["own_class"])


def test_the_edges_numbers_stay_at_this_camera(postgres_dsn: str, tmp_path: Path) -> None:
    """A camera's own entry replaces all of the edge's: so it begins as that one, and is gone when nothing differs."""
    document = copy.deepcopy(DOCUMENT)
    document["edges"][0]["rules"] = [{"rule": DIG, "reason": "tuned", "dwell_s": 6.0}]
    with feedback_town(postgres_dsn, tmp_path, document=document) as here:
        assert kinds(here, DWELL) == [(6.0, "edge")]
        desk = desk_of(here)
        change = desk.set(CAMERA, DIG, {ENTER: 0.6}, actor=SUN, reason="rain", now=here.now)
        assert kinds(here, ENTER, DWELL) == [(0.6, "hand"), (6.0, "edge")]
        desk.take_back(change.change_id, actor=SUN, reason="dry", now=here.now)
        assert here.told().cameras[0].rules == ()
        assert kinds(here, DWELL) == [(6.0, "edge")]


def test_taking_back_touches_no_number_that_the_change_only_copied(postgres_dsn: str, tmp_path: Path) -> None:
    """A camera's first own entry copies the edge's: else an undo drops the edge's dwell, and short digs are missed."""
    document = copy.deepcopy(DOCUMENT)
    document["edges"][0]["rules"] = [{"rule": DIG, "reason": "tuned", "dwell_s": 2.0}]
    why: dict[str, Any] = {"actor": SUN, "reason": "why"}
    with feedback_town(postgres_dsn, tmp_path, document=document) as here:
        desk, leave = desk_of(here), Cell(ALL, "day", "leave_score")
        first = desk.set(CAMERA, DIG, {ENTER: 0.6}, now=here.now, **why)
        second = desk.set(CAMERA, DIG, {leave: 0.25}, now=here.now, **why)
        desk.take_back(first.change_id, now=here.now, **why)
        assert kinds(here, ENTER, DWELL, leave) == [(0.5, "shipped"), (2.0, "edge"), (0.25, "hand")]
        assert entries(here)[-1].body["numbers"] == {"all.day.enter_score": {"from": 0.6, "to": None}}
        desk.take_back(second.change_id, now=here.now, **why)
        assert here.told().cameras[0].rules == (), "nothing differs from the edge's any more"

        # the other way round: a later change of a copied number is none of the first one's
        first = desk.set(CAMERA, DIG, {ENTER: 0.6}, now=here.now, **why)
        second = desk.set(CAMERA, DIG, {DWELL: 3.0}, now=here.now, **why)
        desk.take_back(first.change_id, now=here.now, **why)
        assert kinds(here, ENTER, DWELL) == [(0.5, "shipped"), (3.0, "hand")]
        desk.take_back(second.change_id, now=here.now, **why)

        # one that gave the camera back to the edge
        desk.set(CAMERA, DIG, {ENTER: 0.6}, now=here.now, **why)
        given_back = desk.set(CAMERA, DIG, {ENTER: None}, now=here.now, **why)
        assert here.told().cameras[0].rules == ()
        desk.set(CAMERA, DIG, {leave: 0.25}, now=here.now, **why)
        desk.take_back(given_back.change_id, now=here.now, **why)
        assert kinds(here, ENTER, DWELL, leave) == [(0.6, "hand"), (2.0, "edge"), (0.25, "hand")]
        with TestClient(here.app()) as client:
            page = client.get(f"/cameras/{CAMERA}/thresholds", headers=as_(client, "supervisor")).text
        assert page.count("2 s → 3 s") == 1
        assert not [line for line in ("– → 2 s", "2 s → –") if line in page], "it names what was changed"


def test_an_emptied_number_of_the_edge_is_the_shipped_one(postgres_dsn: str, tmp_path: Path) -> None:
    """Also where nothing else is left in the camera's entry: without one the edge's number would come back."""
    document = copy.deepcopy(DOCUMENT)
    document["edges"][0]["rules"] = [{"rule": DIG, "reason": "tuned", "dwell_s": 2.0}]
    why: dict[str, Any] = {"actor": SUN, "reason": "why"}
    with feedback_town(postgres_dsn, tmp_path, document=document) as here:
        desk = desk_of(here)
        first = desk.set(CAMERA, DIG, {ENTER: 0.6}, now=here.now, **why)
        second = desk.set(CAMERA, DIG, {DWELL: None}, now=here.now, **why)
        desk.take_back(first.change_id, now=here.now, **why)
        assert kinds(here, ENTER, DWELL) == [(0.5, "shipped"), (4.0, "shipped")]
        assert heard(here)[1].taken
        desk.take_back(second.change_id, now=here.now, **why)
        assert here.told().cameras[0].rules == ()


# ---------------------------------------------------------------- pages
def test_the_form_says_what_is_wrong_and_keeps_what_was_typed(here: FeedbackTown) -> None:
    """In both languages; an operator looks, a supervisor sets; the edge's answer stands on the page."""
    url = f"/cameras/{CAMERA}/thresholds"
    with TestClient(here.app(), follow_redirects=False) as client:
        page = client.get(url, headers=as_(client, "operator")).text
        assert 'id="set"' not in page
        assert "No word came from this edge yet" in page
        sun = {**as_(client, "supervisor"), "origin": "http://testserver"}
        form = {
            "rule": DIG,
            "seen": "1",
            "all.day.enter_score": "0.8",
            "all.day.dwell_s": "5,5",
            "reason": "<b>dusk</b>",
        }
        refused = client.post(url, data=form, headers=sun)
        assert (refused.status_code, "would silence" in refused.text) == (422, True)
        assert 'value="5,5"' in refused.text
        assert "&lt;b&gt;dusk&lt;/b&gt;" in refused.text
        zh = client.post(
            url, data=form, headers={**as_(client, "supervisor", "zh"), "origin": "http://testserver"}
        )
        assert "失效" in zh.text
        done = client.post(url, data={**form, "all.day.enter_score": "0.6"}, headers=sun)
        assert (done.status_code, done.headers["location"]) == (303, f"{url}?rule={DIG}")
        late = client.post(url, data={**form, "all.day.enter_score": "0.62"}, headers=sun)
        assert (late.status_code, "Version 2 was applied since" in late.text) == (409, True)
        says(here, 1, number=2, taken=False,
             reasons=[{"code": "rule_number_low", "path": "cameras[old-town].rules[dig-5m]", "facts": {"rule": DIG}}])  # fmt: skip
        page = client.get(url, headers=sun).text
        assert "The edge refused version 2" in page
        assert "everything would be told" in page
        says(here, 2, number=2, taken=True)
        answer = client.get(f"/api/v1{url}/answer", headers=sun).json()
        assert (answer["answer"], answer["in_force"]) == ("taken", 2)
        back = client.post(f"{url}/1/back", data={"rule": DIG, "reason": "clear again"}, headers=sun)
        assert (back.status_code, here.told().cameras[0].rules) == (303, ())
        for bad in (
            {"seen": "x"},
            {"reason": "a\x00b"},
            {"rule": "dig-9m"},
            {"all.day.enter_score": "nan"},
            {"loader.x": "1"},
        ):
            assert client.post(url, data={**form, **bad}, headers=sun).status_code in (404, 422), bad


def test_the_api_says_every_number_with_its_origin(here: FeedbackTown) -> None:
    """For programs: set, read back, refused with a sentence."""
    url = f"/api/v1/cameras/{CAMERA}/thresholds"
    with TestClient(here.app(), follow_redirects=False) as client:
        sun = as_(client, "supervisor")
        body = {"rule": DIG, "numbers": {"night.enter_score": 0.65}, "reason": "headlights"}
        assert client.post(url, json=body, headers=sun).json() == {"change": 1, "version": 2}
        rules = client.get(url, headers=as_(client, "auditor")).json()["rules"]
        cells = {cell["name"]: cell for by in rules[0]["scopes"][0]["by"] for cell in by["cells"]}
        assert (cells["all.night.enter_score"]["value"], cells["all.night.enter_score"]["origin"]) == (
            0.65,
            "hand",
        )
        assert cells["all.day.enter_score"]["origin"] == "shipped"
        wrong = client.post(url, json={**body, "numbers": {"cow.enter_score": 0.6}}, headers=sun)
        assert (wrong.status_code, "cow.enter_score" in wrong.json()["detail"]) == (422, True)
        back = client.post(f"{url}/1/back", json={"reason": "clear"}, headers=sun)
        assert back.json() == {"change": 1, "version": 3}


def test_the_same_by_command(here: FeedbackTown, capsys: pytest.CaptureFixture[str]) -> None:
    """Set, shown, refused by the edge (which the exit status says), taken back."""
    database = ["--database", here.dsn]
    done = [
        "thresholds",
        "set",
        CAMERA,
        DIG,
        "enter_score=0.6",
        "loader.dwell_s=6",
        "--reason",
        "dusk",
        "--wait",
        "0",
    ]
    assert run([*done, *database, "--by", "sun"]) == 0
    assert "change 1: version 2" in capsys.readouterr().out
    assert run(["thresholds", "show", CAMERA, *database]) == 0
    shown = capsys.readouterr().out
    assert "all, day, enter_score: 0.6 (by hand, cli:sun)" in shown
    assert "loader, day, dwell_s: 6 (by hand, cli:sun)" in shown
    says(here, 1, number=3, taken=False)
    assert run(["thresholds", "back", "1", "--reason", "clear", *database, "--wait", "0"]) == 1
    assert "refused version 3" in capsys.readouterr().out
    assert here.told().cameras[0].rules == ()
    assert run([*done[:4], "enter_score=high", *done[6:], *database]) == 1
    assert "'high' is no number" in capsys.readouterr().err
    assert load(here.path, part="nobody").city.cameras[0].rules == ()
