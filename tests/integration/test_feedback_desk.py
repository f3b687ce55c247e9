"""From false alarms to a threshold and back, on the real database: proposed, decided, written, heard by the edge."""

import copy
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from starlette.testclient import TestClient

from alerts import replay
from alerts.feedback.causes import FalseCause, Outcome
from alerts.feedback.desk import FeedbackDesk
from alerts.feedback.ports import FeedbackError
from alerts.feedback.proposals import ProposalState
from alerts.feedback.proposing import Why
from alerts.values import Actor
from hcawatch.config import load, versions
from monitor.audit.entries import read
from monitor.domain.events import ModelRef
from monitor.domain.roles import Role
from tests.doubles.feedback_town import DOCUMENT, FeedbackTown, feedback_town
from tests.integration.test_web_alerts import as_

SUN = Actor(user="sun", role=Role.SUPERVISOR)


@pytest.fixture
def here(postgres_dsn: str, tmp_path: Path) -> Iterator[FeedbackTown]:
    with feedback_town(postgres_dsn, tmp_path) as one:
        yield one


def wolf(here: FeedbackTown) -> list[str]:
    """Three weak false alarms."""
    return [here.false_alarm(score) for score in (0.51, 0.52, 0.53)]


def entries(here: FeedbackTown, kind: str) -> list[Any]:
    with here.here.pool.connection() as conn:
        rows = conn.execute(
            "SELECT body FROM audit_entry WHERE kind = %s ORDER BY entry_id", (kind,)
        ).fetchall()
    return [read(bytes(row["body"])) for row in rows]


def key_of(do: Any, *given: Any) -> str:
    with pytest.raises(FeedbackError) as refused:
        do(*given)
    return refused.value.key


def test_the_database_knows_the_same_outcomes_and_causes(postgres_dsn: str) -> None:
    """One that only the program knows would lose a person's word."""
    with psycopg.connect(postgres_dsn) as conn:
        row = conn.execute(
            "SELECT enum_range(NULL::closing_outcome)::text[], enum_range(NULL::false_cause)::text[],"
            " enum_range(NULL::proposal_state)::text[]"
        ).fetchone()
    assert row == ([*Outcome], [*FalseCause], [*ProposalState])


def test_closings_are_typed_fields_that_the_log_explains(here: FeedbackTown) -> None:
    """What the table says of an outcome is what the audit log says, to be rebuilt by anybody."""
    shown = here.false_alarm(0.9, cause="animal", show=True)
    view = here.here.engine.view(shown)
    assert (view.alert.outcome, view.alert.cause) == ("false_alarm", "animal")
    assert view.transitions[-1].attachments == (view.evidence[0].sha256,)
    assert entries(here, "alert.dismiss")[0].body["set"]["cause"] == "animal"
    with here.here.pool.connection() as conn:
        assert replay.check(conn) == []


def test_a_proposal_is_approved_heard_by_the_edge_and_taken_back(here: FeedbackTown) -> None:
    """One bounded number of one rule at one camera; each decision with its version and its entry."""
    false = wolf(here)
    here.confirmed(0.9)
    made, _ = here.desk.look(here.now)
    proposal = here.desk.proposal(made[0])
    assert (proposal.number, proposal.from_value, proposal.to_value) == ("enter_score", 0.5, 0.54)
    assert [one.alert_id for one in proposal.facts.avoided] == false
    assert len(proposal.facts.kept) == 1
    assert here.told().cameras[0].rules == ()

    approved = here.desk.approve(proposal.proposal_id, SUN, "looked at all three", here.now)
    (setting,) = here.told().cameras[0].rules
    assert (setting.rule_id, setting.numbers.enter_score, setting.numbers.dwell_s) == ("dig-5m", 0.54, None)
    assert "looked at all three" in setting.reason
    with versions.connect(here.dsn) as conn:
        newest = versions.read(conn)
    assert (newest.number, newest.author) == (approved.written_version, "sun")
    (entry,) = entries(here, "feedback.approve")
    assert (entry.actor, entry.body["from"], entry.body["to"], entry.body["version"]) == (
        "sun",
        0.5,
        0.54,
        newest.number,
    )
    assert [one["alert_id"] for one in entry.body["facts"]["avoided"]] == false

    assert here.desk.look(here.now)[0] == ()
    reverted = here.desk.revert(proposal.proposal_id, SUN, "missed a loader", here.now)
    assert (reverted.state, here.told().cameras[0].rules) == (ProposalState.REVERTED, ())
    assert len(entries(here, "feedback.revert")) == 1
    assert key_of(here.desk.revert, proposal.proposal_id, SUN, "again", here.now) == "proposal_wrong_state"


