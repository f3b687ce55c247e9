"""Who is let in by GB/T 28181, who fell silent, and what an alarm means: decisions, without a network."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from monitor.domain import manscdp
from monitor.ingest.gb28181.alarms import judge_alarm
from monitor.ingest.gb28181.hearing import AGAIN_AFTER, Hearing
from monitor.ingest.gb28181.registrar import MANY, STRANGERS_TOLD, TRIES, Answer, Registrar
from monitor.ingest.judge import DeadLetter, DeadReason
from monitor.sip.digest import credentials
from monitor.sip.endpoint import Peer
from monitor.sip.messages import Request
from tests.doubles.gb_device import (
    INPUT_ID,
    MODERN,
    NVR,
    PASSWORD,
    SHANGHAI,
    alarm_xml,
    gb_centre,
    mapped,
)

NOON = datetime(2026, 11, 30, 4, 0, tzinfo=UTC)
HOME = Peer("UDP", "192.0.2.11", 5060)
URI = "sip:34020000002000000001@3402000000"
STRANGER = "34020000001320000099"


def registrar(**passwords: str) -> Registrar:
    return Registrar(gb_centre("c1"), passwords or {NVR: PASSWORD, MODERN: PASSWORD})


def asking(method: str = "REGISTER", who: str = NVR, *more: tuple[str, str]) -> Request:
    own = f"<sip:{who}@3402000000>"
    named = {name for name, _ in more}
    rest = tuple(
        pair for pair in (("From", f"{own};tag=1"), ("To", own), ("Expires", "3600")) if pair[0] not in named
    )
    return Request(method=method, uri=URI, headers=(*rest, *more))


def proven(door: Registrar, who: str = NVR, password: str = PASSWORD, now: datetime = NOON, *more: tuple[str, str],
           method: str = "REGISTER", peer: Peer = HOME) -> Answer:  # fmt: skip
    on = door.on_register if method == "REGISTER" else door.on_message
    first = on(asking(method, who), peer, now)
    asks = tuple(value for name, value in first.headers if name == "WWW-Authenticate")
    if first.status != 401:
        return first
    proof = credentials(asks, who, password, method, URI)
    assert proof is not None
    return on(asking(method, who, ("Authorization", proof), *more), peer, now)


@pytest.mark.parametrize("who", [NVR, MODERN])
def test_a_device_registers_for_as_long_as_it_says(who: str) -> None:
    """MD5 and SHA-256, as the configuration says for each; the answer tells the centre's local time (9.10)."""
    door = registrar()
    answer = proven(door, who)
    assert (answer.status, answer.let_in) == (200, who)
    assert dict(answer.headers)["Date"] == "2026-11-30T12:00:00.000"
    assert answer.registration is not None
    assert answer.registration.expires_at == NOON + timedelta(seconds=3600)
    assert door.on_message(asking("MESSAGE", who), HOME, NOON).status == 200
    assert door.on_message(asking("MESSAGE", who), HOME, NOON + timedelta(seconds=3600)).status == 401
    kept = Registrar(gb_centre("c1"), {}, [answer.registration])
    assert kept.on_message(asking("MESSAGE", who), HOME, NOON).status == 200, (
        "a restart of the centre makes no strangers"
    )


def test_a_message_counts_only_from_where_the_device_is() -> None:
    """Somebody else in the network who writes the device's id into From is asked to prove it."""
    door = registrar()
    proven(door)
    elsewhere = Peer("UDP", "192.0.2.66", 5060)
    assert door.on_message(asking("MESSAGE"), elsewhere, NOON).status == 401
    assert proven(door, method="MESSAGE", peer=elsewhere).status == 200, "with the password it is the device"
    assert door.on_message(asking("MESSAGE", MODERN), HOME, NOON).status == 401


def test_wrong_passwords_are_counted_and_told_once() -> None:
    """After five in five minutes no more are looked at from there; the right device elsewhere is not kept out."""
    door = registrar()
    answers = [proven(door, password="guess") for _ in range(TRIES + 3)]
    assert [a.status for a in answers] == [403] * (TRIES + 3)
    assert [a.refused.subject for a in answers if a.refused] == [NVR]
    assert dict(answers[-1].headers)["Retry-After"].isdigit()
    assert proven(door).status == 403, "the right password, too, has to wait there"
    assert proven(door, peer=Peer("UDP", "192.0.2.12", 5060)).status == 200
    assert proven(door, now=NOON + timedelta(minutes=5, seconds=1)).status == 200


def test_messages_without_proof_lock_nobody_out() -> None:
    """A device with a new address goes on with signs of life: told to a person, and the right password gets in at once."""
    door = registrar()
    answers = [door.on_message(asking("MESSAGE"), HOME, NOON) for _ in range(TRIES + 3)]
    assert [a.status for a in answers] == [401] * (TRIES + 3)
    assert [a.refused.subject for a in answers if a.refused] == [NVR]
    assert proven(door).status == 200
    assert proven(door, method="MESSAGE", peer=Peer("UDP", "192.0.2.12", 5060)).status == 200


