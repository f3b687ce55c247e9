"""Ids and messages of GB/T 28181: what real devices send is understood, what is none is said, nothing else is raised."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.domain import manscdp
from monitor.domain.gb_ids import GbIdError, read_gb_id
from monitor.domain.manscdp import ManscdpError

SHANGHAI = ZoneInfo("Asia/Shanghai")
GATE = "34020000001310000007"
ALARM = f"""<?xml version="1.0" encoding="GB2312"?>
<Notify>
<CmdType>Alarm</CmdType>
<SN>51</SN>
<DeviceID>{GATE}</DeviceID>
<AlarmPriority>4</AlarmPriority>
<AlarmTime>2026-11-30T19:20:14</AlarmTime>
<AlarmMethod>5</AlarmMethod>
<AlarmDescription>区域入侵</AlarmDescription>
<Longitude>121.5</Longitude><Latitude>31.2</Latitude>
<Info><AlarmType>6</AlarmType><AlarmTypeParam><EventType>1</EventType></AlarmTypeParam></Info>
</Notify>"""


def test_an_id_tells_its_parts() -> None:
    """What a person compares with the device's sticker."""
    found = read_gb_id(GATE)
    assert (found.centre, found.industry, found.type_code, found.serial, found.domain) == (
        "34020000", "00", 131, "0000007", "3402000000",
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "3402000000131000000", GATE + "1", "3402000000131000000a", "３" * 20, "34020000000010000007"]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    """One digit short is another camera."""
    with pytest.raises(GbIdError):
        read_gb_id(text)


@pytest.mark.parametrize(
    "body",
    [
        b"<Notify>" + b" " * 31_000 + b"</Notify>",
        b"<Notify>" + b"\n" * 31_000 + b"</Notify>",
        b"<?xml" * 6_000,
        b"x" + b"<?xml" * 6_000,
    ],
)
def test_no_body_makes_the_centre_stand_still(body: bytes) -> None:
    """One datagram must not hold all threads: CPU time of this thread, whatever else the machine does."""
    begun = time.thread_time()
    with pytest.raises(ManscdpError):
        manscdp.read(body)
    assert time.thread_time() - begun < 0.3


@pytest.mark.parametrize("charset", ["utf-8", "gb2312", "gb18030", "utf-8-sig"])
@pytest.mark.parametrize(
    "head", ["<?xml version='1.0' encoding='GB2312'?>", '<?xml version="1.0" encoding-"gb2312"?>', ""]
)
def test_whatever_a_device_declares_its_words_are_read(charset: str, head: str) -> None:
    """Declared and sent character sets differ in practice; the description is what a person reads."""
    text = head + ALARM.partition("?>")[2]
    alarm = manscdp.alarm_of(manscdp.read(text.encode(charset)), SHANGHAI)
    assert (alarm.description, alarm.topic, alarm.device_id, alarm.sn) == (
        "区域入侵",
        "gb28181/5/6/1",
        GATE,
        "51",
    )
    assert alarm.at == datetime(2026, 11, 30, 11, 20, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "topic"),
    [
        ("<Info><AlarmType>6</AlarmType><AlarmTypeParam><EventType>1</EventType></AlarmTypeParam></Info>", "", "gb28181/5"),
        ("<Info><AlarmType>6</AlarmType><AlarmTypeParam><EventType>1</EventType></AlarmTypeParam></Info>", "<Info/>", "gb28181/5"),
        ("<EventType>1</EventType>", "", "gb28181/5/6"),
        ("<AlarmType>6</AlarmType>", "", "gb28181/5/0/1"),
        ("<Info>", "<Info><AlarmType>2</AlarmType></Info><Info>", "gb28181/5/2/1"),
        ("CmdType>", "cmdType>", "gb28181/5/6/1"),
        ("<AlarmMethod>5<", "<AlarmMethod> 05 <", "gb28181/5/6/1"),
    ],
)  # fmt: skip
def test_what_devices_leave_out(old: str, new: str, topic: str) -> None:
    """A missing tag is no missing alarm."""
    assert old in ALARM
    told = manscdp.read(ALARM.replace(old, new).encode())
    assert manscdp.alarm_of(told, SHANGHAI).topic == topic


def test_a_time_that_is_none_is_no_reason_to_lose_an_alarm() -> None:
    """Then the time of arrival counts, elsewhere."""
    for text in ("", "yesterday", "2026-13-45T99:99:99", "0001-01-01T00:00:00"):
        told = manscdp.read(ALARM.replace("2026-11-30T19:20:14", text).encode())
        assert manscdp.alarm_of(told, SHANGHAI).at is None
    told = manscdp.read(ALARM.replace("19:20:14", "11:20:14Z").encode())
    assert manscdp.alarm_of(told, SHANGHAI).at == datetime(2026, 11, 30, 11, 20, 14, tzinfo=UTC)


BOMB = '<!DOCTYPE b [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\x00", b"\xff\xfe<", b"no xml", b"<Notify>", b"<Notify/>",
        (BOMB + ALARM.partition("?>")[2]).encode(),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><Notify/>',
        ALARM.replace(GATE, "1").encode(),
        b"<a>" * 30_000,
        ("<Notify>" + "<x/>" * 5000 + "</Notify>").encode(),
        b"<Notify>" + b" " * 40_000 + b"</Notify>",
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_so(body: bytes) -> None:
    """Bombs, outside entities, depth, size: one kind of error, at once."""
    with pytest.raises(ManscdpError):
        manscdp.read(body)


@given(
    st.binary(max_size=300)
    | st.text(max_size=300).map(lambda t: f"<Notify>{t}</Notify>".encode("utf-8", "replace"))
)
def test_any_bytes_are_a_message_or_an_error(body: bytes) -> None:
    """Nothing that a stranger sends ends the door."""
    try:
        told = manscdp.read(body)
        manscdp.alarm_of(told, SHANGHAI)
    except ManscdpError:
        pass


@given(st.text(max_size=100), st.integers(1, 2**31 - 1))
@example("\u2015 \u30fb", 1)
def test_what_we_write_we_read(description: str, sn: int) -> None:
    """Any words of an alert, in the character set of 2016."""
    xml = manscdp.notify_alarm(
        sn=sn, device_id=GATE, priority=1, method=5, at=datetime(2026, 11, 30, 11, 0, tzinfo=UTC), zone=SHANGHAI,
        description=description, place=(121.5, 31.25), type_code=6,
    )  # fmt: skip
    alarm = manscdp.alarm_of(manscdp.read(xml), SHANGHAI)
    assert (alarm.sn, alarm.topic, alarm.at_text) == (str(sn), "gb28181/5/6", "2026-11-30T19:00:00")
    kept = "".join(
        c
        for c in description
        if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff"
    )
    assert alarm.description.split() == kept.replace("\r\n", "\n").replace("\r", "\n").strip().split()


def test_the_most_precise_row_of_the_table_counts() -> None:
    """A whole method can be mapped, and one event of it otherwise."""
    assert manscdp.topics_of("gb28181/5/6/1") == ("gb28181/5/6/1", "gb28181/5/6", "gb28181/5")
    assert [t for t in ("gb28181/5", "gb28181/5/6/1", "gb28181/05", "gb28181", "gb28181/5/6/1/2", "GB28181/5")
            if manscdp.is_topic(t)] == ["gb28181/5", "gb28181/5/6/1"]  # fmt: skip