@pytest.mark.parametrize(("from_h", "point"), [(-14, "night"), (-6, "day")])
def test_a_step_for_one_operating_point_is_written_and_taken_back_alone(
    here: FeedbackTown, from_h: int, point: str
) -> None:
    """The edge hears a number for the night (or the day) and keeps the other; taking it back leaves no trace of it."""
    here.here.now += timedelta(hours=from_h + 24)
    wolf(here)
    (proposal_id,), _ = here.desk.look(here.now)
    proposal = here.desk.proposal(proposal_id)
    assert (proposal.point, proposal.from_value, proposal.to_value) == (point, 0.5, 0.54)
    here.desk.approve(proposal_id, SUN, "looked", here.now)
    (setting,) = here.told().cameras[0].rules
    numbers = (setting.numbers.enter_score, setting.night.enter_score)
    assert numbers == ((None, 0.54) if point == "night" else (0.54, 0.5))
    assert f"{'at night' if point == 'night' else 'by day'} 0.5 -> 0.54" in setting.reason
    (entry,) = entries(here, "feedback.approve")
    assert entry.body["point"] == point
    assert here.desk.look(here.now)[0] == ()
    # somebody gave a reason of their own meanwhile: only this step's number goes back
    with versions.connect(here.dsn) as conn:
        body = copy.deepcopy(versions.read(conn).body)
    body["cameras"][0]["rules"][0]["dwell_s"] = 6.0
    here.path.write_text(yaml.safe_dump(body))
    with versions.connect(here.dsn) as conn:
        versions.apply(conn, load(here.path, part="nobody"), author="li", reason="dwell", now=here.now)
    here.desk.revert(proposal_id, SUN, "missed a loader", here.now)
    (setting,) = here.told().cameras[0].rules
    assert (setting.numbers.dwell_s, setting.night.enter_score) == (6.0, None)
    assert setting.numbers.enter_score in (None, 0.5)


def test_a_step_at_night_goes_back_to_its_number_though_the_day_was_raised_since(here: FeedbackTown) -> None:
    """Else the night follows the raised day: booked as taken back, and the camera misses still more at night."""
    here.here.now += timedelta(hours=10)
    wolf(here)
    (proposal_id,), _ = here.desk.look(here.now)
    here.desk.approve(proposal_id, SUN, "looked", here.now)
    by_hand(here, 0.6, night={"enter_score": 0.54})
    here.desk.revert(proposal_id, SUN, "missed a loader", here.now)
    (setting,) = here.told().cameras[0].rules
    assert (setting.numbers.enter_score, setting.night.enter_score) == (0.6, 0.5)


