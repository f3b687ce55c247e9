"""What judge() takes for a message, and whose number it counts. The first fault decides."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.domain.events import Position, encode, topic
from monitor.ingest.judge import (
    MAX_PAYLOAD_BYTES,
    MAX_SEQ,
    Accepted,
    DeadLetter,
    DeadReason,
    Flag,
    judge,
    read_topic,
)
from tests.doubles.ingest_messages import NOW, arrived, event, evidence, loss, properties, watch

TOPIC = topic("event", "edge-1", "cam-1")  # type: ignore[arg-type]
PAIRS = properties(event(1), encode(event(1))).as_pairs()


def judged(message: Any, payload: bytes | None = None, **numbered: Any) -> Accepted | DeadLetter:
    one = arrived(message, payload, **numbered)
    return judge(one.topic, one.payload, one.pairs, NOW)


@pytest.mark.parametrize("message", [event(1), watch(2), loss(3)])
def test_a_right_message_is_accepted(message: Any) -> None:
    """Each kind of numbered message, unchanged."""
    found = judged(message)
    assert isinstance(found, Accepted)
    assert found.message == message
    assert found.flags == ()


def test_unknown_fields_pass() -> None:
    """An older centre reads a newer edge."""
    assert isinstance(judged(event(1), encode(event(1)).replace(b"{", b'{"new":{"a":[1]},', 1)), Accepted)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"seq": 9}, "seq"),
        ({"epoch": "other"}, "epoch"),
        ({"edge_id": "edge-2"}, "edge"),
        ({"camera_id": "cam-2"}, "camera"),
    ],
)
def test_payload_and_number_must_agree(changes: dict[str, Any], part: str) -> None:
    """What the payload says otherwise than topic or properties is named; the properties' number counts."""
    data = encode(event(**{"seq": 1, **changes}))
    numbered = properties(event(1), data).as_pairs()
    found = judge(TOPIC, data, numbered, NOW)
    assert isinstance(found, DeadLetter)
    assert found.reason is DeadReason.DISAGREES
    assert found.counted
    assert part in found.detail


def test_an_event_cannot_pass_for_a_watch_record() -> None:
    """Neither by its property nor by its topic."""
    for kind, on in (("watch", TOPIC), ("event", topic("watch", "edge-1"))):  # type: ignore[arg-type]
        pairs = [(name, kind if name == "kind" else value) for name, value in PAIRS]
        data = encode(event(1))
        pairs = [
            (name, properties(event(1), data).sha256 if name == "sha256" else value) for name, value in pairs
        ]
        found = judge(on, data, pairs, NOW)
        assert isinstance(found, DeadLetter)
        assert found.reason is DeadReason.DISAGREES


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seq", "0"), ("seq", "-1"), ("seq", "x"), ("seq", str(MAX_SEQ + 1)), ("epoch", ""), ("epoch", "a\nb"),
        ("epoch", "e" * 129), ("kind", "other"), ("sha256", "A" * 64), ("sha256", "a" * 63), ("edge", ""),
    ],
)  # fmt: skip
def test_a_malformed_number_counts_for_nobody(name: str, value: str) -> None:
    """It is kept without a number, under the edge of its topic."""
    found = judge(TOPIC, encode(event(1)), [(n, value if n == name else v) for n, v in PAIRS], NOW)
    assert isinstance(found, DeadLetter)
    assert (found.reason, found.counted, found.edge_id) == (DeadReason.NO_NUMBER, False, "edge-1")


def test_a_missing_property_counts_for_nobody() -> None:
    """Which one is missing is said."""
    for name, _ in PAIRS:
        found = judge(TOPIC, b"{}", [pair for pair in PAIRS if pair[0] != name], NOW)
        assert isinstance(found, DeadLetter)
        assert found.reason is DeadReason.NO_NUMBER
        assert name in found.detail


def test_nobody_numbers_for_another_edge() -> None:
    """A forged number of edge-2 on a topic of edge-1 must not make edge-2 forget its own message."""
    found = judged(event(1), edge_id="edge-2")
    assert isinstance(found, DeadLetter)
    assert (found.reason, found.counted, found.properties) == (DeadReason.FOREIGN_EDGE, False, None)


def test_damaged_bytes_do_not_count() -> None:
    """The edge has the right ones and sends them again."""
    found = judged(event(1), sha256="0" * 64)
    assert isinstance(found, DeadLetter)
    assert (found.reason, found.counted) == (DeadReason.HASH_MISMATCH, False)


