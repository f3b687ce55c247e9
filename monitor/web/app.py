"""Puts the web together: routes, layers, error answers, and what starts and ends with the app.

What a route does is in its own file; here stands only that all are there and that each is guarded.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from sse_starlette.sse import AppStatus
from starlette.staticfiles import StaticFiles

from monitor.web import (
    alerts,
    audit,
    cameras,
    checks,
    console,
    evidence,
    feedback,
    field,
    figures,
    health,
    models,
    notice_files,
    notices,
    permit_pages,
    permit_questions,
    permits,
    photo_uploads,
    problems,
    push,
    replies,
    report_pages,
    reports,
    sessions,
    shelves,
    sites,
    stream,
    survey,
    thresholds,
    visits,
)
from monitor.web.access import check_all_guarded
from monitor.web.copies import Copies
from monitor.web.deps import Web, WebDeps
from monitor.web.file_turns import FileTurns
from monitor.web.security import MAX_BODY_BYTES, BodyLimit, OriginCheck, SecurityHeaders
from monitor.web.stream import Hub
from monitor.web.throttle import Throttle
from monitor.web.uploads import PartFiles

__all__ = ["WebDeps", "create_app"]

STATIC = Path(__file__).parent / "static"
ROUTERS = tuple(
    part.router
    for part in (
        alerts,
        audit,
        cameras,
        checks,
        console,
        evidence,
        feedback,
        field,
        figures,
        health,
        models,
        notice_files,
        notices,
        permit_pages,
        permit_questions,
        permits,
        photo_uploads,
        push,
        replies,
        report_pages,
        reports,
        sessions,
        sites,
        shelves,
        stream,
        survey,
        thresholds,
        visits,
    )
)


def create_app(deps: WebDeps) -> FastAPI:
    """The web, ready for an ASGI server. The pool has to be open while it runs."""
    web = Web(
        deps=deps, throttle=Throttle(deps.pool, "login"), guesses=Throttle(deps.pool, "notice"),
        files=Throttle(deps.pool, "file"), turns=FileTurns(), parts=PartFiles(deps.data_dir), hub=Hub(str(deps.pool.conninfo)),
        copies=Copies(deps.data_dir, time.monotonic),
    )  # fmt: skip

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # sse-starlette notes a server's end for the whole process; a second server would never stream
        AppStatus.should_exit = False
        web.hub.start()
        try:
            yield
        finally:
            web.hub.stop()
            web.copies.stop()

    # the pages that FastAPI makes of an OpenAPI document load scripts from elsewhere
    app = FastAPI(title="hcawatch", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.web = web
    for router in ROUTERS:
        check_all_guarded(router.routes)
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    problems.install(app)

    def limit_of(path: str) -> int | None:
        if path.startswith("/api/v1/evidence/"):
            return None  # counted by the route, against what was announced
        if path == "/report":
            return report_pages.MOST_PHOTOS * deps.max_photo_bytes + MAX_BODY_BYTES
        picture = path.endswith(("/photos", "/survey/picture", "/objection")) or "/photos/" in path
        return deps.max_photo_bytes + 64 * 1024 if picture else MAX_BODY_BYTES

    app.add_middleware(BodyLimit, limit_of=limit_of, answer=problems.early_answer)
    app.add_middleware(OriginCheck, answer=problems.early_answer)
    app.add_middleware(SecurityHeaders, secure=deps.cookie_secure)
    return app
