"""One message that says that it is a test."""

import uuid
from datetime import datetime
from typing import Any

import msgspec

from alerts.channels.parcel import Deliver, Parcel
from monitor.domain.assets import Channel


def trial_body(key: str, now: datetime) -> dict[str, Any]:
    """What is sent: nothing to do, and nothing that looks like an alert."""
    return {
        "idempotency_key": key,
        "what": "test",
        "title": {"en": "hcawatch: this channel works", "zh": "hcawatch：渠道可用"},
        "alert_id": key,
        "n": 1,
        "at": now.isoformat(),
    }


def trial(deliver: Deliver, channel: Channel, address: str, now: datetime) -> None:
    """Sends it. Raises what the channel raises."""
    key = f"test-{uuid.uuid4()}"
    body = trial_body(key, now)
    payload = msgspec.json.encode(body)
    deliver(Parcel(address=address, key=key, body=body, payload=payload, language=channel.language, now=now))