@pytest.mark.parametrize(
    ("bytes_", "reason"), [(MAX_PAYLOAD_BYTES, "unreadable"), (MAX_PAYLOAD_BYTES + 1, "too_large")]
)
def test_size_is_limited(bytes_: int, reason: str) -> None:
    """At the limit it is read, above it is not."""
    found = judged(event(1), b" " * bytes_)
    assert isinstance(found, DeadLetter)
    assert (found.reason, found.counted) == (reason, True)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (event(1, confidence=-0.01), "confidence"),
        (event(1, position=Position(lon=180.1, lat=0.0, accuracy_m=1.0)), "lon"),
        (event(1, position=Position(lon=0.0, lat=-90.1, accuracy_m=1.0)), "lat"),
        (event(1, position=Position(lon=0.0, lat=0.0, accuracy_m=-1.0)), "accuracy_m"),
        (event(1, within_band=1.01), "within_band"),
        (event(1, event_id="no uuid"), "event_id"),
        (event(1, episode_id=""), "episode_id"),
        (event(1, track_id=2**63), "track_id"),
        (event(1, camera_id="c" * 129), "camera_id"),
        (event(1, site_id=""), "site_id"),
        (event(1, evidence=(evidence("X"),)), "sha256"),
        (watch(1, camera_id="c" * 129), "camera_id"),
        (loss(1, sha256="../etc/passwd"), "sha256"),
        (event(1, captured_at=datetime(2026, 1, 1)), "time zone"),  # noqa: DTZ001 - that is the fault
        (event(1, captured_at=NOW.replace(year=1969)), "1969"),
        (event(1, captured_at=NOW.replace(year=9999)), "9999"),
        (watch(1, minute=NOW), "minute"),
        (watch(1, span_s=121.0), "span_s"),
        (watch(1, watched_s=-1.0), "watched_s"),
        (watch(1, frames=2**63), "frames"),
        (loss(1, count=-1), "count"),
    ],
)
def test_impossible_values_are_named(message: Any, name: str) -> None:
    """Dead letters whose number counts, since they would come the same again."""
    found = judged(message)
    assert isinstance(found, DeadLetter)
    assert (found.reason, found.counted) == (DeadReason.OUT_OF_RANGE, True)
    assert name in found.detail


def test_numbers_that_are_none_are_unreadable() -> None:
    """NaN and numbers beyond a float never reach a row."""
    for bad in (b"NaN", b"Infinity", b"1e999"):
        found = judged(event(1), encode(event(1, dwell_s=4.25)).replace(b"4.25", bad))
        assert isinstance(found, DeadLetter)
        assert found.reason is DeadReason.UNREADABLE


@pytest.mark.parametrize("depth", [500, 5_000, 50_000])
def test_deep_json_is_judged(depth: int) -> None:
    """In a field that we do not know: read, or a dead letter, and never an end of the process."""
    nested = b'{"new":' + b"[" * depth + b"]" * depth + b","
    found = judged(event(1), encode(event(1)).replace(b"{", nested, 1))
    assert isinstance(found, Accepted) == (depth == 500)


def test_an_odd_clock_is_a_flag() -> None:
    """Both sides of five minutes, and a clock that was never set: no violation is lost for it."""
    for ahead, flags in ((300, ()), (301, (Flag.CAPTURED_IN_FUTURE,))):
        found = judged(event(1, captured_at=NOW + timedelta(seconds=ahead)))
        assert isinstance(found, Accepted)
        assert found.flags == flags
    found = judged(event(1, captured_at=NOW.replace(year=1970)))
    assert isinstance(found, Accepted)
    assert found.flags == (Flag.CLOCK_UNSET,)


def test_a_text_that_only_spells_nul_passes() -> None:
    """A backslash before u0000 is text; a real U+0000 is refused, in unknown fields too."""
    spelled = encode(event(1)).replace(b'"reason":"onset"', b'"reason":"\\\\u0000"')
    real = encode(event(1)).replace(b"{", b'{"new":[{"k\\u0000":1}],', 1)
    assert isinstance(judged(event(1), spelled), Accepted)
    assert isinstance(judged(event(1), real), DeadLetter)


@pytest.mark.parametrize(
    "name",
    [
        "event/edge-1",
        "event/edge-1/",
        "event//cam",
        "watch/edge-1/cam",
        "watch/",
        "receipt/edge-1",
        "",
        "status/",
    ],
)
def test_other_topics_are_none_of_an_edges(name: str) -> None:
    """They are kept as dead letters, never guessed at."""
    assert read_topic(f"hcawatch/v1/{name}") is None
    assert read_topic(name) is None


@settings(max_examples=300, deadline=None)
@given(
    payload=st.binary(max_size=200) | st.text(max_size=80).map(str.encode),
    pairs=st.lists(
        st.tuples(st.sampled_from(["edge", "epoch", "seq", "kind", "sha256", "x"]), st.text(max_size=70))
    ),
    on=st.sampled_from([TOPIC, "hcawatch/v1/watch/edge-1", "x"]),
)
def test_no_bytes_make_judge_fail(payload: bytes, pairs: list[tuple[str, str]], on: str) -> None:
    """Whatever arrives is judged."""
    judge(on, payload, pairs, NOW)
    judge(on, payload, properties(event(1), payload).as_pairs(), NOW)
