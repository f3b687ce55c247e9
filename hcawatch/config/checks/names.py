"""Names: ids used once, references that lead somewhere, a time zone that exists."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from hcawatch.config.checks.look import Look
from hcawatch.config.faults import Fault, some_of

#: The broker's user that is the centre: an edge of that name would have its rights.
CENTRE = "centre"


def check(look: Look) -> Iterator[Fault]:
    """Faults of names."""
    yield from _ids_used_once(look)
    yield from _references(look)
    for index, edge in enumerate(look.document.edges):
        if edge.id == CENTRE:
            yield look.fault("edge_reserved", "edges", index, "id", id=edge.id)
    name = look.document.city.timezone
    if not is_timezone(name):
        yield look.fault("timezone_unknown", "city", "timezone", name=name)


def is_timezone(name: str) -> bool:
    """Whether the machine's list of time zones has it."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _ids_used_once(look: Look) -> Iterator[Fault]:
    document = look.document
    for section in ("pipelines", "hcas", "edges", "cameras", "teams", "schedules", "channels", "contacts"):
        for index, entry in enumerate(getattr(document, section)):
            first = look.ids(section).get(entry.id, index)
            if first < index:
                line = look.line(section, first, "id")
                yield look.fault("duplicate_id", section, index, "id", id=entry.id, first=line)
    for index, permit in enumerate(document.permits):
        numbers = [other.number for other in document.permits[:index]]
        if permit.number in numbers:
            line = look.line("permits", numbers.index(permit.number), "number")
            yield look.fault("duplicate_id", "permits", index, "number", id=permit.number, first=line)
    for index, hca in enumerate(document.hcas):
        asked = [one.id for one in hca.checks]
        for n, check_id in enumerate(asked):
            if (first := asked.index(check_id)) < n:
                line = look.line("hcas", index, "checks", first, "id")
                yield look.fault("duplicate_id", "hcas", index, "checks", n, "id", id=check_id, first=line)
    for index, camera in enumerate(document.cameras):
        zones = [zone.id for zone in camera.zones]
        for n, zone_id in enumerate(zones):
            if (first := zones.index(zone_id)) < n:
                line = look.line("cameras", index, "zones", first, "id")
                yield look.fault("duplicate_id", "cameras", index, "zones", n, "id", id=zone_id, first=line)


def _references(look: Look) -> Iterator[Fault]:
    document = look.document
    for index, hca in enumerate(document.hcas):
        yield from refer(look, "pipelines", hca.pipeline, "hcas", index, "pipeline")
    for index, permit in enumerate(document.permits):
        yield from refer(look, "pipelines", permit.pipeline, "permits", index, "pipeline")
    for index, camera in enumerate(document.cameras):
        yield from refer(look, "edges", camera.edge, "cameras", index, "edge")
        yield from refer(look, "hcas", camera.site, "cameras", index, "site")
    for index, team in enumerate(document.teams):
        for n, site in enumerate(team.sites):
            yield from refer(look, "hcas", site, "teams", index, "sites", n)


_CODES = {
    "pipelines": "unknown_pipeline",
    "hcas": "unknown_site",
    "edges": "unknown_edge",
    "cameras": "unknown_camera",
}


def refer(look: Look, section: str, name: str, *path: str | int) -> Iterator[Fault]:
    """A fault where `name` is none of the section's ids."""
    if name not in look.ids(section) and look.ok(section):
        yield look.fault(_CODES[section], *path, name=name, known=some_of(look.ids(section)))
