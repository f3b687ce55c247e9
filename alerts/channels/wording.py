"""A message dict as people read it, in one language: headline, lines, links. Pure."""

from typing import Any
from urllib.parse import quote

import msgspec

from alerts.texts import article_of
from monitor.domain.assets import City, Text

#: what the message says, by its `what`; others are shown as they are
WHAT: dict[str, Text] = {
    "dispatch": {"en": "You are dispatched", "zh": "请前往处置"},
    "update": {"en": "Your dispatch has changed", "zh": "派遣内容有变化"},
    "recall": {"en": "Recalled: you need not go", "zh": "已召回，无需前往"},
    "opened": {"en": "New alert", "zh": "新告警"},
    "changed": {"en": "Alert changed", "zh": "告警变更"},
    "closed": {"en": "Alert closed", "zh": "告警已关闭"},
    "escalation": {"en": "Nobody has answered yet", "zh": "尚无人响应"},
    "escalations": {"en": "Nobody has answered yet", "zh": "尚无人响应"},
    "shelf_ended": {"en": "A shelf has ended", "zh": "搁置已结束"},
    "permit_reminder": {"en": "Your permit ends soon", "zh": "许可即将到期"},
    "reply": {"en": "Your text message", "zh": "短信回复"},
    "test": {"en": "Test of this channel, nothing to do", "zh": "渠道测试，无需处理"},
}
_LABELS: dict[str, Text] = {
    "alert": {"en": "Alert", "zh": "告警"},
    "level": {"en": "level {level}", "zh": "{level}级"},
    "place": {"en": "Place", "zh": "地点"},
    "position": {"en": "Position (WGS84)", "zh": "位置（WGS84）"},
    "officer": {"en": "Officer", "zh": "人员"},
    "article": {"en": "Law", "zh": "法律依据"},
    "details": {"en": "Details", "zh": "详情"},
    "map": {"en": "Map", "zh": "地图"},
    "simulated": {"en": "SIMULATED", "zh": "模拟"},
    "report": {"en": "Reported by a person, not seen by a camera", "zh": "人员举报，非摄像机发现"},
    "device": {"en": "A device's own alarm", "zh": "设备自带报警"},
    "handed_over": {"en": "Sent here because it could not be delivered by", "zh": "因以下渠道无法送达而转发"},
}


class Wording(msgspec.Struct, frozen=True, kw_only=True):
    """What a person reads."""

    headline: str
    #: label and value
    lines: tuple[tuple[str, str], ...]
    #: label and URL
    links: tuple[tuple[str, str], ...]

    def text(self) -> str:
        """All of it as plain text."""
        rows = [f"{label}: {value}" if label else value for label, value in (*self.lines, *self.links)]
        return "\n".join([self.headline, *rows])

    def short(self) -> str:
        """One line for a text message or a call: the headline, the place, and the first link."""
        parts = [self.headline, *(value for _, value in self.lines[:1]), *(url for _, url in self.links[:1])]
        return " ".join(parts)


def wording(body: dict[str, Any], city: City, public_url: str | None, language: str) -> Wording:
    """The message in that language. What is missing in `body` is left out; nothing in it can make this fail."""

    def word(key: str) -> str:
        return _LABELS[key][language]

    what = str(body.get("what", ""))
    head = WHAT[what][language] if what in WHAT else what
    level = body.get("level")
    graded = word("level").format(level=level) if level else ""
    title = _of(body.get("title"), language)
    mark = f"[{word('simulated')}] " if city.made_up or body.get("footage") == "simulated" else ""
    number = f" #{body['number']}" if body.get("number") else ""
    headline = f"{mark}{head}{number}: " + ", ".join(part for part in (graded, title) if part)
    lines = [
        (word("place"), _place(body, city, language)),
        ("", _of(body.get("text"), language)),
        (word("position"), _position(body)),
        (word("officer"), str(body.get("officer") or "")),
        (word("article"), _of(article_of(str(body.get("violation") or "")), language)),
        ("", word(str(body["source"])) if body.get("source") in ("report", "device") else ""),
        (word("handed_over"), str(body.get("handed_over_by") or "")),
    ]
    return Wording(
        headline=_one_line(headline.rstrip(": ")),
        lines=tuple((label, _one_line(value)) for label, value in lines if value),
        links=tuple(_links(body, public_url, language)),
    )


def _of(text: Any, language: str) -> str:
    """A text in that language, else in any."""
    if isinstance(text, dict):
        return str(text.get(language) or next(iter(text.values()), ""))
    return "" if text is None else str(text)


def _place(body: dict[str, Any], city: City, language: str) -> str:
    names = [hca.name.get(language, hca.site_id) for hca in city.hcas if hca.site_id == body.get("site_id")]
    return " ".join(str(part) for part in (*names, body.get("chainage")) if part)


def _position(body: dict[str, Any]) -> str:
    lon, lat = body.get("lon"), body.get("lat")
    if not isinstance(lon, float | int) or not isinstance(lat, float | int):
        return ""
    accuracy = body.get("accuracy_m")
    near = f" ± {accuracy:.0f} m" if isinstance(accuracy, float | int) else ""
    return f"{lat:.6f}, {lon:.6f}{near}"


def _links(body: dict[str, Any], public_url: str | None, language: str) -> list[tuple[str, str]]:
    found = []
    url = str(body.get("url") or "")
    if public_url and url.startswith("/"):
        found.append((_LABELS["details"][language], public_url.rstrip("/") + url))
    lon, lat = body.get("lon"), body.get("lat")
    if isinstance(lon, float | int) and isinstance(lat, float | int):
        # Amap shifts to its own datum (GCJ-02) itself when it is told that the position is WGS84
        map_url = (
            f"https://uri.amap.com/marker?position={lon:.6f},{lat:.6f}&coordinate=wgs84&src=hcawatch"
            if language == "zh"
            else f"https://www.openstreetmap.org/?mlat={lat:.6f}&mlon={lon:.6f}#map=17/{lat:.6f}/{lon:.6f}"
        )
        found.append((_LABELS["map"][language], quote(map_url, safe=":/?&=,#.-")))
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())
