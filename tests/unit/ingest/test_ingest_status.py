"""What edges say of themselves, read strictly."""

from datetime import datetime, timedelta, timezone

import pytest

from monitor.domain.events import CameraState, CameraStatus, encode
from monitor.ingest.status import changed_cameras, read_online, read_status
from tests.doubles.ingest_messages import NOW, status


def test_a_status_is_read() -> None:
    """As it was sent."""
    sent = status(last_seq=7, cameras={"c": CameraStatus(state=CameraState.DARK, since=NOW)})
    assert read_status(encode(sent), "edge-1") == sent


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "not a status"),
        (b"[" * 100_000, "not a status"),
        (encode(status(edge_id="edge-2")), "edge-2"),
        (encode(status(last_seq=-1)), "last_seq"),
        (encode(status()).replace(b"Z", b""), "time zone"),
        # before the year 1 in UTC: stored, it could never be read again, nor any later status of this edge
        (encode(status(at=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=8))))), "year 1"),
    ],
)
def test_a_wrong_status_is_named(payload: bytes, said: str) -> None:
    """A status on another edge's topic above all."""
    with pytest.raises(ValueError, match=said):
        read_status(payload, "edge-1")


@pytest.mark.parametrize(
    ("payload", "online"),
    [(b'{"online": true}', True), (b'{"online":false,"at":"x"}', False), (b"online", True), (b"0", False)],
)
def test_online_is_read_as_json_or_word(payload: bytes, online: bool) -> None:
    """A last will is written once and must be understood."""
    assert read_online(payload) is online


def test_online_is_never_guessed() -> None:
    """Anything else is an error."""
    for payload in (b"", b"maybe", b'{"online": 1}', b"\xff"):
        with pytest.raises(ValueError, match="neither online nor offline"):
            read_online(payload)


def test_only_another_state_is_a_change() -> None:
    """A new time or reason in the same state is none; a camera never heard of is one."""
    said = {
        name: CameraStatus(state=CameraState.STREAMING, since=NOW, reason="new")
        for name in ("same", "other", "new")
    }
    assert set(changed_cameras({"same": "streaming", "other": "dark"}, status(cameras=said))) == {
        "other",
        "new",
    }
