"""Turns values into pages: one Jinja environment, everything escaped, every word from the catalogues."""

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from monitor.domain.geometry import format_chainage
from monitor.domain.roles import Right, Role, may
from monitor.web import texts
from monitor.web.deps import web_of
from monitor.web.texts import Texts

HERE = Path(__file__).parent


@cache
def environment() -> Environment:
    """Templates of this package."""
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["iso"] = lambda at: at.isoformat() if isinstance(at, datetime) else ""
    env.filters["chainage"] = format_chainage
    env.filters["cap"] = lambda text: text[:1].upper() + text[1:]
    return env


def reader_texts(request: HTTPConnection) -> Texts:
    """The texts in the reader's language, times in the city's zone."""
    language = texts.choose(request.cookies.get(texts.COOKIE), request.headers.get("accept-language", ""))
    return Texts(language, web_of(request).deps.city.timezone)


def navigation(role: Role | None) -> list[tuple[str, str]]:
    """(path, key) of the pages that a role may open."""
    pages = (
        ("/", "nav.console", Right.SEE_CONSOLE),
        ("/field", "nav.field", Right.SEE_FIELD),
        ("/reports", "nav.reports", Right.SEE_CONSOLE),
        ("/permits", "nav.permits", Right.SEE_PERMITS),
        ("/feedback", "nav.feedback", Right.SEE_CONSOLE),
        ("/visits", "nav.visits", Right.SEE_CONSOLE),
        ("/objections", "nav.objections", Right.DECIDE_OBJECTION),
        ("/figures", "figures.nav", Right.SEE_CONSOLE),
        ("/audit", "nav.audit", Right.SEE_AUDIT),
    )
    return [(path, key) for path, key, right in pages if role is not None and may(role, right)]


def render(
    request: HTTPConnection,
    template: str,
    status: int = 200,
    headers: dict[str, str] | None = None,
    /,
    **values: Any,
) -> HTMLResponse:
    """A page. Who reads, their language and the time are there in every template."""
    deps = web_of(request).deps
    t = reader_texts(request)
    principal = getattr(request.state, "principal", None)
    page = (
        environment()
        .get_template(template)
        .render(
            t=t,
            city=deps.city,
            now=deps.clock(),
            me=principal,
            path=request.url.path,
            here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            navigation=navigation(principal.role if principal else None),
            **values,
        )
    )
    answer = HTMLResponse(page, status, headers)
    answer.headers["Content-Language"] = t.html_lang
    answer.headers["Vary"] = "Cookie, Accept-Language"
    return answer
