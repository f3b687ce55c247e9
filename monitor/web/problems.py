"""Errors as answers: problem details (RFC 9457) for the API, a plain page for people, never a stack trace."""

import traceback

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Scope

from monitor.web.access import home_of
from monitor.web.errors import NotFound, NotLoggedIn, WebError
from monitor.web.rendering import reader_texts, render
from monitor.web.security import HEADERS

log = structlog.get_logger(__name__)

#: facts that are words of the catalogues
_WORDS = ("state", "step", "role", "permit_state")
_PROBLEM = "application/problem+json"
_KEY_OF_STATUS = {404: "no_such_page", 405: "no_such_method"}


def wants_page(path: str) -> bool:
    """Whether a person reads the answer, rather than a program."""
    return not path.startswith(("/api/", "/healthz", "/readyz", "/static/"))


def sentence(request: Request, error: WebError) -> str:
    """What is wrong and what to do, in the reader's language."""
    t = reader_texts(request)
    facts = {name: t(f"{name}.{value}") if name in _WORDS else value for name, value in error.facts.items()}
    return t(f"error.{error.key}", **facts)


def answer_of(request: Request, error: WebError) -> Response:
    """A problem as its reader wants it."""
    if not wants_page(request.url.path):
        t = reader_texts(request)
        body = {
            "type": f"urn:hcawatch:problem:{error.key}",
            "title": t(f"status.{error.status}"),
            "status": error.status,
            "detail": sentence(request, error),
        }
        return JSONResponse(body, error.status, error.headers, _PROBLEM)
    if isinstance(error, NotLoggedIn) and request.method == "GET":
        query = f"?{request.url.query}" if request.url.query else ""
        wanted = request.url.path + query
        return RedirectResponse(
            "/login"
            if wanted == "/"
            else request.url_for("login_page")
            .include_query_params(next=wanted)
            .replace(scheme="", netloc=""),
            303,
        )
    principal = getattr(request.state, "principal", None)
    home = home_of(principal.role) if principal else "/login"
    return render(
        request,
        "problem.html",
        error.status,
        error.headers,
        detail=sentence(request, error),
        status=error.status,
        home=home,
    )


def early_answer(scope: Scope, error: WebError) -> ASGIApp:
    """The same for the layers before the routes."""
    return answer_of(Request(scope), error)


def _from_starlette(exc: HTTPException) -> WebError:
    key = _KEY_OF_STATUS.get(exc.status_code, "bad_request")
    return WebError(key, status=exc.status_code, headers=dict(exc.headers or {}))


def _from_validation(exc: RequestValidationError) -> WebError:
    if any(error["loc"][:1] == ("path",) for error in exc.errors()):
        return NotFound("no_such_page")
    places = sorted(
        {
            ".".join(str(part) for part in error["loc"][1:] if not isinstance(part, int)) or "body"
            for error in exc.errors()
        }
    )
    return WebError("bad_fields", status=422, fields=", ".join(place[:60] for place in places[:5]))


def install(app: FastAPI) -> None:
    """Teach the app to answer so."""

    @app.exception_handler(WebError)
    def web_error(request: Request, exc: WebError) -> Response:
        return answer_of(request, exc)

    @app.exception_handler(HTTPException)
    def http_error(request: Request, exc: HTTPException) -> Response:
        return answer_of(request, _from_starlette(exc))

    @app.exception_handler(RequestValidationError)
    def validation(request: Request, exc: RequestValidationError) -> Response:
        return answer_of(request, _from_validation(exc))

    @app.exception_handler(PoolTimeout)
    @app.exception_handler(OperationalError)
    def database_away(request: Request, exc: Exception) -> Response:
        log.error("web.database_away", error=str(exc).strip(), path=request.url.path)
        return answer_of(request, WebError("database_away", status=503, headers={"Retry-After": "5"}))

    @app.exception_handler(Exception)
    def fault(request: Request, exc: Exception) -> Response:
        # as text: a log that prints local variables would print tokens and passwords too
        log.error(
            "web.fault",
            path=request.url.path,
            method=request.method,
            error=repr(exc),
            stack="".join(traceback.format_exception(exc)),
        )
        answer = answer_of(request, WebError("fault", status=500))
        # this answer is made outside of the layers
        answer.headers.update({**HEADERS, "Cache-Control": "no-store"})
        return answer
