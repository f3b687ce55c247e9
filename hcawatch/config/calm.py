"""The section `calm` of a document to the domain's values."""

from hcawatch.config.schema import CalmSection
from monitor.domain.calm import HOUR_S, SHIPPED_SHELF_MOST_S, Calm
from monitor.domain.levels import Level


def calm_of(section: CalmSection) -> Calm:
    """The shipped numbers with what the file says. A flood never ends later than it begins."""
    most_s = dict(SHIPPED_SHELF_MOST_S)
    for level, hours in section.shelf_most_h.items():
        most_s[Level(level)] = min(max(hours, 0.0), 24.0 * 31) * HOUR_S
    return Calm(
        positions=section.positions, shelf_most_s=most_s, flap_times=section.flap_times,
        flap_within_s=section.flap_within_min * 60.0, flood_above=section.flood_above,
        flood_below=min(section.flood_below, section.flood_above), single_messages=section.single_messages,
    )  # fmt: skip
