"""Numbers of rules that feedback or a person sets and takes back, written as versions: fills alerts' two ports.

What is written is the newest version with one camera's entry of one row changed, checked like a file, in the
caller's transaction. An entry of the edge for that row is copied to the camera first, since a camera's own
replaces all of it.
"""

import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alerts.feedback.points import Point, number_at, with_number
from alerts.feedback.ports import Ask, Current, Entry, FeedbackError, Written
from alerts.thresholds.ports import ConfigurationRefused, Found, Said, ThresholdsError, Wanted
from hcawatch.config import versions
from hcawatch.config.checks.look import Surroundings
from hcawatch.config.faults import Fault
from hcawatch.config.load import Report, from_document
from hcawatch.config.versions import Version
from monitor.domain.assets import City
from monitor.store.pool import Conn

#: of a number that was said with a decimal point or not
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class ConfigThresholds:
    """The versions in one database; `path` is the configuration file, whose folder paths are relative to."""

    path: Path

    def current(self, conn: Conn) -> Current | None:
        """The newest version."""
        newest = versions.newest(conn)
        if newest is None:
            return None
        city = self._city(newest.body)
        return None if city is None else Current(number=newest.number, city=city)

    def set_number(self, conn: Conn, ask: Ask) -> Written:
        """The next version."""
        body, camera = self._body(conn, ask)
        before = _entry(camera, ask.rule_id)
        base = before or _entry(_edge_of(body, camera), ask.rule_id) or {"rule": ask.rule_id}
        after = with_number({**base, "reason": ask.reason}, ask.number, ask.value, ask.point, ask.was)
        return self._write(conn, ask, body, camera, before, after)

    def put_back(self, conn: Conn, ask: Ask, before: Entry | None, after: Entry | None) -> Written:
        """The next version; what others changed of the entry since stays."""
        body, camera = self._body(conn, ask)
        now_is, written = _entry(camera, ask.rule_id), dict(after or {})
        was, is_now = number_at(written, ask.number, ask.point), number_at(now_is, ask.number, ask.point)
        if now_is == after:
            restored = None if before is None else dict(before)
        elif now_is is not None and was is not None and is_now is not None and abs(is_now - was) < _SAME:
            given = with_number({**now_is, "reason": ask.reason}, ask.number, ask.value, ask.point, ask.value)
            restored = _without_pin(given, dict(before or {}), written, ask)
        else:
            raise FeedbackError("proposal_moved", now="–", was=f"{ask.value:g}")
        return self._write(conn, ask, body, camera, now_is, restored)

    # ------------------------------------------------------------ by hand: alerts.thresholds' port
    def found(self, conn: Conn, camera_id: str) -> Found | None:
        """The camera's entries in the newest version."""
        newest = versions.newest(conn)
        camera = None if newest is None else _camera(newest.body, camera_id)
        if newest is None or camera is None:
            return None
        edge = _edge_of(newest.body, camera)
        return Found(number=newest.number, camera_id=camera_id, edge_id=camera["edge"], own=_by_rule(camera),
                     of_edge=_by_rule(edge))  # fmt: skip

    def write(self, conn: Conn, wanted: Wanted) -> tuple[int, dict[str, Any] | None]:
        """The next version, with that entry; ConfigurationRefused says in words what would be wrong."""
        newest = versions.newest(conn)
        body = None if newest is None else copy.deepcopy(newest.body)
        camera = None if body is None else _camera(body, wanted.camera_id)
        if newest is None or body is None or camera is None or newest.number != wanted.seen:
            raise ThresholdsError("thresholds_moved", seen=wanted.seen, number=newest.number if newest else 0)
        _put(camera, wanted.rule_id, wanted.entry)
        report = self._checked(body, wanted.now)
        if report.config is None:
            raise ConfigurationRefused(_sentences(report.errors))
        try:
            number = versions.apply(conn, report.config, author=wanted.author, reason=wanted.reason, now=wanted.now,
                                    seen=wanted.seen)  # fmt: skip
        except versions.ConfigMovedOn as exc:
            raise ThresholdsError("thresholds_moved", seen=wanted.seen, number="?") from exc
        written = _camera(report.config.document, wanted.camera_id)
        return number, None if written is None else _entry(written, wanted.rule_id)

    def said(self, conn: Conn, edge_id: str) -> Said | None:
        """The edge's last word."""
        heard = next((one for one in versions.edge_answers(conn) if one.edge_id == edge_id), None)
        if heard is None:
            return None
        said = Said(online=heard.online, in_force=heard.config_number)
        answer = heard.answer
        if answer is None:
            return said
        return Said(online=heard.online, in_force=heard.config_number, about=answer.number, taken=answer.taken,
                    reasons=answer.reasons)  # fmt: skip

    def _body(self, conn: Conn, ask: Ask) -> tuple[dict[str, Any], dict[str, Any]]:
        newest: Version | None = versions.newest(conn)
        if newest is None:
            raise FeedbackError("proposal_no_config")
        body = copy.deepcopy(newest.body)
        camera = _camera(body, ask.camera_id)
        if camera is None or newest.number != ask.seen:
            raise FeedbackError("proposal_moved", now="–", was=f"{ask.value:g}")
        return body, camera

    def _write(
        self, conn: Conn, ask: Ask, body: dict[str, Any], camera: dict[str, Any],
        before: dict[str, Any] | None, after: dict[str, Any] | None,
    ) -> Written:  # fmt: skip
        _put(camera, ask.rule_id, after)
        report = self._checked(body, ask.now)
        if report.config is None:
            first = report.errors[0]
            raise FeedbackError("proposal_config_refused", what=f"{first.key}: {first.what()}")
        try:
            number = versions.apply(
                conn, report.config, author=ask.author, reason=ask.reason, now=ask.now, seen=ask.seen
            )
        except versions.ConfigMovedOn as exc:
            raise FeedbackError("proposal_moved", now="–", was=f"{ask.value:g}") from exc
        written = next(one for one in report.config.document["cameras"] if one["id"] == ask.camera_id)
        return Written(version=number, before=before, after=_entry(written, ask.rule_id))

    def _checked(self, body: dict[str, Any], now: datetime) -> Report:
        # nobody's secrets and files: it is only compared and stored
        around = Surroundings(folder=self.path.absolute().parent, env={}, now=now, part="nobody")
        return from_document(body, path=self.path, around=around)

    def _city(self, body: dict[str, Any]) -> City | None:
        config = self._checked(body, datetime.now(UTC)).config
        return None if config is None else config.city


