"""Alerts as Common Alerting Protocol 1.2 (OASIS, CAP-v1.2-os; ITU-T X.1303): Alert, Update, Cancel with references.

Identifiers come from the alert and its transition, so the same message has the same identifier however often it is
sent. A made-up city and simulated footage are an Exercise. Written with the standard library; a test validates
against the schema that OASIS publishes.
"""

import xml.etree.ElementTree as ET
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from alerts.channels.parcel import Parcel
from alerts.channels.posting import Poster, judge
from alerts.channels.webhook import signed_headers
from alerts.channels.wording import wording
from monitor.domain.assets import Channel, City

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
_TONGUES = (("zh", "zh-CN"), ("en", "en-US"))
_TYPES = {"opened": "Alert", "changed": "Update", "closed": "Cancel", "test": "Alert"}
#: urgency and severity by level
_GRADES = {
    "I": ("Immediate", "Extreme"), "II": ("Expected", "Severe"), "III": ("Future", "Moderate"), "IV": ("Future", "Minor"),
}  # fmt: skip
_CERTAINTY = {"confirmed": "Observed", "pending": "Possible", "refuted": "Unlikely"}
#: a circle of at least this around a position that may be off (CAP knows kilometres)
_LEAST_RADIUS_KM = 0.05


def identifier(alert_id: str, n: int) -> str:
    """Of the message about the alert's n-th transition: no spaces, commas, < or & (CAP 3.2.1)."""
    return f"{alert_id}.{n}"


def sent_text(at: datetime) -> str:
    """As CAP wants it: whole seconds, the offset in digits, never Z."""
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (at.strftime("%z")[:3] + ":" + at.strftime("%z")[3:])


def cap_xml(body: dict[str, Any], city: City, sender: str, public_url: str | None) -> bytes:
    """The message `body` (alerts/news.py) as a CAP document."""
    at = datetime.fromisoformat(str(body["at"]))
    what = str(body["what"])
    alert = ET.Element("alert", xmlns=NAMESPACE)

    def add(parent: ET.Element, name: str, text: str) -> None:
        ET.SubElement(parent, name).text = _allowed(text)

    drill = city.made_up or body.get("footage") == "simulated"
    add(alert, "identifier", identifier(str(body["alert_id"]), int(body["n"])))
    add(alert, "sender", sender)
    add(alert, "sent", sent_text(at))
    add(alert, "status", "Test" if what == "test" else "Exercise" if drill else "Actual")
    add(alert, "msgType", _TYPES.get(what, "Update"))
    add(alert, "scope", "Private")
    add(alert, "addresses", sender)
    if body.get("closing_reason"):
        add(alert, "note", str(body["closing_reason"]))
    if earlier := body.get("earlier"):
        add(alert, "references", " ".join(
            f"{sender},{identifier(str(body['alert_id']), int(n))},{sent_text(datetime.fromisoformat(when))}"
            for n, when in earlier
        ))  # fmt: skip
    add(alert, "incidents", str(body["alert_id"]))
    urgency, severity = _GRADES.get(str(body.get("level")), ("Unknown", "Unknown"))
    for tongue, code in _TONGUES:
        words = wording(body, city, public_url, tongue)
        info = ET.SubElement(alert, "info")
        add(info, "language", code)
        add(info, "category", "Infra")
        title = body.get("title") or {}
        add(info, "event", str(title.get(tongue) or words.headline))
        add(info, "responseType", "AllClear" if what == "closed" else "Assess")
        add(info, "urgency", "Past" if what == "closed" else urgency)
        add(info, "severity", severity)
        add(info, "certainty", _CERTAINTY.get(str(body.get("confirmation")), "Possible"))
        add(info, "headline", words.headline[:160])
        add(info, "description", "\n".join(f"{a}: {b}" if a else b for a, b in words.lines) or words.headline)
        if words.links and public_url:
            add(info, "web", words.links[0][1])
        for name in ("level", "violation", "number", "state", "source"):
            if body.get(name):
                parameter = ET.SubElement(info, "parameter")
                add(parameter, "valueName", f"hcawatch.{name}")
                add(parameter, "value", str(body[name]))
        area = ET.SubElement(info, "area")
        add(area, "areaDesc", (words.lines[0][1] if words.lines else "") or str(city.name.get(tongue, "")))
        if body.get("lon") is not None and body.get("lat") is not None:
            radius_km = max(_LEAST_RADIUS_KM, float(body.get("accuracy_m") or 0.0) * 2 / 1000)
            add(area, "circle", f"{float(body['lat']):.6f},{float(body['lon']):.6f} {radius_km:.3f}")
    document: bytes = ET.tostring(alert, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + document


def _allowed(text: str) -> str:
    """Without the characters that XML 1.0 can't hold."""
    return "".join(
        c for c in text if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff"
    )


class Cap:
    """One system that takes CAP; signed as a webhook is, where a secret is given."""

    def __init__(
        self,
        channel: Channel,
        city: City,
        url: str,
        secrets: str | None,
        public_url: str | None,
        poster: Poster,
    ) -> None:
        self._channel, self._city, self._url = channel, city, url
        self._secrets, self._public_url, self._poster = secrets or "", public_url, poster

    def __call__(self, parcel: Parcel) -> None:
        document = cap_xml(parcel.body, self._city, self._channel.sender or "hcawatch", self._public_url)
        headers = signed_headers(self._secrets, parcel.key, document, parcel.now)
        if not self._secrets:
            headers = {name: value for name, value in headers.items() if value and name == "Idempotency-Key"}
        headers = {"Content-Type": "application/cap+xml; charset=utf-8", **headers}
        answer = self._poster.post(self._url, headers, document, repeatable=True)
        judge(answer, urlsplit(self._url).hostname or "", parcel.now)
