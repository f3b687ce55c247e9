"""A month's visits as a table for a spreadsheet. Pure."""

import csv
import io
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from alerts.visiting.counting import Month

#: a cell that begins so would be a formula where the file is opened
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
HEADS = ("kind", "alert", "site", "company", "at", "arrived", "why", "by_itself", "found", "officer")


def month_csv(month: Month, timezone: str) -> str:
    """One line for each visit made and each one that was not needed; times by the city's clock."""
    zone = ZoneInfo(timezone)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADS)
    for row in month.rows:
        arrived = row.arrived_at.astimezone(zone).isoformat(timespec="minutes") if row.arrived_at else ""
        kind = "along" if row.choice == "same_visit" else "visit" if row.arrived_at else "not_arrived"
        at = row.dispatched_at.astimezone(zone).isoformat(timespec="minutes")
        writer.writerow(_safe((kind, row.number, row.site_id, row.company, at, arrived, row.why, "", row.found or "open", row.officer)))  # fmt: skip
    for one in month.avoided_rows:
        at = one.at.astimezone(zone).isoformat(timespec="minutes")
        by_itself = "yes" if one.by_itself else "no"
        writer.writerow(_safe((f"avoided_{one.kind}", one.number, one.site_id, one.company, at, "", one.why, by_itself, "", "")))  # fmt: skip
    return out.getvalue()


def _safe(cells: Iterable[object]) -> list[str]:
    texts = ["" if cell is None else str(cell) for cell in cells]
    return [f"'{text}" if text.startswith(_FORMULA) else text for text in texts]
