"""Who asks, and whether they have the right that the route names. Denied unless listed.

Every route depends on one `Guard`; `check_all_guarded` refuses to start an app with a route that has
none and is not in `OPEN_ROUTES`. What a right allows on one particular alert is asked in the route.
"""

from collections.abc import Iterable
from typing import cast

from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from monitor.domain.roles import Right, Role, may
from monitor.web import people
from monitor.web.deps import web_of
from monitor.web.errors import Forbidden, NotLoggedIn
from monitor.web.people import Principal

COOKIE = "hcawatch_session"

#: (method, path) that nobody needs to log in for
OPEN_ROUTES = frozenset(
    {
        ("GET", "/login"),
        ("POST", "/login"),
        ("POST", "/api/v1/login"),
        ("POST", "/logout"),
        ("GET", "/language/{language}"),
        ("GET", "/nothing-yet"),
        # a text-message gateway has no login, but signs what it posts
        ("POST", "/api/v1/replies/{channel_id}"),
        # a visited company has no login, but the code of its notice
        ("GET", "/notice"),
        ("POST", "/notice"),
        ("GET", "/notice/{code}"),
        ("GET", "/notice/{code}/pictures/{sha256}"),
        ("POST", "/notice/{code}/rating"),
        ("POST", "/notice/{code}/objection"),
        ("GET", "/healthz"),
        ("GET", "/sw.js"),
        ("GET", "/readyz"),
    }
)


def session_token(request: HTTPConnection) -> str | None:
    """The token of the header, else of the cookie."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return request.cookies.get(COOKIE)


def who(request: HTTPConnection) -> Principal | None:
    """Who asks, if anybody is logged in; looked up once a request."""
    if not hasattr(request.state, "principal"):
        request.state.principal = _look_up(request)
    return cast("Principal | None", request.state.principal)


def _look_up(request: HTTPConnection) -> Principal | None:
    token = session_token(request)
    if not token:
        return None
    deps = web_of(request).deps
    with deps.pool.connection() as conn:
        principal = people.of_session(conn, token, now=deps.clock())
        if principal is None and "authorization" in request.headers:
            principal = people.of_edge(conn, token)
    return principal


class Guard:
    """Lets in who has one of the rights, and gives the route the one who asks.

    Two rights are for routes that room and field share; the route then asks for the particular alert.
    """

    def __init__(self, *rights: Right) -> None:
        self.rights = rights

    def __call__(self, request: HTTPConnection) -> Principal:
        principal = who(request)
        if principal is None:
            raise NotLoggedIn
        if not any(may(principal.role, right) for right in self.rights):
            raise Forbidden("no_right", role=principal.role)
        return principal


def guard_of(route: APIRoute) -> Guard | None:
    """The guard that a route depends on."""
    guards = [d.call for d in route.dependant.dependencies if isinstance(d.call, Guard)]
    return guards[0] if len(guards) == 1 else None


def check_all_guarded(routes: Iterable[BaseRoute]) -> None:
    """RuntimeError names a route that is neither guarded nor open, so that it is never served."""
    for route in routes:
        if not isinstance(route, APIRoute):
            raise TypeError(f"{route} is no route that can be guarded")
        methods = route.methods or set()
        opened = all((method, route.path) in OPEN_ROUTES for method in methods)
        if opened == (guard_of(route) is not None):
            raise RuntimeError(
                f"{sorted(methods)} {route.path} needs exactly one Guard, or a line in OPEN_ROUTES"
            )


def home_of(role: Role) -> str:
    """The page that somebody of this role wants first."""
    if may(role, Right.SEE_CONSOLE) and role is not Role.AUDITOR:
        return "/"
    if may(role, Right.SEE_FIELD):
        return "/field"
    if may(role, Right.SEE_AUDIT):
        return "/audit"
    if may(role, Right.SEE_PERMITS):
        return "/permits"
    return "/nothing-yet"
