"""Holds the configuration in force and the answer to the last one heard; keeps on disk what was taken.

The judgement is `configuration`'s, the file `kept`'s; here only their order: what was taken is durable before
it is put in force.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from edge.configuration import NO_NUMBER, Own, judge, localised
from edge.kept import keep, kept
from monitor.domain.answers import sentence
from monitor.domain.edge_config import EdgeConfiguration
from monitor.domain.events import ConfigAnswer, ConfigReason

log = structlog.get_logger()


class Configuring:
    """One edge's configuration. `hear` may be called by any thread, all else by the worker's."""

    def __init__(
        self,
        own: Own,
        file: EdgeConfiguration,
        *,
        data_dir: Path,
        file_sha256: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`file` is the edge's own; what was kept of the centre's takes its place."""
        self._own, self._folder, self._beside, self._now = own, data_dir, file_sha256, now
        self._heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        before = kept(data_dir, file_sha256)
        if before is not None and before.edge_id != own.edge_id:
            before = None
        self.force = file if before is None else localised(before, own)
        self.answer: ConfigAnswer | None = None
        if before is not None:
            self.answer = self._taken()
            log.info("configuration_kept", number=before.number, version=before.config_version)

    @property
    def number(self) -> int | None:
        """Of the version in force; None for the edge's own file."""
        return None if self.force.number == NO_NUMBER else self.force.number

    def hear(self, payload: bytes) -> None:
        """A message on the topic; an empty one only takes the retained one away."""
        if payload:
            self._heard.put(payload)

    def take(self) -> bool | None:
        """Judge what came: True if another configuration is in force now, False if only the answer is new, None
        if nothing came."""
        news: bool | None = None
        while not self._heard.empty():
            news = self._judge(self._heard.get()) or bool(news)
        return news

    def _judge(self, payload: bytes) -> bool:
        configuration, answer = judge(payload, self._own, self.force, self._now())
        late = [reason for reason in answer.reasons if reason.code == "older"]
        if late and self.answer is not None:  # it undoes neither the newer one nor the answer to it
            log.warning("configuration_late", number=answer.number, in_force=self.number)
            return False
        if configuration is None:
            if answer.taken and self.answer is not None and self.answer.taken:  # the same once more
                return False
            self.answer = answer
            for reason in answer.reasons:
                log.error("configuration_refused", number=answer.number, what=sentence(reason, "en"))
            return False
        try:
            keep(self._folder, configuration, self._beside)
        except OSError as exc:
            reason = ConfigReason(code="not_kept", facts={"reason": str(exc.strerror or exc)})
            answer = msgspec.structs.replace(answer, reasons=(reason,))
            log.error("configuration_not_kept", number=answer.number, error=str(exc))
        self.force, self.answer = configuration, answer
        log.info("configuration_taken", number=answer.number, version=answer.config_version)
        return True

    def _taken(self) -> ConfigAnswer:
        return ConfigAnswer(number=self.force.number, config_version=self.force.config_version, taken=True, at=self._now())  # fmt: skip
