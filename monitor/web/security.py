"""What every answer carries and every request must pass before a route sees it: headers, origin, size.

Three small ASGI layers without knowledge of routes' meaning. Who may do what is in `access.py`.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.web.errors import Forbidden, TooLarge, WebError

#: self only; no inline script or style, no frames, no plug-ins. blob: is the photo a phone is about to send
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(self), camera=(self), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: a year; only sent where the cookie is secure, that is behind TLS
STRICT_TRANSPORT = "max-age=31536000"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: JSON bodies and forms
MAX_BODY_BYTES = 256 * 1024
Answer = Callable[[Scope, WebError], ASGIApp]


class SecurityHeaders:
    """Puts the security headers on every answer, and keeps what people see out of shared caches."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self.app = app
        self.headers = {**HEADERS, "Strict-Transport-Security": STRICT_TRANSPORT} if secure else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        default_cache = "no-cache" if scope["path"].startswith("/static/") else "no-store"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", default_cache)
            await send(message)

        return await self.app(scope, receive, send_with_headers)


def origin_is_ours(headers: Headers) -> bool:
    """Whether an unsafe request comes from our own pages, or from no browser's page at all.

    A browser names its origin with every unsafe request. Without one, the request is let through only
    if nothing in it acts by itself for somebody: no cookie, and no form (which any page can send).
    """
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""
    form = headers.get("content-type", "").split(";")[0].strip().lower()
    if headers.get("authorization"):
        return True
    return "cookie" not in headers and form not in (
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain",
    )


class OriginCheck:
    """Refuses unsafe requests that another site's page makes in somebody's name (with SameSite=Strict cookies)."""

    def __init__(self, app: ASGIApp, *, answer: Answer) -> None:
        self.app, self.answer = app, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and scope["method"] not in SAFE_METHODS
            and not origin_is_ours(Headers(scope=scope))
        ):
            return await self.answer(scope, Forbidden("other_origin"))(scope, receive, send)
        return await self.app(scope, receive, send)


class BodyLimit:
    """Bodies end at a size: by what they say of themselves, and by what really comes.

    `limit_of(path)` gives the limit in bytes, or None where the route counts by itself (evidence).
    """

    def __init__(self, app: ASGIApp, *, limit_of: Callable[[str], int | None], answer: Answer) -> None:
        self.app, self.limit_of, self.answer = app, limit_of, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self.limit_of(scope["path"]) if scope["type"] == "http" else None
        if limit is None:
            return await self.app(scope, receive, send)
        said = Headers(scope=scope).get("content-length", "0")
        if not said.isdigit() or int(said) > limit:
            return await self.answer(scope, TooLarge("too_large", limit=limit))(scope, receive, send)
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    raise TooLarge("too_large", limit=limit)
            return message

        return await self.app(scope, counted, send)