def _without_pin(
    entry: dict[str, Any], before: dict[str, Any], written: dict[str, Any], ask: Ask
) -> dict[str, Any]:
    """Without the number at night that a step by day, or at night, was the first to give, if nobody changed it since.

    After a step at night only where the night then has the number of before: without one of its own it follows the
    day, and the day may have been set since.
    """
    if ask.point is Point.ALWAYS or number_at(before, ask.number, Point.NIGHT) is not None:
        return entry
    now_is, given = (number_at(one, ask.number, Point.NIGHT) for one in (entry, written))
    if ask.point is Point.DAY and now_is != given:
        return entry
    if ask.point is Point.NIGHT:
        by_day, had_by_day = (number_at(one, ask.number, Point.DAY) for one in (entry, before))
        # without a number by day either, before and now, both were and are the shipped one
        shipped = by_day is None and had_by_day is None
        if not shipped and (by_day is None or abs(by_day - ask.value) >= _SAME):
            return entry
    return {**entry, "night": {key: value for key, value in entry["night"].items() if key != ask.number}}


def _entry(section: dict[str, Any], rule_id: str) -> dict[str, Any] | None:
    return next((dict(one) for one in section.get("rules", []) if one["rule"] == rule_id), None)


def _by_rule(section: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["rule"]: dict(one) for one in section.get("rules", [])}


def _put(camera: dict[str, Any], rule_id: str, entry: dict[str, Any] | None) -> None:
    """Changes the camera's section."""
    kept = [one for one in camera.get("rules", []) if one["rule"] != rule_id]
    camera["rules"] = kept if entry is None else [*kept, entry]


def _camera(body: dict[str, Any], camera_id: str) -> dict[str, Any] | None:
    return next((one for one in body["cameras"] if one["id"] == camera_id), None)


def _sentences(faults: tuple[Fault, ...]) -> dict[str, str]:
    """The first faults, in words."""
    return {
        "en": " ".join(f"{fault.what('en')}. {fault.remedy('en')}" for fault in faults[:3]),
        "zh": "".join(f"{fault.what('zh')}。{fault.remedy('zh')}" for fault in faults[:3]),
    }


def _edge_of(body: dict[str, Any], camera: dict[str, Any]) -> dict[str, Any]:
    return next((edge for edge in body["edges"] if edge["id"] == camera["edge"]), {})
