"""One town, one database, and people who do through the public API what a story asks of them."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

from starlette.testclient import TestClient

from alerts import replay
from tests.doubles.web_town import PASSWORD, Town, picture

#: which officer or patrol covers which site of the town
COVERS = {"s1": "li.wei", "s2": "li.wei", "s3": "chen.jie", "s4": "chen.jie"}


class Stage:
    """The web of a town with its clock; `tell` takes a report, `to_verified` plays the rest of the case."""

    #: no two photos of a database are the same
    _photos = itertools.count(1)

    def __init__(self, town: Town, client: TestClient) -> None:
        self.town, self.client = town, client
        self._tokens: dict[str, dict[str, str]] = {}
        self._sessions_end = town.now + timedelta(hours=11)

    def after(self, **lapse: float) -> None:
        """Time passes: what is due happens, and sessions end."""
        before = self.town.now
        self.town.now += timedelta(**lapse)
        while self.town.engine.run_due(self.town.now):
            pass
        if self.town.now - before > timedelta(hours=1) or self.town.now > self._sessions_end:
            self._tokens.clear()
            self._sessions_end = self.town.now + timedelta(hours=11)

    def who(self, user: str) -> dict[str, str]:
        if user not in self._tokens:
            answer = self.client.post("/api/v1/login", json={"user": user, "password": PASSWORD})
            self._tokens[user] = {"authorization": f"Bearer {answer.json()['token']}"}
        return self._tokens[user]

    def ask(self, method: str, url: str, user: str, expected: int = 200, **more: Any) -> dict[str, Any]:
        answer = self.client.request(method, url, headers=self.who(user), **more)
        assert answer.status_code == expected, (url, answer.status_code, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    def tell(self, user: str = "operator", **fields: Any) -> str:
        """Report something; returns the alert's id."""
        given = {"said": "somebody called", **fields}
        return str(self.ask("POST", "/api/v1/reports", user, 201, json={"fields": given})["alert_id"])

    def alert(self, alert_id: str) -> dict[str, Any]:
        return self.ask("GET", f"/api/v1/alerts/{alert_id}", "auditor")

    def step(self, alert_id: str, step: str, user: str, **body: Any) -> dict[str, Any]:
        return self.ask("POST", f"/api/v1/alerts/{alert_id}/steps", user, json={"step": step, **body})

    def photo(self, alert_id: str, user: str) -> str:
        file = {"file": ("p.jpg", picture(str(next(self._photos)), (64, 48)), "image/jpeg")}
        return str(self.ask("POST", f"/api/v1/alerts/{alert_id}/photos", user, 201, files=file)["sha256"])

    def resolve(self, alert_id: str, officer: str, outcome: str = "rectified") -> dict[str, Any]:
        """Put right; what the checklist asks stays open by name and with a reason."""
        lines = self.ask("GET", f"/api/v1/alerts/{alert_id}/checks", officer)["lines"]
        keys = [line["item"]["key"] for line in lines]
        return self.step(alert_id, "resolve", officer, reason=outcome, note="told by phone", left_open=keys)

    def to_verified(self, alert_id: str, outcome: str = "rectified") -> dict[str, Any]:
        """From wherever the case stands: confirmed if nobody is sent yet, then the officer's way, then verified."""
        alert = self.alert(alert_id)
        if alert["state"] == "open":
            alert = self.step(alert_id, "confirm", "operator")
        officer = alert["running"]["officer"]
        for state, step in (("dispatched", "accept"), ("accepted", "depart"), ("en_route", "arrive")):
            if alert["state"] == state:
                alert = self.step(alert_id, step, officer, lon=alert["lon"], lat=alert["lat"])
        if alert["state"] == "on_site":
            alert = self.step(alert_id, "collect", officer, attachments=[self.photo(alert_id, officer)])
        alert = self.resolve(alert_id, officer, outcome)
        alert = self.step(alert_id, "verify", "supervisor", reason=outcome)
        assert (alert["state"], alert["closing_reason"]) == ("verified", outcome)
        return alert

    def steps(self, alert: dict[str, Any]) -> list[tuple[str, str]]:
        """The case's history: (step, reason)."""
        return [(move["step"], move["reason"]) for move in alert["transitions"]]

    def reasons(self, alert: dict[str, Any]) -> dict[str, str]:
        """Of the grade: key and detail."""
        return {reason["key"]: reason["detail"] for reason in alert["reasons"]}

    def explained(self) -> bool:
        """Whether the audit log alone explains every alert of the database."""
        with self.town.pool.connection() as conn:
            return replay.check(conn) == []
