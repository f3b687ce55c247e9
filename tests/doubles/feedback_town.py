"""The web's town with its configuration in the database, and cameras that cry wolf: for tests of feedback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import yaml
from fastapi import FastAPI
from uuid_utils import uuid7

from alerts.feedback.desk import FeedbackDesk
from alerts.lifecycle import Step
from hcawatch.config import load, versions
from hcawatch.config.thresholds import ConfigThresholds
from hcawatch.edge_configs import messages, of_version
from monitor.domain.edge_config import EdgeConfiguration
from monitor.domain.events import EvidenceRef, sha256_hex
from monitor.web.uploads import path_of, write_whole
from tests.doubles.web_town import LINE_A, NOON, Town, picture, snapshot, town

DOCUMENT: dict[str, Any] = {
    "version": 1,
    "city": {"name": {"en": "Haitang Bay", "zh": "海棠湾"}, "made_up": True},
    "pipelines": [{"id": "a", "name": "East Gas Line", "centreline": [list(vertex) for vertex in LINE_A]}],
    "hcas": [{"id": "s1", "pipeline": "a", "name": "Old Town", "grade": "III", "from_m": 4000, "to_m": 6200}],
    "edges": [{"id": "e1", "name": "Edge one"}],
    "cameras": [{"id": "old-town", "edge": "e1", "site": "s1", "name": {"en": "Old Town mast", "zh": "老城区杆"},
                 "source": "rtsp://127.0.0.1/a"}],
    "teams": [{"id": "north", "name": "North team", "sites": ["s1"],
               "members": [{"user": "li-wei", "name": "Li Wei", "role": "officer"}]}],
}  # fmt: skip


class FeedbackTown:
    """A town whose camera in the Old Town is set by numbered configurations."""

    def __init__(self, dsn: str, here: Town, folder: Path, document: dict[str, Any] | None = None) -> None:
        self.here, self.dsn, self.path = here, dsn, folder / "city.yaml"
        self.path.write_text(yaml.safe_dump(document or DOCUMENT, allow_unicode=True, sort_keys=False))
        with versions.connect(dsn) as conn:
            versions.apply(conn, load(self.path, part="nobody"), author="li", reason="first", now=here.now)
        self.book = ConfigThresholds(self.path)
        self.desk = FeedbackDesk(here.pool, "Asia/Shanghai", self.book)

    @property
    def now(self) -> datetime:
        return self.here.now

    def app(self, **changes: Any) -> FastAPI:
        """The web over this town."""
        return self.here.app(**{"rule_book": self.book, "thresholds": self.book, **changes})

    def seen(self, score: float, *, lasts_s: float = 10.0, show: bool = False, **changes: Any) -> str:
        """An excavator that scores so much for so long, an hour after the last one; its alert's id."""
        self.here.now += timedelta(hours=1)
        episode = str(uuid7())
        at = self.here.now - timedelta(minutes=2)
        evidence: tuple[EvidenceRef, ...] = ()
        if show:
            data = picture(f"excavator {score:.2f}")
            evidence = (snapshot(data),)
        common = {"episode_id": episode, "confidence": score, **changes}
        self.here.sees(**common, captured_at=at, dwell_s=4.0, evidence=evidence)
        self.here.sees(
            **common,
            captured_at=at + timedelta(seconds=lasts_s + 8),
            dwell_s=4.0 + lasts_s + 8,
            phase="end",
            reason="gone",
        )
        if show:
            self.store(data)
        return self.here.newest().alert.alert_id

    def store(self, data: bytes) -> str:
        """As if the edge had brought it."""
        sha256 = sha256_hex(data)
        write_whole(path_of(self.here.data_dir, sha256), data)
        with self.here.pool.connection() as conn:
            conn.execute("UPDATE evidence SET stored_at = %s WHERE sha256 = %s", (self.here.now, sha256))
        return sha256

    def false_alarm(self, score: float, cause: str = "shadow_light", **more: Any) -> str:
        """One that the supervisor dismissed."""
        alert_id = self.seen(score, **more)
        self.here.step(
            alert_id, Step.DISMISS, "supervisor", reason="false_alarm", cause=cause, note="nothing there"
        )
        return alert_id

    def confirmed(self, score: float, **more: Any) -> str:
        """One that the supervisor knows to be right."""
        alert_id = self.seen(score, **more)
        self.here.step(alert_id, Step.DISMISS, "supervisor", reason="referred", note="the police has it")
        return alert_id

    def told(self) -> EdgeConfiguration:
        """What the edge hears of the newest version."""
        with versions.connect(self.dsn) as conn:
            newest = versions.read(conn)
        config = of_version(newest, self.path)
        assert config is not None
        return msgspec.json.decode(messages(newest, config.city, NOON)["e1"], type=EdgeConfiguration)


@contextmanager
def feedback_town(
    dsn: str, folder: Path, now: datetime | None = None, document: dict[str, Any] | None = None
) -> Iterator[FeedbackTown]:
    """A town over a migrated database."""
    with town(dsn, folder / "data", now or NOON) as here:
        yield FeedbackTown(dsn, here, folder, document)
