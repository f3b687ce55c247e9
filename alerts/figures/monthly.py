"""The monthly list of points: what was off-scan, kept from ringing, or gave false alarms, with times and names. Pure.

After 49 CFR 192.631(e) and 195.446(e), which ask gas and liquid control rooms for it once a calendar month. A point
is a camera; a report or a device without one counts for its site. 'Forced' has no counterpart: no point of this
system can be given a value by hand.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec

from monitor.domain.assets import City, Text

What = Literal["off_scan", "shelved", "inhibited", "false_alarm"]
WHATS: Final[tuple[What, ...]] = ("off_scan", "shelved", "inhibited", "false_alarm")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list."""

    what: What
    #: camera id; None: the whole site
    camera_id: str | None = None
    site_id: str | None = None
    from_at: datetime
    #: None: it lasts
    to_at: datetime | None = None
    #: within the month
    minutes: float | None = None
    number: int | None = None
    alert_id: str | None = None
    #: what was suspected; of a shelf what it keeps from ringing
    violation: str | None = None
    level: str | None = None
    #: who judged, or shelved: user name
    who: str = ""
    #: how that person is called
    name: str = ""
    why: str = ""
    note: str = ""


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A camera's minutes by the coverage ledger."""

    camera_id: str
    minutes: int
    watched_s: float

    @property
    def unwatched_s(self) -> float:
        """Seconds of these minutes in which nobody could have seen anything."""
        return max(0.0, 60.0 * self.minutes - self.watched_s)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One camera's or site's month."""

    point: str
    camera_id: str | None
    site_id: str | None
    name: Text
    site: Text
    #: minutes of the ledger, None without one (a site)
    minutes: int | None = None
    unwatched_s: float = 0.0
    off_scan: int = 0
    shelved: int = 0
    inhibited: int = 0
    false_alarms: int = 0
    #: alerts of the month that were judged, to read the false ones against
    judged: int = 0
    findings: tuple[Finding, ...] = ()

    @property
    def watched_share(self) -> float | None:
        """Share of the ledger's minutes that was watched; None without a ledger."""
        return 1.0 - self.unwatched_s / (60.0 * self.minutes) if self.minutes else None


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """The list of one month; points without a finding are in it too, so that nothing looks forgotten."""

    month: str
    since: datetime
    until: datetime
    made_at: datetime
    #: the month is not over yet
    running: bool
    points: tuple[Point, ...]

    def total(self, what: What) -> int:
        """Findings of a kind in all points."""
        return sum(1 for point in self.points for finding in point.findings if finding.what == what)


def month(
    name: str,
    since: datetime,
    until: datetime,
    findings: Sequence[Finding],
    watched: Sequence[Watched],
    judged: Mapping[str, int],
    city: City,
    now: datetime,
) -> Month:
    """The list; points with most findings first. `judged`: by point, alerts of the month that a person judged."""
    by_point: dict[str, list[Finding]] = {camera.camera_id: [] for camera in city.cameras}
    sites: dict[str, str | None] = {camera.camera_id: camera.site_id for camera in city.cameras}
    cameras = set(sites) | {w.camera_id for w in watched} | {f.camera_id for f in findings if f.camera_id}
    for ledger in watched:
        by_point.setdefault(ledger.camera_id, [])
    for finding in findings:
        point = finding.camera_id or finding.site_id or ""
        by_point.setdefault(point, []).append(finding)
        if sites.get(point) is None:
            sites[point] = finding.site_id
    known = {ledger.camera_id: ledger for ledger in watched}
    names = {camera.camera_id: camera.name for camera in city.cameras}
    names |= {hca.site_id: hca.name for hca in city.hcas if hca.site_id not in names}
    places = {hca.site_id: hca.name for hca in city.hcas}
    points = [
        _point(point, mine, known.get(point), judged.get(point, 0), is_camera=point in cameras,
               site_id=sites.get(point), name=names.get(point, {}), site=places.get(sites.get(point) or "", {}))
        for point, mine in by_point.items()
    ]  # fmt: skip
    points.sort(key=lambda p: (-len(p.findings), -p.unwatched_s, p.point))
    return Month(month=name, since=since, until=until, made_at=now, running=now < until, points=tuple(points))


def _point(
    point: str, mine: list[Finding], ledger: Watched | None, judged: int, *, is_camera: bool, site_id: str | None,
    name: Text, site: Text,
) -> Point:  # fmt: skip
    counts = {what: sum(f.what == what for f in mine) for what in WHATS}
    return Point(
        point=point, camera_id=point if is_camera else None, site_id=site_id, name=name, site=site,
        minutes=ledger.minutes if ledger else None, unwatched_s=ledger.unwatched_s if ledger else 0.0,
        off_scan=counts["off_scan"], shelved=counts["shelved"], inhibited=counts["inhibited"],
        false_alarms=counts["false_alarm"], judged=judged,
        findings=tuple(sorted(mine, key=lambda f: (f.from_at, f.what, f.number or 0))),
    )  # fmt: skip
