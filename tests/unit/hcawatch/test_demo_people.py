"""The demo's simulated people: what they do in which state, and that a centre in trouble does not stop them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from hcawatch.demo.client import Api, AwayError, RefusedError
from hcawatch.demo.phone import Phone
from hcawatch.demo.photo import photo_of_dispatch
from hcawatch.demo.room import RoomPerson, Step, operators_step, supervisors_step
from tests.doubles.alert_story import NOON


class Centre:
    """A centre that answers from a script; an exception in it is raised, as a lost connection would be."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Any]] = []
        self.logins = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v1/login":
            self.logins += 1
            return httpx.Response(200, json={"token": f"t{self.logins}", "role": "officer", "user": "ann"})
        is_json = request.headers.get("content-type") == "application/json"
        self.asked.append(
            (request.url.path, request.headers.get("Idempotency-Key", ""), json.loads(request.content) if is_json else None)
        )  # fmt: skip
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        return httpx.Response(status, json=body)


def api(centre: Centre, tmp_path: Path) -> Api:
    password_file = tmp_path / "password"
    password_file.write_text("secret\n")
    return Api("http://centre", "ann", password_file, transport=httpx.MockTransport(centre))


def dispatch(state: str, **changes: Any) -> dict[str, Any]:
    values = {"state": state, "alert_id": "A", "dispatch_id": "D", "number": 4, "lon": 121.5, "lat": 31.2,
              "accepted_at": None, "dispatched_at": "2026-11-24T06:00:00Z"}  # fmt: skip
    return {**values, **changes}


def running(*items: dict[str, Any]) -> tuple[int, Any]:
    return 200, {"dispatches": list(items)}


@pytest.mark.parametrize(
    ("state", "step"),
    [
        ("dispatched", "accept"),
        ("accepted", "depart"),
        ("en_route", "arrive"),
    ],
)
def test_the_phone_answers_each_state_with_its_step(tmp_path: Path, state: str, step: str) -> None:
    """The next step follows from the state; its key is made of dispatch and step."""
    centre = Centre(running(dispatch(state)), (200, {}))
    assert Phone(api(centre, tmp_path), pause_s=0.0).turn() == 1
    path, key, body = centre.asked[1]
    assert (path, key, body["step"]) == ("/api/v1/alerts/A/steps", f"D:{step}", step)


def test_the_checklist_comes_before_the_conclusion(tmp_path: Path) -> None:
    """What is open is ticked, with the camera's distance where one is measured; then the case is put right."""
    items = [
        {"key": "place", "required": True, "measured": False},
        {"key": "distance", "required": True, "measured": True},
    ]
    lines = {"lines": [{"item": item, "tick": None} for item in items]}
    centre = Centre(
        running(dispatch("evidence_collected", offset_m=-2.13)), (200, lines), (200, {}), (200, {}), (200, {})
    )
    assert Phone(api(centre, tmp_path), pause_s=0.0).turn() == 1
    assert [body["item"] for path, _, body in centre.asked[2:4]] == ["place", "distance"]
    assert centre.asked[3][2]["value_m"] == 2.1
    assert centre.asked[4][2]["step"] == "resolve"


def test_collecting_uploads_a_photo_and_names_it(tmp_path: Path) -> None:
    """The photo goes first, the step names its hash and stands near the alert."""
    centre = Centre(running(dispatch("on_site")), (201, {"sha256": "ab"}), (200, {}))
    Phone(api(centre, tmp_path), pause_s=0.0).turn()
    assert centre.asked[1][0] == "/api/v1/alerts/A/photos"
    body = centre.asked[2][2]
    assert body["attachments"] == ["ab"]
    assert abs(body["lon"] - 121.5) < 0.0001


def test_the_phone_pauses_before_each_step(tmp_path: Path) -> None:
    """A step is taken only after it was the next one for the length of a pause."""
    now_s = [0.0]
    centre = Centre(
        running(dispatch("dispatched")),
        running(dispatch("dispatched")),
        running(dispatch("dispatched")),
        (200, {}),
    )
    phone = Phone(api(centre, tmp_path), pause_s=1.5, clock_s=lambda: now_s[0])
    taken = []
    for now_s[0] in (0.0, 1.4, 1.5):
        taken.append(phone.turn())
    assert taken == [0, 0, 1]


