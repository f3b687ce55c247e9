"""Notifications of a browser: the key to subscribe with, subscribing, and the script that shows them."""

from pathlib import Path
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import FileResponse, JSONResponse, Response

from alerts.channels.failures import ChannelError
from alerts.delivery import describe
from alerts.webpush.invitation import Push
from alerts.webpush.sealing import BrowserKeys, PushKeyError
from alerts.webpush.subscriptions import MOST_ENDPOINT, Subscription
from monitor.domain.roles import Right
from monitor.web.access import Guard
from monitor.web.deps import web_of
from monitor.web.errors import NotFound, Unusable
from monitor.web.people import Principal
from monitor.web.rendering import reader_texts

log = structlog.get_logger(__name__)

router = APIRouter()
Me = Annotated[Principal, Depends(Guard(Right.SEE_FIELD))]
_WORKER = Path(__file__).parent / "static" / "sw.js"
Text = Annotated[str, Field(min_length=1, max_length=200, pattern="^[A-Za-z0-9_=-]+$")]


class Keys(BaseModel):
    """As the browser gives them."""

    model_config = ConfigDict(extra="ignore")
    p256dh: Text
    auth: Text


class Browser(BaseModel):
    """A browser's PushSubscription as JSON."""

    model_config = ConfigDict(extra="ignore")
    endpoint: Annotated[str, Field(min_length=10, max_length=MOST_ENDPOINT, pattern="^https?://[!-~]+$")]
    keys: Keys


class Endpoint(BaseModel):
    """Which browser."""

    endpoint: Annotated[str, Field(max_length=MOST_ENDPOINT, pattern="^[!-~]+$")]


@router.get("/sw.js")
def service_worker() -> Response:
    """The script that shows notifications; at the root, since it serves all pages. It holds nothing secret."""
    return FileResponse(_WORKER, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


def _push_of(request: Request) -> Push:
    push = web_of(request).deps.push
    if push is None:
        raise NotFound("no_push")
    return push


@router.get("/api/v1/push/key")
def key(request: Request, _: Me) -> dict[str, str]:
    """What a browser subscribes with."""
    return {"key": _push_of(request).public}


@router.post("/api/v1/push/browsers")
def subscribe(request: Request, browser: Browser, me: Me) -> JSONResponse:
    """Notify this browser from now on; a new one gets a test first, and is not kept if that fails."""
    push, now = _push_of(request), web_of(request).deps.clock()
    try:
        BrowserKeys.read(browser.keys.p256dh, browser.keys.auth)
    except PushKeyError as exc:
        raise Unusable("bad_browser", why=str(exc)) from exc
    wanted = Subscription(endpoint=browser.endpoint, p256dh=browser.keys.p256dh, auth=browser.keys.auth)
    try:
        new = push.subscribe(me.user, wanted, reader_texts(request).language, now)
    except (ChannelError, OSError) as exc:
        log.warning("push.test_failed", user=me.user, error=describe(exc))
        raise Unusable("push_not_taken", why=describe(exc)) from exc
    return JSONResponse({"new": new}, 201 if new else 200)


@router.delete("/api/v1/push/browsers")
def unsubscribe(request: Request, browser: Endpoint, me: Me) -> dict[str, Any]:
    """No more notifications on this browser."""
    gone = _push_of(request).browsers.remove(me.user, browser.endpoint, web_of(request).deps.clock())
    return {"gone": gone}
