"""What goes wrong in a request, as one exception whose text is looked up by key in the reader's language."""

from typing import Any


class WebError(Exception):
    """Base of the web's errors: an HTTP status and a key of the catalogue (`error.<key>`) with its facts."""

    status = 500

    def __init__(
        self, key: str, *, status: int | None = None, headers: dict[str, str] | None = None, **facts: Any
    ) -> None:
        super().__init__(key)
        self.key, self.facts, self.headers = key, facts, headers or {}
        self.status = status or self.status


class NotLoggedIn(WebError):
    """Nobody is logged in, or the session has ended."""

    status = 401

    def __init__(self) -> None:
        super().__init__("not_logged_in", headers={"WWW-Authenticate": "Bearer"})


class Forbidden(WebError):
    """Somebody is logged in, but may not do this."""

    status = 403


class NotFound(WebError):
    """There is no such thing, or not for this reader."""

    status = 404


class Conflict(WebError):
    """It can't be done now: the state of things is another than the caller believes."""

    status = 409


class TooLarge(WebError):
    """More bytes than allowed."""

    status = 413


class Unusable(WebError):
    """The request can be read, but what it says can't be used."""

    status = 422
