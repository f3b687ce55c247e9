"""Logging in and out, by form and by API, and the choice of language."""

import math
from typing import Annotated

import structlog
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from monitor.web import people, texts, trail
from monitor.web.access import COOKIE, home_of, session_token, who
from monitor.web.deps import Web, web_of
from monitor.web.errors import NotLoggedIn, WebError
from monitor.web.people import Principal
from monitor.web.rendering import render
from monitor.web.throttle import of_login

log = structlog.get_logger(__name__)
router = APIRouter()

#: stands for names with control characters or half surrogates, which nobody has and no column takes
_UNPRINTABLE = "(unprintable)"
LANGUAGE_S = 400 * 86400


def local_path(wanted: str | None, fallback: str) -> str:
    """`wanted` if it is a path on this very server, else `fallback`: no way to send people elsewhere.

    >>> local_path("//evil.example/x", "/"), local_path("/alerts/1", "/")
    ('/', '/alerts/1')
    """
    if wanted and wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable():
        return wanted
    return fallback


class Throttled(WebError):
    """Too many wrong passwords; the answer says for how long."""

    status = 429

    def __init__(self, wait_s: float) -> None:
        seconds = max(1, math.ceil(wait_s))
        super().__init__("throttled", headers={"Retry-After": str(seconds)}, seconds=seconds)


class WrongPassword(WebError):
    """Name and password don't fit; which of them is not said."""

    status = 401

    def __init__(self) -> None:
        super().__init__("wrong_password")


def log_in(web: Web, user: str, password: str, address: str) -> tuple[str, Principal]:
    """A new session's token and whose it is. Throttled or WrongPassword if not."""
    now = web.deps.clock()
    if not user.isprintable():
        user = _UNPRINTABLE
    counted = of_login(user, address)
    one = web.throttle.take(counted, now)
    if one.wait_s > 0:
        raise Throttled(one.wait_s)
    with web.deps.pool.connection() as conn:
        principal = people.verify(conn, user, password)
        if principal is not None:
            token = people.open_session(conn, principal.user, now=now, lives_s=web.deps.session_s)
            trail.record(
                conn, trail.LOGIN, principal.user, principal.user, now, role=principal.role, address=address
            )
            web.throttle.succeeded(conn, counted, one.ids)
            return token, principal
        trail.record(conn, trail.LOGIN_REFUSED, user[:64], "", now, address=address)
    log.warning("web.login_refused", user=user[:64], address=address)
    raise WrongPassword


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


@router.get("/login")
def login_page(request: Request, next: str = "") -> Response:  # noqa: A002 - the query's name
    """The form; who is logged in already goes on."""
    principal = who(request)
    if principal is not None:
        return RedirectResponse(local_path(next, home_of(principal.role)), 303)
    return render(request, "login.html", next=local_path(next, ""), user="", problem=None)


@router.post("/login")
def login_form(
    request: Request,
    user: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=2000)] = "",
    next: Annotated[str, Form(max_length=500)] = "",  # noqa: A002 - the field's name
) -> Response:
    """Log in by form: a cookie that scripts can't read and other sites can't send."""
    web = web_of(request)
    try:
        token, principal = log_in(web, user.strip(), password, _address(request))
    except (Throttled, WrongPassword) as exc:
        return render(
            request, "login.html", exc.status, exc.headers, next=local_path(next, ""), user=user, problem=exc
        )
    answer = RedirectResponse(local_path(next, home_of(principal.role)), 303)
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(web.deps.session_s),
        httponly=True,
        samesite="strict",
        secure=web.deps.cookie_secure,
    )
    return answer


@router.get("/nothing-yet")
def nothing_yet(request: Request) -> Response:
    """For a role that has no page in this release."""
    return render(request, "nothing.html") if who(request) else RedirectResponse("/login", 303)


class Credentials(BaseModel):
    """What somebody logs in with."""

    user: str = Field(max_length=200)
    password: str = Field(max_length=2000)


@router.post("/api/v1/login")
def login_api(request: Request, body: Credentials) -> dict[str, str]:
    """Log in for a bearer token."""
    token, principal = log_in(web_of(request), body.user.strip(), body.password, _address(request))
    return {"token": token, "role": principal.role.value, "user": principal.user}


@router.post("/logout")
def logout(request: Request) -> Response:
    """End this session."""
    deps = web_of(request).deps
    token, principal = session_token(request), who(request)
    if token and principal is None and "authorization" in request.headers:
        raise NotLoggedIn
    if token and principal is not None:
        with deps.pool.connection() as conn:
            people.close_session(conn, token)
            trail.record(conn, trail.LOGOUT, principal.user, principal.user, deps.clock())
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=deps.cookie_secure)
    return answer


@router.get("/language/{language}")
def language(request: Request, language: str, next: str = "/") -> Response:  # noqa: A002 - the query's name
    """Read in this language from now on."""
    answer = RedirectResponse(local_path(next, "/"), 303)
    if language in texts.LANGUAGES:
        secure = web_of(request).deps.cookie_secure
        answer.set_cookie(
            texts.COOKIE, language, max_age=LANGUAGE_S, httponly=True, samesite="lax", secure=secure
        )
    return answer
