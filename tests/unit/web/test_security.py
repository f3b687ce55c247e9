"""Which unsafe requests are taken for our own pages' or a program's, and which are refused."""

import pytest
from starlette.datastructures import Headers

from monitor.web.security import CONTENT_SECURITY_POLICY, origin_is_ours
from monitor.web.sessions import local_path


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"host": "room.example", "origin": "https://room.example", "cookie": "x=1"}, True),
        ({"host": "room.example:8443", "origin": "https://room.example:8443", "cookie": "x=1"}, True),
        ({"host": "room.example", "origin": "https://evil.example", "cookie": "x=1"}, False),
        ({"host": "room.example", "origin": "null", "cookie": "x=1"}, False),
        ({"host": "room.example", "origin": "https://evil.example", "authorization": "Bearer t"}, False),
        ({"host": "room.example", "cookie": "x=1", "content-type": "application/json"}, False),
        ({"host": "room.example", "content-type": "application/x-www-form-urlencoded"}, False),
        ({"host": "room.example", "content-type": "text/plain"}, False),
        ({"host": "room.example", "content-type": "application/json"}, True),
        (
            {
                "host": "room.example",
                "authorization": "Bearer t",
                "content-type": "multipart/form-data; boundary=x",
            },
            True,
        ),
    ],
)
def test_origin(headers: dict[str, str], ours: bool) -> None:
    """A foreign or hidden origin is refused; without one only what no page could have sent by itself passes."""
    assert origin_is_ours(Headers(headers)) is ours


def test_policy_allows_nothing_inline_and_nothing_foreign() -> None:
    """No 'unsafe-' exception, no other host, no data: in the policy."""
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
    assert "data:" not in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'")


@pytest.mark.parametrize(
    "wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "", None, "/a\nb"]
)
def test_login_leads_to_this_server_only(wanted: str | None) -> None:
    """A link to the login page can't be used to send somebody elsewhere."""
    assert local_path(wanted, "/field") == "/field"


def test_login_leads_back_to_the_page_that_was_wanted() -> None:
    """Path and query are kept."""
    assert local_path("/audit?search=3", "/") == "/audit?search=3"
