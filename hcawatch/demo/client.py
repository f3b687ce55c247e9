"""The public API as a simulated person's program uses it: log in, read, take steps, upload a photo.

Only what docs/contracts.md names. Whoever calls tries again: each call says whether that makes sense.
"""

from pathlib import Path
from typing import Any

import httpx

#: seconds for one request; a centre that is starting answers with errors, not with silence
TIMEOUT_S = 10.0


class ApiError(Exception):
    """Base of what a call to the centre can end with."""


class AwayError(ApiError):
    """The centre does not answer, or answers that it is in trouble. Try the same again."""


class RefusedError(ApiError):
    """The centre understood and refused: the state moved on, or it is not allowed. The answer says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:300]}")
        self.status = status


class Api:
    """One person's session. Logs in when needed, and again when the session has ended."""

    def __init__(
        self, url: str, user: str, password_file: Path, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.user = user
        self._password_file = password_file
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S, transport=transport)
        self._token: str | None = None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def alerts(self, **query: Any) -> list[dict[str, Any]]:
        """Alerts, newest first."""
        found: list[dict[str, Any]] = self._json("GET", "/api/v1/alerts", params=query)["alerts"]
        return found

    def dispatches(self) -> list[dict[str, Any]]:
        """My running dispatches, each with its alert's fields."""
        found: list[dict[str, Any]] = self._json("GET", "/api/v1/dispatches")["dispatches"]
        return found

    def step(self, alert_id: str, key: str, **body: Any) -> dict[str, Any]:
        """Take a step; the same key again is the same step."""
        answer: dict[str, Any] = self._json(
            "POST", f"/api/v1/alerts/{alert_id}/steps", json=body, headers={"Idempotency-Key": key}
        )
        return answer

    def open_checks(self, alert_id: str) -> list[dict[str, Any]]:
        """Items of the alert's checklist that nobody has answered."""
        lines = self._json("GET", f"/api/v1/alerts/{alert_id}/checks")["lines"]
        return [line["item"] for line in lines if line["tick"] is None]

    def answer_check(self, alert_id: str, key: str, **body: Any) -> None:
        """Answer one item; the same key again is the same answer."""
        self._json("POST", f"/api/v1/alerts/{alert_id}/checks", json=body, headers={"Idempotency-Key": key})

    def upload_photo(self, alert_id: str, jpeg: bytes) -> str:
        """Upload a photo; returns its SHA-256. The same bytes again are the same photo."""
        files = {"file": ("photo.jpg", jpeg, "image/jpeg")}
        return str(self._json("POST", f"/api/v1/alerts/{alert_id}/photos", files=files)["sha256"])

    def _json(self, method: str, path: str, **arguments: Any) -> Any:
        headers = arguments.pop("headers", {})
        for _ in range(2):
            token = self._token or self._log_in()
            response = self._ask(
                method, path, headers={**headers, "Authorization": f"Bearer {token}"}, **arguments
            )
            if response.status_code != httpx.codes.UNAUTHORIZED:
                return self._judged(response)
            self._token = None  # the session has ended: log in once more
        raise RefusedError(response.status_code, response.text)

    def _log_in(self) -> str:
        # read each time: the file may be written after this program began
        try:
            password = self._password_file.read_text(encoding="utf-8").strip()
        except OSError as exc:
            raise AwayError(
                f"the password file {self._password_file} cannot be read: {exc.strerror}"
            ) from exc
        answer = self._judged(
            self._ask("POST", "/api/v1/login", json={"user": self.user, "password": password})
        )
        self._token = str(answer["token"])
        return self._token

    def _ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **arguments)
        except httpx.TransportError as exc:
            raise AwayError(f"{method} {path}: {type(exc).__name__}") from exc

    @staticmethod
    def _judged(response: httpx.Response) -> Any:
        if response.is_success:
            return response.json()
        where = f"{response.request.method} {response.request.url.path}"
        if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise AwayError(f"{where}: {response.status_code}")
        raise RefusedError(response.status_code, f"{where}: {response.text}")