class Turns:
    """A stop event that lets so many turns pass, without waiting."""

    def __init__(self, turns: int) -> None:
        self.left = turns
        self.waited_s: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waited_s.append(seconds)
        self.left -= 1
        return self.left < 0


def test_the_phone_outlives_a_centre_in_trouble(tmp_path: Path) -> None:
    """Lost connections and 5xx are asked again with growing pauses, under the same key; then it goes on."""
    away = httpx.ConnectError("refused")
    centre = Centre(
        away,
        (503, {}),
        running(dispatch("dispatched")),
        httpx.ReadError("lost"),
        running(dispatch("dispatched")),
        (200, {}),
    )
    turns = Turns(4)
    Phone(api(centre, tmp_path), pause_s=0.0).run(turns)  # type: ignore[arg-type]
    keys = [key for path, key, _ in centre.asked if path.endswith("/steps")]
    assert keys == ["D:accept", "D:accept"]
    assert turns.waited_s == [0.5, 1.0, 2.0, 4.0, 0.5]


def test_a_refused_step_does_not_stop_the_others(tmp_path: Path) -> None:
    """Recalled in between: the phone goes on with its other dispatch."""
    second = dispatch("accepted", alert_id="B", dispatch_id="E")
    centre = Centre(running(dispatch("dispatched"), second), (409, {"error": "x"}), (200, {}))
    assert Phone(api(centre, tmp_path), pause_s=0.0).turn() == 1


def test_an_ended_session_is_opened_again_once(tmp_path: Path) -> None:
    """401 logs in again and repeats; a second 401 is a refusal, not a loop."""
    centre = Centre((401, {}), running())
    assert api(centre, tmp_path).dispatches() == []
    assert centre.logins == 2
    with pytest.raises(RefusedError):
        api(Centre((401, {}), (401, {})), tmp_path).dispatches()


def test_a_password_that_is_not_written_yet_is_waited_for(tmp_path: Path) -> None:
    """Started before the installation has made its passwords."""
    with pytest.raises(AwayError, match="password file"):
        Api("http://centre", "ann", tmp_path / "later", transport=httpx.MockTransport(Centre())).dispatches()


def alert(**changes: Any) -> dict[str, Any]:
    values = {"alert_id": "A", "number": 1, "kind": "violation", "state": "open", "level": "III", "version": 1,
              "object_class": "person", "confirmation": "pending", "acknowledged_at": None}  # fmt: skip
    return {**values, **changes}


@pytest.mark.parametrize(
    ("one", "operator", "supervisor"),
    [
        (alert(), "refute", None),
        (alert(confirmation="refuted"), "dismiss", None),
        (alert(object_class="excavator"), "confirm", None),
        (alert(level="I", state="dispatched"), "acknowledge", None),
        (alert(level="I", state="dispatched", acknowledged_at="x"), None, None),
        (alert(level="II", confirmation="refuted", acknowledged_at="x"), None, "dismiss"),
        (alert(level="I", state="resolved", acknowledged_at="x"), None, "verify"),
        (alert(kind="health"), "acknowledge", None),
        (alert(kind="health", state="acknowledged"), None, None),
    ],
)
def test_the_rooms_script(one: dict[str, Any], operator: str | None, supervisor: str | None) -> None:
    """Machines are confirmed, walkers refuted and dismissed, the resolved verified by another person."""

    def name(step: Step | None) -> str | None:
        return None if step is None else step[0]

    assert (name(operators_step(one)), name(supervisors_step(one))) == (operator, supervisor)


def test_the_room_does_not_ask_again_what_was_refused(tmp_path: Path) -> None:
    """One refusal is enough until the alert has moved on."""
    listed = (200, {"alerts": [alert()]})
    centre = Centre(listed, (403, {}), listed, (200, {"alerts": [alert(version=2)]}), (200, {}))
    person = RoomPerson(api(centre, tmp_path), operators_step, pause_s=0.0)
    assert [person.turn() for _ in range(3)] == [0, 0, 1]


def test_the_photo_is_always_the_same_and_a_picture() -> None:
    """A repeated upload after a restart must be the same photo."""
    first, again = (photo_of_dispatch(4, "D", (121.5, 31.2), NOON) for _ in range(2))
    assert first == again
    assert photo_of_dispatch(4, "E", None, NOON) != first
    with Image.open(io.BytesIO(first)) as image:
        assert image.format == "JPEG"
