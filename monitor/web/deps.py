"""What the web needs from outside, and how a request reaches it. Nothing here decides anything."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from starlette.requests import HTTPConnection

from alerts.engine import AlertEngine
from alerts.feedback.ports import RuleBook
from alerts.thresholds.ports import SettingBook
from alerts.webpush.invitation import Push
from monitor.domain.assets import City
from monitor.store.pool import Pool
from monitor.web.surveying import SurveyBook

if TYPE_CHECKING:
    from monitor.web.copies import Copies
    from monitor.web.file_turns import FileTurns
    from monitor.web.stream import Hub
    from monitor.web.throttle import Throttle
    from monitor.web.uploads import PartFiles

MEGABYTE = 1_000_000


def utc_now() -> datetime:
    """The wall clock, aware and in UTC; tests pass another."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDeps:
    """Everything that the entry point passes in."""

    pool: Pool
    engine: AlertEngine
    city: City
    data_dir: Path
    clock: Callable[[], datetime] = utc_now
    #: the https address that people use, for codes that are printed; None: the one of the request
    public_url: str | None = None
    #: True behind TLS; the session cookie then never travels in clear
    cookie_secure: bool = False
    #: one shift; after that a person logs in again
    session_s: float = 12 * 3600.0
    max_photo_bytes: int = 15 * MEGABYTE
    #: where surveys are read and saved; None: they are shown as the city has them, and can't be saved
    surveys: SurveyBook | None = None
    #: where thresholds are set; None: they are shown, and can't be decided
    rule_book: RuleBook | None = None
    #: where thresholds are set by hand; None: there is no page for it
    thresholds: SettingBook | None = None
    #: notifications of browsers; None: no channel of that kind is set up
    push: Push | None = None
    max_evidence_bytes: int = 200 * MEGABYTE
    #: an upload that brings nothing for so long is cut off; the edge resumes it
    upload_stall_s: float = 30.0
    #: by channel: the secret by which its gateway signs officers' answers
    reply_secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: `/readyz` asks these beside the database: name -> is it well (broker, sequencer, …)
    checks: Mapping[str, Callable[[], bool]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Web:
    """What lives as long as the app: the dependencies and its own few mutable parts."""

    deps: WebDeps
    throttle: "Throttle"
    #: of codes of notices, by address
    guesses: "Throttle"
    #: of files with objections, by notice
    files: "Throttle"
    #: whose file is looked at
    turns: "FileTurns"
    parts: "PartFiles"
    hub: "Hub"
    copies: "Copies"


def web_of(request: HTTPConnection) -> Web:
    """The app's parts."""
    return cast(Web, request.app.state.web)


def address_of(request: HTTPConnection, path: str) -> str:
    """A page's whole address, as people outside reach it: what a QR code or a letter says must not depend on the name
    or number by which one's own browser came here.
    """
    base = web_of(request).deps.public_url or str(request.base_url)
    return base.rstrip("/") + path
