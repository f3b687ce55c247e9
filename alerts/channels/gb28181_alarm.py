"""A message as an alarm notification of GB/T 28181 (annex A.2.5). Pure."""

import hashlib
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from alerts.channels.parcel import Parcel
from alerts.channels.wording import Wording
from monitor.domain import manscdp
from monitor.domain.assets import City

_PRIORITY: Final = {"I": 1, "II": 2, "III": 3, "IV": 4}
#: AlarmMethod (annex A.2.5): by video; other. A closed alert is no video alarm, and nothing at the platform should follow
_VIDEO, _OTHER = 5, 7
#: AlarmType of video alarms: entering an area, something left behind
_INTRUSION, _LEFT = 6, 3
_TYPES: Final = {"unexplained_change": _LEFT, "fire_5m": None}


def sn_of(key: str) -> int:
    """The sequence number of a message: the same for the same key, 1 to 2^31 - 1."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % (2**31 - 1) + 1


def alarm_xml(parcel: Parcel, city: City, ours: str, words: Wording) -> bytes:
    """The message as an alarm notification. A drill and a test say so at the beginning of AlarmDescription."""
    body = parcel.body
    by_video = body.get("source") in ("edge", "device") and body.get("what") not in ("closed", "test")
    camera = next((c for c in city.cameras if c.camera_id == body.get("camera_id")), None)
    lon, lat = body.get("lon"), body.get("lat")
    placed = isinstance(lon, float | int) and isinstance(lat, float | int)
    return manscdp.notify_alarm(
        sn=sn_of(parcel.key),
        device_id=(camera.gb_id if camera is not None else None) or ours,
        priority=4 if body.get("what") == "closed" else _PRIORITY.get(str(body.get("level")), 4),
        method=_VIDEO if by_video else _OTHER,
        type_code=_TYPES.get(str(body.get("violation")), _INTRUSION) if by_video else None,
        at=_at(body, parcel.now),
        zone=ZoneInfo(city.gb28181.timezone if city.gb28181 is not None else city.timezone),
        description=words.short(),
        place=(float(lon), float(lat)) if placed else None,  # type: ignore[arg-type]
    )


def _at(body: dict[str, Any], now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(str(body.get("at")))
    except ValueError:
        return now
    return at if at.tzinfo is not None else now
