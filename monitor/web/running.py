"""The console's list of what runs: one page of it, and true numbers of all of it.

A page shows the worst and oldest alerts of those that the reader chose (by level, state, place, kind); the numbers
beside it are counted in the database over everything that runs, and each is a link to the alerts that it counts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from fastapi import Depends, Query

from alerts.calm.flood import Group, grouped
from alerts.calm.running import Chosen, Tally, Totals, totals
from alerts.lifecycle import State
from alerts.texts import title_of
from alerts.views import AlertRow
from monitor.domain.assets import City
from monitor.domain.levels import Level
from monitor.web import showing
from monitor.web.texts import Texts

#: alerts on one page
MOST_RUNNING = 500
#: nobody reads further; and PostgreSQL walks past all that comes before a page
_MOST_PAGES = 10_000
_Name = Annotated[str | None, Query(max_length=100, pattern="^[^\\x00]*$")]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the address of the page asks for."""

    chosen: Chosen
    page: int = 1
    #: 'groups', 'single', or as the flood has it
    view: str = ""

    @property
    def after(self) -> int:
        """How many alerts the pages before this one show."""
        return (self.page - 1) * MOST_RUNNING

    def within(self, there_are: int) -> "Asked":
        """The same, but no page behind the last: a flood ebbs while somebody stands on its second page."""
        last = max(1, -(-there_are // MOST_RUNNING))
        return msgspec.structs.replace(self, page=min(self.page, last))

    def turned(self, view: str) -> str:
        """The address with the list shown the other way."""
        return msgspec.structs.replace(self, view=view).link()

    def link(self, **fields: Any) -> str:
        """The address with these fields of the choice changed, from its first page on."""
        chosen = self.chosen.but(**{name: one for name, one in fields.items() if name != "page"})
        given = {"view": self.view or None, "level": chosen.level, "state": chosen.state, "site": chosen.site_id,
                 "what": chosen.what, "page": fields.get("page")}  # fmt: skip
        return "/?" + urlencode({name: str(one) for name, one in given.items() if one is not None})


def _asked(
    view: Annotated[str, Query(pattern="^(|groups|single)$")] = "",
    level: Level | None = None,
    state: State | None = None,
    site: _Name = None,
    what: _Name = None,
    page: Annotated[int, Query(ge=1, le=_MOST_PAGES)] = 1,
) -> Asked:
    return Asked(chosen=Chosen(level=level, state=state, site_id=site, what=what), page=page, view=view)


AskedOf = Annotated[Asked, Depends(_asked)]


def split(counted: Iterable[Tally]) -> tuple[list[Tally], list[Tally]]:
    """What rings, and what is held."""
    all_of_them = list(counted)
    return [one for one in all_of_them if not one.held], [one for one in all_of_them if one.held]


def by_urgency(rows: Iterable[AlertRow], *, whole: bool = True) -> list[AlertRow]:
    """Worst level first; within a level the newest first. A page of several goes on where the one before ended."""
    if not whole:
        return list(rows)
    return sorted(rows, key=lambda item: (item.alert.level.rank, -item.alert.opened_at.timestamp()))


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts of level I that nobody has acknowledged and that the page does not list."""

    n: int
    newest_at: datetime


def urgent_elsewhere(counted: Iterable[Tally], rows: Iterable[AlertRow]) -> Elsewhere | None:
    """Those of all that rings that a narrowed list, or a further page, would keep from its reader; None: there are none."""
    urgent = [one for one in counted if one.level is Level.I and one.unacknowledged]
    listed = sum(item.alert.level is Level.I and item.alert.acknowledged_at is None for item in rows)
    n = sum(one.unacknowledged for one in urgent) - listed
    return Elsewhere(n=n, newest_at=max(one.newest_at for one in urgent)) if n > 0 else None


def group_rows(
    counted: Sequence[Tally], rows: Iterable[AlertRow], city: City, asked: Asked, t: Texts
) -> list[dict[str, Any]]:
    """What runs by place and kind, in words: each group counts all of its alerts, and holds those at hand."""
    by_id = {item.alert.alert_id: item for item in rows}
    places = places_of(city, t)

    def row(group: Group) -> dict[str, Any]:
        site = group.site_id or ""
        return {
            "group": group, "id": f"group-{site or 'none'}-{group.what}",
            "title": t.of(title_of(group.what, is_health=group.is_health)),
            "place": places(site),
            "rows": [showing.row(by_id[alert.alert_id], city, t) for alert in group.alerts],
            "more": group.n - len(group.alerts),
            "link": msgspec.structs.replace(asked, view="single").link(site_id=site, what=group.what),
        }  # fmt: skip

    return [row(group) for group in grouped(counted, [item.alert for item in by_id.values()])]


def places_of(city: City, t: Texts) -> Callable[[str], str]:
    """How a site is called; the empty one, too."""
    names: Mapping[str, str] = {hca.site_id: t.of(hca.name) for hca in city.hcas}
    return lambda site: names.get(site, site) or t("calm.group_elsewhere")


def choices(counted: Sequence[Tally], asked: Asked, city: City, t: Texts) -> dict[str, Any]:
    """Numbers of what rings by level, state and place, each a link to just those; and what is chosen now, in words."""
    chosen, places = asked.chosen, places_of(city, t)

    def left(**without: None) -> Totals:
        # a number says what its link leads to: the other choices stay
        narrowed = chosen.but(**without)
        return totals([one for one in counted if narrowed.takes(one)])

    said = [(places(chosen.site_id), asked.link(site_id=None))] if chosen.site_id is not None else []
    if chosen.what is not None:
        health = any(one.what == chosen.what and one.kind == "health" for one in counted)
        said.append((t.of(title_of(chosen.what, is_health=health)), asked.link(what=None)))
    return {
        "levels": [
            (level, n, level is chosen.level, asked.link(level=None if level is chosen.level else level))
            for level, n in left(level=None).by_level.items()
        ],
        "states": [
            (state, n, state is chosen.state, asked.link(state=None if state is chosen.state else state))
            for state, n in left(state=None).by_state.items()
        ],
        "sites": [
            (places(site), n, asked.link(site_id=site)) for site, n in left(site_id=None).by_site.items()
        ],
        "said": said,
    }
