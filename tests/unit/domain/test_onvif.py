"""ONVIF's events as devices really publish them: both shapes of the payload, namespaces, sources in the topic."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.domain.onvif import OnvifError, plain_topic, read_event

FENCE = "RuleEngine/FieldDetector/ObjectsInside"


def payload(**body: Any) -> bytes:
    return msgspec.json.encode({"UtcTime": "2026-11-24T06:00:00.5Z", **body})


@pytest.mark.parametrize(
    ("local", "topic"),
    [
        (FENCE, FENCE),
        (f"{FENCE}/&1/2/Fence", FENCE),
        (f"tns1:{FENCE}", FENCE),
        ("RuleEngine/tns1:FieldDetector/tns1:ObjectsInside/&Fence", FENCE),
        ("Device/tns1:Trigger/tns1:Relay/&Relay-1", "Device/Trigger/Relay"),
    ],
)
def test_a_topic_is_the_same_with_and_without_namespaces(local: str, topic: str) -> None:
    """Makers differ in where the namespace stands, and all put the source behind an ampersand."""
    assert plain_topic(local) == topic
    assert read_event(local, payload()).topic == topic


@pytest.mark.parametrize(
    ("data", "operation", "active"),
    [
        ({"IsInside": "true"}, "Changed", True),
        ({"IsInside": True}, "Changed", True),
        ({"IsInside": "false"}, "Changed", False),
        ({"SimpleItem": [{"Name": "State", "Value": "true"}]}, "Initialized", True),
        ({"SimpleItem": {"Name": "State", "Value": "false"}}, "Initialized", False),
        ({"LogicalState": "inactive"}, "Changed", False),
        ({"ObjectId": "12"}, "", True),  # an event without a state: that it comes is the alarm
        ({"IsInside": "true"}, "Deleted", False),
        (None, "", True),
    ],
)
def test_what_begins_and_what_is_over(data: Any, operation: str, active: bool) -> None:
    """A state that is false, or was deleted, is the end; everything else is an alarm: none is lost for a doubt."""
    body: dict[str, Any] = {"Source": {"Rule": "Fence"}, "Data": data}
    if operation:
        body["PropertyOperation"] = operation
    event = read_event(FENCE, payload(**body))
    assert event.active is active
    assert event.source == {"Rule": "Fence"}
    assert event.at is not None


@pytest.mark.parametrize(
    ("local", "body"),
    [
        ("", b"{}"), ("&1", b"{}"), (FENCE, b""), (FENCE, b"[]"), (FENCE, b"\xff"), (FENCE, b"{" * 5000),
        (FENCE, b'{"UtcTime": "now"}'), (FENCE, b'{"Data": 1}'), (FENCE, b'{"PropertyOperation": "Gone"}'),
        (FENCE, b'{"Data": {"a": "\\u0000"}}'),
        (FENCE, msgspec.json.encode({"Data": {str(n): "x" for n in range(51)}})),
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused_by_name(local: str, body: bytes) -> None:
    """So that it becomes a dead letter with a reason, never a crash."""
    with pytest.raises(OnvifError):
        read_event(local, body)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(
    local=st.text(max_size=60),
    body=st.binary(max_size=60)
    | st.dictionaries(st.sampled_from(["UtcTime", "Source", "Data", "PropertyOperation", "x"]), JSON).map(msgspec.json.encode),
)  # fmt: skip
def test_whatever_comes_is_read_or_refused(local: str, body: bytes) -> None:
    """Anybody who has a device's password can send anything."""
    try:
        event = read_event(local, body)
    except OnvifError:
        return
    assert event.topic
    assert isinstance(event.active, bool)
