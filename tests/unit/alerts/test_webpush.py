"""Web Push: the standard's own example, and what a notification may say."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from alerts.channels.parcel import Parcel
from alerts.channels.wording import Wording
from alerts.webpush.delivery import notification
from alerts.webpush.sealing import (
    MOST_BYTES,
    RECORD_BYTES,
    BrowserKeys,
    PushKeyError,
    Sender,
    b64,
    load_or_create,
    new_key_pem,
    seal,
    unb64,
)

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
# RFC 8291, appendix A
PLAIN = b"When I grow up, I want to be a watermelon"
AS_PRIVATE = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
UA_PUBLIC = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
SALT, AUTH = "DGv6ra1nlYgDCS1FRnbzlw", "BTBZMqHH6r4Tts7J_aSIgg"
SEALED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
    "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_the_standards_example() -> None:
    """A browser that follows RFC 8291 reads what we send, else nobody is notified and nothing says so."""
    ours = ec.derive_private_key(int.from_bytes(unb64(AS_PRIVATE), "big"), ec.SECP256R1())
    keys = BrowserKeys.read(UA_PUBLIC, AUTH)
    assert b64(seal(PLAIN, keys, ours, unb64(SALT))) == SEALED


@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [
        ("", AUTH),
        (UA_PUBLIC, ""),
        (UA_PUBLIC[:-4], AUTH),
        ("A" * 87, AUTH),
        (UA_PUBLIC, AUTH + "AAAA"),
        ("ü" * 87, AUTH),
    ],
)
def test_what_is_no_key_of_a_browser_is_refused(p256dh: str, auth: str) -> None:
    """It would fail at the first dispatch instead of when the officer turns notifications on."""
    with pytest.raises(PushKeyError):
        BrowserKeys.read(p256dh, auth)


def test_the_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    """With another key all subscriptions would be void."""
    path = tmp_path / "secrets" / "push-key"
    pem = load_or_create(path)
    assert load_or_create(path) == pem
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Sender.of_pem(pem, "mailto:a@b").public == Sender.of_pem(pem, "mailto:a@b").public
    for wrong in ("", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"):
        with pytest.raises(PushKeyError):
            Sender.of_pem(wrong, "mailto:a@b")


def test_a_token_names_the_service_and_ends_within_a_day() -> None:
    """Push services refuse others (RFC 8292)."""
    sender = Sender.of_pem(new_key_pem(), "mailto:room@example.org")
    value = sender.authorization("https://push.example.net:8443/send/abc?x=1", NOW)
    claims = json.loads(unb64(value.removeprefix("vapid t=").split(".")[1]))
    assert claims["aud"] == "https://push.example.net:8443"
    assert 0 < claims["exp"] - NOW.timestamp() <= 24 * 3600


@given(
    title=st.text(),
    place=st.text(max_size=3000),
    url=st.sampled_from(["/field/1", "//evil.example", "https://evil.example", ""]),
)
def test_any_message_fits_and_leads_nowhere_else(title: str, place: str, url: str) -> None:
    """A push that is too long is refused by the service; a link to elsewhere would be opened on a tap."""
    parcel = Parcel(
        address="li.wei",
        key="k",
        body={"what": "dispatch", "alert_id": "1", "url": url},
        payload=b"",
        language="zh",
        now=NOW,
    )
    message = notification(parcel, Wording(headline=title, lines=(("Place", place),), links=()))
    assert len(message) <= MOST_BYTES
    shown = json.loads(message)
    assert shown["url"] in ("/field/1", "/field")
    assert shown["urgent"]
    keys = BrowserKeys.read(UA_PUBLIC, AUTH)
    assert len(seal(message, keys)) <= RECORD_BYTES