def test_strangers_are_counted_by_address() -> None:
    """Whatever they call themselves."""
    door = registrar()
    answers = [
        door.on_register(asking(who=f"340200000013200001{n:02}"), HOME, NOON) for n in range(TRIES + 1)
    ]
    assert [a.status for a in answers] == [404] * TRIES + [403]
    assert [a.refused.subject for a in answers if a.refused] == [HOME.host]
    assert door.on_register(asking(who="nobody"), Peer("UDP", "192.0.2.67", 1), NOON).status == 400
    assert door.on_message(asking("MESSAGE", STRANGER), Peer("UDP", "192.0.2.68", 1), NOON).status == 404


def test_a_flood_of_strangers_is_one_alert() -> None:
    """Forged datagrams of thousands of addresses must not bury the control room; the next ten minutes are told anew."""
    door = registrar()

    def flood(now: datetime) -> list[str]:
        answers = [
            door.on_register(asking(who=STRANGER), Peer("UDP", f"198.51.{n // 250}.{n % 250}", 1), now)
            for n in range(500)
            for _ in range(TRIES)
        ]
        return [a.refused.subject for a in answers if a.refused]

    first = flood(NOON)
    assert (len(first), first[-1]) == (STRANGERS_TOLD + 1, MANY)
    assert len(flood(NOON + timedelta(minutes=11))) == STRANGERS_TOLD + 1


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (("Expires", "0"), 200),
        (("Expires", "soon"), 400),
        (("Expires", "99999999"), 200),
        (("From", f"<sip:{MODERN}@3402000000>;tag=1"), 403),
    ],
)
def test_odd_registrations(more: tuple[str, str], status: int) -> None:
    """Logging off; no number; a year; for somebody else."""
    door = registrar()
    answer = proven(door, NVR, PASSWORD, NOON, more)
    assert answer.status == status
    if more == ("Expires", "0"):
        assert answer.gone == NVR
        assert door.on_message(asking("MESSAGE"), HOME, NOON).status == 401
    if answer.registration is not None:
        assert answer.registration.expires_at == NOON + timedelta(days=1)


def test_a_device_without_a_password_here_is_refused() -> None:
    """Never let in because a secret could not be read."""
    door = registrar(**{MODERN: PASSWORD})
    assert proven(door).status == 403
    assert proven(door, password="").status == 403


# ---------------------------------------------------------------- silence
def test_a_device_that_stays_away_is_told_and_taken_back() -> None:
    """Also one that never came; each change once, and once more a minute later."""
    hearing = Hearing([NVR, MODERN], timedelta(seconds=180), NOON)

    def at(seconds: float) -> list[tuple[str, bool]]:
        now = NOON + timedelta(seconds=seconds)
        found = hearing.changes(now)
        for change in found:
            hearing.told(change, now)
        return [(change.gb_id, change.silent) for change in found]

    hearing.heard(NVR, NOON + timedelta(seconds=10))
    assert at(20) == [(NVR, False)]
    assert at(179) == [(NVR, False)], "once more"
    assert at(181) == [(MODERN, True)]
    assert at(191) == [(NVR, True)]
    assert at(192) == []
    hearing.heard(NVR, NOON + timedelta(seconds=200))
    assert at(200) == [(NVR, False)]
    assert (NVR, False) in at(200 + AGAIN_AFTER.total_seconds())


# ---------------------------------------------------------------- alarms
def judged(
    change: Callable[[bytes], bytes] = lambda body: body,
    at: datetime = NOON,
    received: datetime = NOON,
    **more: Any,
) -> Any:
    told = manscdp.read(change(alarm_xml(at, **more)))
    sender = gb_centre("c1").devices[0]
    return judge_alarm(manscdp.alarm_of(told, SHANGHAI), "call 1", sender, mapped("c1"), received)


def test_an_alarm_is_mapped_and_known_again() -> None:
    """SN and time name it, however often and however it comes; the next one is of the same condition."""
    one, again, other = judged(), judged(received=NOON + timedelta(seconds=40)), judged(sn=2)
    assert (one.camera_id, one.violation, one.active, one.at) == ("c1", "on_pipe", True, NOON)
    assert "区域入侵" in one.said
    assert one.message_key == again.message_key != other.message_key
    assert one.device_key == other.device_key
    assert judged(device_id=INPUT_ID, info="", method=2).violation == "valve_operated"


@pytest.mark.parametrize(
    ("off", "believed"),
    [(timedelta(hours=23), True), (timedelta(hours=25), False), (-timedelta(minutes=6), False)],
)
def test_a_devices_clock_is_believed_only_so_far(off: timedelta, believed: bool) -> None:
    """As of any device. What a wrong clock says does not make tomorrow's alarm one that came already."""
    one = judged(at=NOON - off)
    assert one.at == (NOON - off if believed else NOON)
    same_words = judged(at=NOON - off, received=NOON + timedelta(seconds=1))
    assert (one.message_key == same_words.message_key) is believed


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"device_id": "34020000001310000008"}, DeadReason.UNKNOWN_DEVICE),
        ({"info": "<Info><AlarmType>2</AlarmType></Info>"}, DeadReason.UNMAPPED_EVENT),
        ({"method": 6}, DeadReason.UNMAPPED_EVENT),
    ],
)
def test_nothing_is_dropped_in_silence(more: dict[str, Any], reason: DeadReason) -> None:
    """Each is a dead letter with its reason."""
    letter = judged(**more)
    assert isinstance(letter, DeadLetter)
    assert letter.reason is reason
    assert msgspec.json.encode(letter)