def test_two_who_approve_at_once_write_one_version(here: FeedbackTown) -> None:
    """A double click, or two supervisors: the number goes up once."""
    wolf(here)
    (proposal_id,), _ = here.desk.look(here.now)
    refused: list[str] = []

    def approve() -> None:
        try:
            here.desk.approve(proposal_id, SUN, "", here.now)
        except FeedbackError as exc:
            refused.append(exc.key)

    threads = [threading.Thread(target=approve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert refused == ["proposal_wrong_state"] * 3
    with versions.connect(here.dsn) as conn:
        assert len(versions.history(conn)) == 2


def test_an_alert_confirmed_meanwhile_stops_the_approval(here: FeedbackTown) -> None:
    """The page was opened in the morning; at noon a confirmed alert came that the step would have missed."""
    wolf(here)
    (proposal_id,), _ = here.desk.look(here.now)
    here.confirmed(0.505)
    assert key_of(here.desk.approve, proposal_id, SUN, "", here.now) == "proposal_not_safe"
    assert here.desk.proposal(proposal_id).state is ProposalState.WITHDRAWN
    assert here.told().cameras[0].rules == ()
    made, silences = here.desk.look(here.now)
    assert (made, [one.why for one in silences]) == ((), [Why.WOULD_MISS])


def test_who_may_decide_and_what_they_must_say(here: FeedbackTown) -> None:
    """An operator doesn't; a refusal and a step back say why; a refused one does not come back by itself."""
    wolf(here)
    (proposal_id,), _ = here.desk.look(here.now)
    olga = Actor(user="olga", role=Role.OPERATOR)
    assert key_of(here.desk.approve, proposal_id, olga, "", here.now) == "proposal_not_yours"
    assert key_of(here.desk.refuse, proposal_id, SUN, " ", here.now) == "proposal_needs_note"
    assert key_of(here.desk.refuse, 77, SUN, "n", here.now) == "proposal_unknown"
    here.desk.refuse(proposal_id, SUN, "winter sun", here.now)
    assert here.desk.look(here.now)[0] == ()
    wolf(here)
    assert len(here.desk.look(here.now)[0]) == 1


def test_a_number_that_somebody_set_meanwhile_is_not_overwritten(here: FeedbackTown) -> None:
    """Neither by an approval nor by taking back; the next look withdraws what does not hold any more."""
    wolf(here)
    (proposal_id,), _ = here.desk.look(here.now)
    by_hand(here, 0.6)
    assert key_of(here.desk.approve, proposal_id, SUN, "", here.now) == "proposal_moved"
    here.desk.look(here.now)
    assert here.desk.proposal(proposal_id).state is ProposalState.WITHDRAWN


@pytest.mark.parametrize(
    ("own", "why"),
    [
        ({"night": {"enter_score": 0.45}}, "own_night"),
        ({"by_class": [{"object_class": "loader", "enter_score": 0.7}]}, "own_class"),
        ({"by_class": [{"object_class": "loader", "night": {"enter_score": 0.7}}]}, "own_class"),
    ],
)
def test_a_number_of_a_class_or_of_the_night_set_meanwhile_stops_the_approval(
    here: FeedbackTown, own: dict[str, Any], why: str
) -> None:
    """The replay was of one number for all: a supervisor must not approve what is not true any more."""
    here.here.now += timedelta(hours=24 - 10)  # false alarms by day and at night: a step for all hours
    here.false_alarm(0.51)
    here.here.now += timedelta(hours=8)
    here.false_alarm(0.52)
    here.false_alarm(0.53)
    (proposal_id,), _ = here.desk.look(here.now)
    assert here.desk.proposal(proposal_id).point == "always"
    by_hand(here, **own)
    assert key_of(here.desk.approve, proposal_id, SUN, "", here.now) == "proposal_own_numbers"
    withdrawn = here.desk.proposal(proposal_id)
    assert (withdrawn.state, withdrawn.note, withdrawn.written_version) == (
        ProposalState.WITHDRAWN,
        why,
        None,
    )
    assert [entry.body["note"] for entry in entries(here, "feedback.withdraw")] == [why]
    with versions.connect(here.dsn) as conn:
        assert versions.read(conn).author == "li", "nothing was written"
    made, silences = here.desk.look(here.now)
    assert (made, [str(one.why) for one in silences]) == ((), [why])


def by_hand(here: FeedbackTown, score: float | None = None, **own: Any) -> None:
    """A person edits the file and applies it."""
    document = copy.deepcopy(DOCUMENT)
    document["cameras"][0]["rules"] = [{"rule": "dig-5m", "reason": "by hand", **own}]
    if score is not None:
        document["cameras"][0]["rules"][0]["enter_score"] = score
    here.path.write_text(yaml.safe_dump(document))
    with versions.connect(here.dsn) as conn:
        versions.apply(conn, load(here.path, part="nobody"), author="li", reason="by hand", now=here.now)


def test_what_the_edge_sets_for_all_cameras_stays_at_this_one(postgres_dsn: str, tmp_path: Path) -> None:
    """A camera's own setting of a row replaces the edge's: so it begins as that one, and goes with the step."""
    document = copy.deepcopy(DOCUMENT)
    document["edges"][0]["rules"] = [
        {"rule": "dig-5m", "reason": "tuned", "dwell_s": 6.0, "enter_score": 0.5}
    ]
    with feedback_town(postgres_dsn, tmp_path, document=document) as here:
        wolf(here)
        (proposal_id,), _ = here.desk.look(here.now)
        here.desk.approve(proposal_id, SUN, "", here.now)
        (setting,) = here.told().cameras[0].rules
        assert (setting.numbers.dwell_s, setting.numbers.enter_score) == (6.0, 0.54)
        here.desk.revert(proposal_id, SUN, "back", here.now)
        assert here.told().cameras[0].rules == ()


def test_a_report_that_the_camera_did_not_tell_proposes_the_step_back(here: FeedbackTown) -> None:
    """By itself, at the next look; approving it is the step back."""
    wolf(here)
    (proposal_id,), _ = here.desk.look(here.now)
    here.desk.approve(proposal_id, SUN, "", here.now)
    report(here)
    (back_id,), _ = here.desk.look(here.now)
    back = here.desk.proposal(back_id)
    assert (back.kind, back.why, back.of_proposal, len(back.facts.missed)) == (
        "back",
        "missed_by_report",
        proposal_id,
        1,
    )
    here.desk.approve(back_id, SUN, "", here.now)
    assert here.told().cameras[0].rules == ()
    assert here.desk.proposal(proposal_id).state is ProposalState.REVERTED
    assert here.desk.look(here.now)[0] == ()


def test_false_alarms_of_the_detector_before_propose_nothing_for_the_new_one(here: FeedbackTown) -> None:
    """Promoted because of them: its own scores are others, and its own false alarms must come first."""
    wolf(here)
    new = ModelRef(name="new", version="2", sha256="9" * 64)
    here.confirmed(0.9, model=new)
    assert here.desk.look(here.now)[0] == ()
    for score in (0.51, 0.52, 0.53):
        here.false_alarm(score, model=new)
    (proposal_id,), _ = here.desk.look(here.now)
    facts = here.desk.proposal(proposal_id).facts
    assert (len(facts.avoided), facts.models) == (3, ("9" * 64,))


def test_a_refused_step_back_comes_again_for_another_report_or_detector_only(here: FeedbackTown) -> None:
    """Else the supervisor refuses the same thing every day, and new false alarms of the row propose nothing."""
    wolf(here)
    (step,), _ = here.desk.look(here.now)
    here.desk.approve(step, SUN, "", here.now)
    report(here)
    (back,), _ = here.desk.look(here.now)
    here.desk.refuse(back, SUN, "the report was 2 km from this camera", here.now)
    assert here.desk.look(here.now + timedelta(days=1))[0] == ()
    for score in (0.55, 0.56, 0.57):
        here.false_alarm(score)
    (further,), _ = here.desk.look(here.now)
    assert here.desk.proposal(further).kind == "raise"
    report(here)
    (back,), _ = here.desk.look(here.now)
    assert len(here.desk.proposal(back).facts.missed) == 1, "only what nobody has decided about"
    assert here.desk.proposal(further).state is ProposalState.WITHDRAWN
    here.desk.refuse(back, SUN, "another place again", here.now)
    for sha256 in ("9" * 64, "8" * 64):
        here.seen(0.9, model=ModelRef(name="new", version="2", sha256=sha256))
        (back,), _ = here.desk.look(here.now)
        assert here.desk.proposal(back).why == "another_model"
        here.desk.refuse(back, SUN, "its scores were compared", here.now)
        assert here.desk.look(here.now + timedelta(days=1))[0] == ()


def report(here: FeedbackTown) -> None:
    """Somebody called about a machine that no camera told of, and it was so."""
    here.here.now += timedelta(hours=1)
    with here.here.pool.connection() as conn:
        conn.execute(
            "INSERT INTO alert (alert_id, kind, source, state, violation, subject, site_id, level, reasons, weights_version,"
            " confirmation, opened_at, onset_at, last_seen_at)"
            " VALUES (gen_random_uuid(), 'violation', 'report', 'open', 'excavation_5m', 's1', 's1', 'I', '[]', '1',"
            " 'confirmed', %(at)s, %(at)s, %(at)s)",
            {"at": here.now},
        )


def test_the_daily_look_is_done_once_by_whichever_worker(here: FeedbackTown) -> None:
    """Due times are in the database: two workers, a restart, and a look that fails."""
    wolf(here)
    assert (here.desk.run_due(here.now), here.desk.run_due(here.now)) == (1, 0)
    assert len(here.desk.proposals(ProposalState.PROPOSED)) == 1
    other = FeedbackDesk(here.here.pool, "Asia/Shanghai", here.book)
    assert other.run_due(here.now + timedelta(hours=23)) == 0
    assert other.run_due(here.now + timedelta(hours=25)) == 1

    class Broken:
        def current(self, conn: Any) -> None:
            raise ValueError("a fault of ours")

    broken = FeedbackDesk(here.here.pool, "Asia/Shanghai", Broken())  # type: ignore[arg-type]
    later = here.now + timedelta(hours=50)
    assert broken.run_due(later) == 0
    assert other.run_due(later + timedelta(minutes=30)) == 0
    assert other.run_due(later + timedelta(hours=1)) == 1


# ---------------------------------------------------------------- pages
def test_the_pages_tell_it_in_both_languages(here: FeedbackTown) -> None:
    """Precision with its interval, the proposal with its pictures, and a decision by a press."""
    for score in (0.51, 0.52, 0.53):
        here.false_alarm(score, show=True)
    here.confirmed(0.9, show=True)
    (proposal_id,), _ = here.desk.look(here.now)
    with TestClient(here.app(), follow_redirects=False) as client:
        page = client.get("/feedback", headers=as_(client, "operator")).text
        assert "25 % right (5 % to 70 %)" in page
        assert (
            "25 % 属实（5 % 至 70 %）" in client.get("/feedback", headers=as_(client, "auditor", "zh")).text
        )
        rows = client.get("/api/v1/feedback/precision", headers=as_(client, "operator")).json()["rules"]
        assert (rows[0]["counts"]["false"], rows[0]["causes"]) == (3, {"shadow_light": 3})
        url = f"/feedback/proposals/{proposal_id}"
        page = client.get(url, headers=as_(client, "supervisor")).text
        assert page.count("/api/v1/evidence/") == 4
        assert 'id="step-approve"' in page
        assert 'id="step-approve"' not in client.get(url, headers=as_(client, "operator")).text
        sun = {**as_(client, "supervisor"), "origin": "http://testserver"}
        refused = client.post(f"{url}/steps", data={"step": "refuse", "note": ""}, headers=sun)
        assert (refused.status_code, "Say why in the note." in refused.text) == (422, True)
        done = client.post(f"{url}/steps", data={"step": "approve", "note": "<b>seen</b>"}, headers=sun)
        assert (done.status_code, done.headers["location"]) == (303, url)
        page = client.get(url, headers=sun).text
        assert "&lt;b&gt;seen&lt;/b&gt;" in page
        assert 'id="step-revert"' in page
        again = client.post(f"/api/v1{url}/steps", json={"step": "approve"}, headers=sun)
        assert (again.status_code, again.json()["type"]) == (409, "urn:hcawatch:problem:proposal_wrong_state")


def test_without_a_configuration_nothing_can_be_decided_and_it_is_said(here: FeedbackTown) -> None:
    """Not a fault of the server."""
    wolf(here)
    (proposal_id,), _ = here.desk.look(here.now)
    with TestClient(here.app(rule_book=None), follow_redirects=False) as client:
        answer = client.post(f"/api/v1/feedback/proposals/{proposal_id}/steps", json={"step": "approve"},
                             headers=as_(client, "supervisor"))  # fmt: skip
    assert answer.status_code == 422
    assert "configuration" in answer.json()["detail"]
