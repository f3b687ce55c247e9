"""The loop's messages by its channels, against a real database and real servers on loopback."""

from __future__ import annotations

import email
import email.policy
import json
import queue
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
import pytest

from alerts.channels.building import deliveries
from alerts.channels.desk import Desk
from alerts.channels.failures import ChannelError
from alerts.channels.mail import Mail
from alerts.channels.parcel import Deliver, Parcel
from alerts.channels.states import MemoryChannelStates, PostgresChannelStates
from alerts.channels.webhook import signature
from alerts.channels.wording import wording
from alerts.courier import Courier
from alerts.engine import AlertEngine
from alerts.lifecycle import AlertKind, State, Step
from alerts.reasons import Health
from hcawatch.config.channel_secrets import ChannelSecret
from monitor.domain.assets import Channel, City, GatewayRequest
from monitor.ingest.embedded_broker import EmbeddedBroker
from monitor.store.pool import make_pool
from tests.doubles.alert_seeds import SeededPostgresBook
from tests.doubles.alert_story import CITY, NOON, OPERATOR, at_metres, event, officer
from tests.doubles.receivers import LOOPBACK, FakeRobot, Got, Mailbox, Receiver, Reply, dribbling

SECRET = "0123456789abcdef"
KEYS = {"secret": SECRET}


@pytest.fixture
def book(postgres_dsn: str) -> Iterator[SeededPostgresBook]:
    with make_pool(postgres_dsn, "test", min_size=1, max_size=6) as pool:
        yield SeededPostgresBook(pool)


def city(*channels: Channel, **contacts: str) -> City:
    """The test city with channels; every officer has `contacts`, each with a name in them."""
    teams = []
    for team in CITY.teams:
        members = tuple(
            msgspec.structs.replace(
                m, language="en", contacts={c: a.format(user=m.user) for c, a in contacts.items()}
            )
            for m in team.members
        )
        teams.append(msgspec.structs.replace(team, members=members))
    return msgspec.structs.replace(CITY, channels=channels, teams=tuple(teams))


class Town:
    """Engine, desk and courier of one city on one clock."""

    def __init__(
        self, book: SeededPostgresBook, its: City, kinds: dict[str, Deliver] | None = None, **secrets: str
    ) -> None:
        self.book, self.now = book, NOON
        self.engine = AlertEngine(book, its)
        given = {
            c.channel_id: ChannelSecret(url=secrets.get(c.channel_id), secret=SECRET) for c in its.channels
        }
        self.topics: list[tuple[str, bytes]] = []
        kinds = {**deliveries(its, given, "https://watch.example", self._publish), **(kinds or {})}
        self.states = PostgresChannelStates(book.pool)
        # its own clock for what other couriers did: looked at anew each time
        self._ticks = 0.0
        self.desk = Desk(its, kinds, self.states, lambda: self.now, self._tick)
        self.courier = Courier(
            book, {"mqtt": self._publish, **self.desk.sends}, self.engine, jitter=lambda: 0.0, desk=self.desk
        )

    def _tick(self) -> float:
        self._ticks += 10.0
        return self._ticks

    def _publish(self, topic: str, payload: bytes, retain: bool) -> None:
        self.topics.append((topic, payload))

    def happens(self, n: int = 0) -> str:
        """A level I alert opens at once, and its officer is sent; returns its id."""
        self.book.add_event(event(episode=f"e{n}", position=at_metres(200.0 * n, 3)), self.now)
        self.engine.take_work(self.now)
        return self.engine.list_alerts(kind=AlertKind.VIOLATION)[0].alert.alert_id

    def deliver(self, after_s: float = 0.0) -> int:
        self.now += timedelta(seconds=after_s)
        return self.courier.deliver(self.now)

    def health(self, *, running: bool | None = True) -> list[tuple[str, State]]:
        rows = self.engine.list_alerts(kind=AlertKind.HEALTH, running=running)
        assert all(row.alert.health == Health.UNDELIVERABLE for row in rows)
        return [(row.alert.subject, row.alert.state) for row in rows]


def hook(receiver: Receiver, **more: Any) -> Channel:
    settings: dict[str, Any] = {"channel_id": "webhook", "kind": "webhook", "url": receiver.url + "/in",
                                "networks": LOOPBACK, "sends": ("dispatches",), **more}  # fmt: skip
    return Channel(**settings)


def failing(*statuses: int, headers: dict[str, str] | None = None) -> Callable[[Got], Reply]:
    """Answers these statuses one after the other, then 200."""
    left = list(statuses)
    return lambda _: (left.pop(0), headers or {}, b"{}") if left else (200, {}, b"{}")


# ---------------------------------------------------------------- webhook
def test_a_dispatch_reaches_a_webhook_signed_and_with_its_key(book: SeededPostgresBook) -> None:
    """The receiver can tell that it is ours, when it was sent, and that it had it before."""
    with Receiver() as receiver:
        town = Town(book, city(hook(receiver)))
        town.happens()
        assert town.deliver() == 2, "MQTT and the webhook"
        (got,) = receiver.got
        stamp = got.headers["hcawatch-timestamp"]
        assert int(stamp) == int(NOON.timestamp())
        assert got.headers["hcawatch-signature"] == signature(SECRET, stamp, got.body)
        assert (
            got.headers["idempotency-key"]
            == got.json["idempotency_key"]
            == json.loads(town.topics[0][1])["idempotency_key"]
        )
        assert (got.json["what"], got.json["officer"], got.json["level"]) == ("dispatch", "ann", "I")


def test_a_webhook_that_is_away_gets_it_later_once(book: SeededPostgresBook) -> None:
    """503, then 200: one delivery more, no alert, and MQTT did not wait for it."""
    with Receiver(failing(503, 503)) as receiver:
        town = Town(book, city(hook(receiver)))
        town.happens()
        town.deliver()
        assert len(town.topics) == 1
        assert town.deliver() == 0, "backs off"
        for _ in range(3):
            town.deliver(after_s=10.0)
        assert len(receiver.got) == 3
        assert len({got.headers["idempotency-key"] for got in receiver.got}) == 1
        assert town.health(running=None) == []


def test_429_holds_the_channel_as_long_as_it_asks(book: SeededPostgresBook) -> None:
    """Nothing is sent meanwhile, nothing is lost, and it is no failure."""
    with Receiver(failing(429, headers={"Retry-After": "120"})) as receiver:
        town = Town(book, city(hook(receiver)))
        town.happens(0)
        town.happens(1)
        town.deliver()
        assert town.deliver(after_s=119.0) == 0
        assert len(receiver.got) == 1
        assert town.deliver(after_s=2.0) == 2
        assert [
            row["attempts"] for row in book.run("SELECT attempts FROM outgoing WHERE channel = 'webhook'")
        ] == [1, 1]


@pytest.mark.parametrize("asks", [{}, {"Retry-After": "3600"}])
def test_a_channel_that_only_says_not_now_is_taken_over_from(
    book: SeededPostgresBook, asks: dict[str, str]
) -> None:
    """Else the officer never hears of it, and nobody hears that he does not."""
    with Receiver(lambda _: (429, asks, b"")) as receiver, Receiver() as other:
        second = hook(other, channel_id="second", sends=())
        town = Town(book, city(hook(receiver, fallback="second"), second))
        town.happens()
        for _ in range(11):
            town.deliver(after_s=60.0)
        assert len(other.got) == 1
        assert town.health(running=None) == []


@pytest.mark.parametrize("asks", [{}, {"Retry-After": "3600"}])
def test_a_channel_that_only_says_not_now_is_said_where_nobody_takes_over(
    book: SeededPostgresBook, asks: dict[str, str]
) -> None:
    """The room hears of it after ten minutes, and it is over with the next delivery."""
    busy = True
    with Receiver(lambda _: (429 if busy else 200, asks, b"")) as receiver:
        town = Town(book, city(hook(receiver)))
        town.happens()
        for _ in range(11):
            town.deliver(after_s=60.0)
        assert town.health() == [("webhook", State.OPEN)]
        busy = False
        town.deliver(after_s=3600.0)
        assert town.health(running=None) == [("webhook", State.CLEARED)]


def test_what_one_receiver_asks_for_is_not_asked_of_the_others(book: SeededPostgresBook) -> None:
    """Two officers with a webhook each: the one's 429 is no reason to let the other one's dispatch wait."""
    asks = {"Retry-After": "3600"}
    with Receiver(lambda _: (429, asks, b"")) as busy, Receiver() as well:
        town = Town(book, city(hook(well, sends=())))
        for n, url in enumerate((busy.url, well.url)):
            book.run(
                "INSERT INTO outgoing (channel, address, idempotency_key, body, created_at, next_try_at) VALUES"
                f" ('webhook', '{url}/of/{n}', 'k{n}', '{{}}', '{NOON.isoformat()}', '{NOON.isoformat()}')"
            )
        town.deliver()
        assert (len(busy.got), len(well.got)) == (1, 1)


def test_a_private_address_is_refused_and_said(book: SeededPostgresBook) -> None:
    """Without `networks:` the webhook can't reach into the centre's own machine; the room hears of it at once."""
    with Receiver() as receiver:
        town = Town(book, city(hook(receiver, networks=())))
        town.happens()
        town.deliver()
        assert receiver.got == []
        assert town.health() == [("webhook", State.OPEN)]


# ---------------------------------------------------------------- fallback, breaker, rate
def test_what_one_channel_never_takes_the_next_one_does(book: SeededPostgresBook) -> None:
    """404 from the webhook: the officer gets a text message at once, under the same key, and no alert is needed."""
    with Receiver(lambda _: (404, {}, b"gone")) as receiver, Receiver() as gateway:
        sms = Channel(channel_id="sms", kind="sms", url=gateway.url, networks=LOOPBACK,
                      request=GatewayRequest(body={"to": "{to}", "text": "{text}", "key": "{key}"}))  # fmt: skip
        town = Town(book, city(hook(receiver, fallback="sms"), sms, sms="+86 1{user}"))
        town.happens()
        town.deliver()
        (got,) = gateway.got
        assert got.json["to"] == "+86 1ann"
        assert got.json["key"] == receiver.got[0].json["idempotency_key"]
        assert "level I" in got.json["text"]
        assert town.health(running=None) == []
        rows = book.run(
            "SELECT channel, handed_to, sent_at IS NULL AS waits FROM outgoing WHERE channel <> 'mqtt' ORDER BY 1"
        )
        assert [(r["channel"], r["handed_to"], r["waits"]) for r in rows] == [
            ("sms", None, False),
            ("webhook", "sms", True),
        ]


def test_what_no_channel_delivers_is_an_alert_that_clears_with_the_next_delivery(
    book: SeededPostgresBook,
) -> None:
    """The last of the chain refuses as well: channel and address are said; once it takes a message, it is over."""
    broken = True

    def gateway_answers(_: Got) -> Reply:
        return (200, {}, json.dumps({"code": 7 if broken else 0}).encode())

    with Receiver(lambda _: (404, {}, b"")) as receiver, Receiver(gateway_answers) as gateway:
        sms = Channel(
            channel_id="sms", kind="sms", url=gateway.url, networks=LOOPBACK,
            request=GatewayRequest(form="form", headers={"X-Token": "{secret}"}, body={"m": "{text}"}, success_field="code"),
        )  # fmt: skip
        town = Town(book, city(hook(receiver, fallback="sms"), sms, sms="+86 1{user}"))
        town.happens()
        town.deliver()
        assert town.health() == [("sms +86 1ann", State.OPEN)]
        assert gateway.got[0].headers["x-token"] == SECRET
        broken = False
        town.deliver(after_s=1000.0)
        assert town.health(running=None) == [("sms +86 1ann", State.CLEARED)]


def test_an_open_breaker_lets_the_fallback_take_all_and_one_message_probes(book: SeededPostgresBook) -> None:
    """A dead server costs three tries, not one for each officer; when it is back, it is used again."""
    well = False

    def answer(_: Got) -> Reply:
        return (200 if well else 500, {}, b"{}")

    with Receiver(answer) as receiver, Receiver() as other:
        second = hook(other, channel_id="second", sends=())
        first = hook(receiver, failures_until_open=3, open_s=60.0, fallback="second")
        town = Town(book, city(first, second))
        for n in range(5):
            town.happens(n)
        town.deliver()
        assert len(receiver.got) == 3
        assert len(other.got) == 2, "those that were not tried any more"
        town.deliver(after_s=20.0)
        assert len(other.got) == 5, "and those that had failed"
        well = True
        town.now += timedelta(seconds=60)
        town.happens(6)
        town.deliver()
        assert len(receiver.got) == 4
        assert town.states.all()["webhook"].failures == 0
        assert town.health(running=None) == []


def test_a_channel_that_is_dead_is_said_though_each_message_was_tried_little(
    book: SeededPostgresBook,
) -> None:
    """Twenty messages wait for a dead server without a fallback: the room hears of it, and all arrive in the end."""
    well = False

    def answer(_: Got) -> Reply:
        return (200 if well else 500, {}, b"{}")

    with Receiver(answer) as receiver:
        town = Town(book, city(hook(receiver, failures_until_open=5, open_s=30.0)))
        for n in range(8):
            town.happens(n)
        for _ in range(12):
            town.deliver(after_s=31.0)
        assert ("webhook", State.OPEN) in town.health()
        assert len(receiver.got) < 30
        well = True
        for _ in range(12):
            town.deliver(after_s=150.0)
        assert len({got.headers["idempotency-key"] for got in receiver.got}) == 8
        assert town.health() == []


def test_a_robots_limit_delays_and_loses_nothing(book: SeededPostgresBook) -> None:
    """24 messages at once to a group that takes 20 a minute: the FAKE vendor never refuses, and all arrive."""
    towns: list[Town] = []
    for vendor in ("wecom", "dingtalk", "feishu"):
        robot = FakeRobot(vendor, SECRET, 20, lambda: towns[-1].now)
        with Receiver(robot) as receiver:
            book.run("DELETE FROM outgoing")
            channel = Channel(channel_id=vendor, kind=vendor, networks=LOOPBACK, per_minute=20, language="zh")  # type: ignore[arg-type]
            url = f"{receiver.url}/send?{'key=' + SECRET if vendor == 'wecom' else 'access_token=t'}"
            town = Town(book, city(channel), **{vendor: url})
            towns.append(town)
            body = json.dumps({"idempotency_key": "k", "what": "test", "title": {"zh": "挖掘"}, "level": "I"})
            for n in range(24):
                book.run(
                    "INSERT INTO outgoing (channel, address, idempotency_key, body, created_at, next_try_at) VALUES"
                    f" ('{vendor}', '', '{vendor}-{n}', '{body}', '{NOON.isoformat()}', '{NOON.isoformat()}')"
                )
            waited_s = 0
            while len(robot.taken) < 24:
                town.deliver(after_s=4.0)
                waited_s += 4
                assert waited_s < 180
            assert robot.refused == 0
            assert waited_s > 60
            text = robot.taken[0][1]["content" if vendor == "feishu" else "text"]
            assert "挖掘" in text.get("text", text.get("content"))


def test_a_robot_with_a_wrong_secret_is_said(book: SeededPostgresBook) -> None:
    """The vendor answers 200 and a code: it is no delivery."""
    with Receiver(FakeRobot("feishu", "another", 100, lambda: NOON)) as receiver:
        channel = Channel(channel_id="group", kind="feishu", networks=LOOPBACK, sends=("alerts",))
        town = Town(book, city(channel), group=receiver.url + "/hook/t")
        town.happens()
        town.deliver()
        assert town.health() == [("group", State.OPEN)]


def test_limits_hold_for_two_couriers(book: SeededPostgresBook) -> None:
    """Two centres share the vendor's limit, since it counts the robot and not the sender."""
    with Receiver() as receiver:
        its = city(hook(receiver, per_minute=4))
        one, two = Town(book, its), Town(book, its)
        for n in range(6):
            one.happens(n)
        for town in (one, two):
            town.deliver()
        assert len(receiver.got) == 1
        for town in (one, two):
            town.deliver(after_s=25.0)
        assert len(receiver.got) == 2


# ---------------------------------------------------------------- e-mail
def mail_town(book: SeededPostgresBook, box: Mailbox, language: str = "en", **more: Any) -> Town:
    settings: dict[str, Any] = {"channel_id": "email", "kind": "email", "host": "localhost", "port": box.port,
                                "user": "hcawatch", "sender": "watch@example.org", "sends": ("dispatches",), **more}  # fmt: skip
    channel = Channel(**settings)
    its = city(channel, email="{user}@example.org")
    teams = tuple(
        msgspec.structs.replace(
            t, members=tuple(msgspec.structs.replace(m, language=language) for m in t.members)
        )
        for t in its.teams
    )
    its = msgspec.structs.replace(its, teams=teams)
    tls = ssl.create_default_context(cafile=str(box.certificate))
    mail = Mail(channel, "s3cret",
                lambda p: wording(p.body, its, "https://watch.example", p.language), tls)  # fmt: skip
    return Town(book, its, {"email": mail})


@pytest.mark.parametrize(("language", "words"), [("en", ("You are dispatched", "Article 30", "openstreetmap")),
                                                 ("zh", ("请前往处置", "第30条", "uri.amap.com"))])  # fmt: skip
def test_an_officer_gets_an_e_mail_in_his_language(
    book: SeededPostgresBook, tmp_path: Path, language: str, words: tuple[str, ...]
) -> None:
    """Over STARTTLS with a login: level, place, law, and a map, as text and as HTML."""
    with Mailbox(tmp_path) as box:
        town = mail_town(book, box, language)
        alert_id = town.happens()
        town.deliver()
        (envelope,) = box.mails
    assert envelope.rcpt_tos == ["ann@example.org"]
    content = envelope.content
    assert isinstance(content, bytes)
    mail = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    text = str(mail["Subject"]) + plain.get_content()
    for word in (*words, f"https://watch.example/field/{alert_id}", "9+500"):
        assert word in text
    assert words[0] in html.get_content()
    assert mail["Auto-Submitted"] == "auto-generated"


def test_a_mail_server_that_answers_byte_by_byte_is_given_up_in_time() -> None:
    """smtplib waits anew for every byte: the courier's transaction would be ended, and its messages sent for ever."""
    with dribbling(b"220 " + b"-" * 40, every_s=0.1) as port:
        channel = Channel(channel_id="email", kind="email", host="127.0.0.1", port=port, security="none",
                          sender="watch@example.org", timeout_s=0.5)  # fmt: skip
        mail = Mail(channel, None, lambda p: wording(p.body, CITY, None, p.language))
        body = {"idempotency_key": "k", "what": "test"}
        parcel = Parcel(address="ann@example.org", key="k", body=body, payload=b"{}", now=NOON, language="en")
        with pytest.raises(ChannelError, match=r"within 0\.5 s"):
            mail(parcel)


def test_what_takes_too_long_is_marked_and_holds_up_nothing(book: SeededPostgresBook) -> None:
    """A channel without a deadline: the database would end the transaction, and all of its messages came again."""
    goes_on = threading.Event()
    town = Town(book, CITY)
    for n in range(3):
        town.happens(n)

    def send(_topic: str, payload: bytes, _retain: bool) -> None:
        if b'"number":1,' in payload.replace(b" ", b""):
            goes_on.wait(20.0)

    courier = Courier(book, {"mqtt": send}, town.engine, jitter=lambda: 0.0, at_once=3, sending_s=0.5)
    began_s = time.monotonic()
    assert courier.deliver(NOON) == 3
    assert time.monotonic() - began_s < 15.0
    goes_on.set()
    rows = book.run("SELECT sent_at IS NULL AS waits, last_error FROM outgoing WHERE channel = 'mqtt'")
    assert [row["last_error"] for row in rows if row["waits"]] == ["its channel did not answer within 0.5 s"]


def test_an_address_that_does_not_exist_is_for_good_and_a_full_mailbox_is_not(
    book: SeededPostgresBook, tmp_path: Path
) -> None:
    """550 is said at once; 452 is tried again, and arrives."""
    with Mailbox(tmp_path) as box:
        town = mail_town(book, box)
        box.refuse["ann@example.org"] = "452 mailbox full"
        town.happens()
        town.deliver()
        assert town.health() == []
        box.refuse["ann@example.org"] = "550 no such user"
        town.deliver(after_s=5.0)
        assert town.health() == [("email ann@example.org", State.OPEN)]
        box.refuse.clear()
        town.deliver(after_s=1000.0)
        assert len(box.mails) == 1
        assert town.health() == []


# ---------------------------------------------------------------- alerts' news, order, contacts
def test_a_group_hears_of_alerts_opened_and_closed_and_of_nothing_between(book: SeededPostgresBook) -> None:
    """`sends: [alerts]`: calm, and nothing of the officers' steps."""
    with Receiver() as receiver:
        town = Town(book, city(hook(receiver, sends=("alerts",))))
        alert_id = town.happens()
        town.engine.step(alert_id, Step.ACCEPT, officer("ann"), town.now)
        town.engine.step(alert_id, Step.RECALL, OPERATOR, town.now)
        from tests.doubles.alert_story import SUPERVISOR

        town.engine.step(
            alert_id, Step.DISMISS, SUPERVISOR, town.now, note="deer", reason="false_alarm", cause="animal"
        )
        town.deliver()
        assert [got.json["what"] for got in receiver.got] == ["opened", "closed"]
        assert receiver.got[1].json["earlier"] == [[1, receiver.got[0].json["at"]]]


def test_a_slow_channel_holds_up_no_other(book: SeededPostgresBook) -> None:
    """The e-mail of a dispatch waits; its recall by MQTT does not wait for it."""
    with Receiver(lambda _: (500, {}, b"")) as receiver:
        town = Town(book, city(hook(receiver)))
        alert_id = town.happens()
        town.deliver()
        town.engine.step(alert_id, Step.RECALL, OPERATOR, town.now)
        town.deliver()
        assert [b'"what":"recall"' in payload for _, payload in town.topics] == [False, True]
        assert len(receiver.got) == 1, "but by the webhook it may not overtake"


def test_a_secret_that_is_missing_is_said_and_stops_nothing(book: SeededPostgresBook) -> None:
    """A version of the database names a secret that is not here: MQTT goes on, and the room hears what is missing."""
    channel = Channel(channel_id="group", kind="feishu", sends=("dispatches",), failures_until_open=100)
    its = city(channel)
    kinds = deliveries(
        its, {"group": ChannelSecret(missing=("the environment variable ROBOT is not set",))}, None, None
    )
    town = Town(book, its, kinds)
    town.happens()
    for _ in range(10):
        town.deliver(after_s=400.0)
    assert len(town.topics) == 1
    (row,) = town.engine.list_alerts(kind=AlertKind.HEALTH)
    assert "ROBOT is not set" in str(row.alert.reasons[0].detail)


def test_both_keep_the_same_states(book: SeededPostgresBook) -> None:
    """The states in memory and those in the database are one contract."""
    from alerts.channels import limits

    channel = Channel(channel_id="c", kind="webhook", per_minute=4, failures_until_open=1)
    for states in (MemoryChannelStates(), PostgresChannelStates(book.pool)):
        assert states.all() == {}

        def step(s: limits.ChannelState, now: datetime = NOON) -> tuple[limits.ChannelState, bool]:
            return limits.failed(channel, limits.granted(channel, s, now), "boom", now), True

        assert states.change("c", step)
        kept = states.all()["c"]
        assert (kept.failures, kept.failed, kept.last_error, kept.tokens) == (1, 1, "boom", 0.0)
        assert kept.open_until == NOON + timedelta(seconds=60)


# ---------------------------------------------------------------- the command and the broker
def test_the_command_says_what_came_of_a_test_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody who sets a channel up sees whether it works, and what is wrong in one line without a secret."""
    from hcawatch.cli import run

    with Receiver(failing(401)) as receiver:
        text = (Path(__file__).parents[2] / "examples" / "minimal.yaml").read_text(encoding="utf-8")
        (tmp_path / "secret").write_text(SECRET)
        (tmp_path / "secret").chmod(0o600)
        config = tmp_path / "city.yaml"
        config.write_text(
            f"{text}\nchannels:\n  - {{id: hook, kind: webhook, url: '{receiver.url}/in?token=t0p', secret_file: secret,"
            " networks: [127.0.0.0/8]}\n"
        )
        assert run(["channels", "test", "hook", str(config)]) == 1
        said = capsys.readouterr().err
        assert "hook did not take it: 127.0.0.1 answered 401" in said
        assert SECRET not in said
        assert "t0p" not in said
        assert run(["channels", "test", "hook", str(config)]) == 0
        assert receiver.got[1].json["what"] == "test"
        assert run(["channels", "test", "sms", str(config)]) == 1
        assert "has: hook" in capsys.readouterr().err


def test_the_overview_says_what_waits_and_what_is_wrong(book: SeededPostgresBook) -> None:
    """The console and `hcawatch channels status`: the broker, then each channel in the configuration's order."""
    from alerts.channels.limits import Mode
    from alerts.channels.overview import overview

    with Receiver(lambda _: (500, {}, b"")) as receiver:
        its = city(
            hook(receiver, failures_until_open=1),
            Channel(channel_id="spare", kind="webhook", url="https://a.example"),
        )
        town = Town(book, its)
        town.happens()
        town.deliver()
        with book.pool.connection() as conn:
            broker, webhook, spare = overview(conn, its, town.now)
    assert (broker.channel, broker.mode, broker.waiting) == ("mqtt", Mode.OK, 0)
    assert (webhook.mode, webhook.waiting, webhook.failed, webhook.well) == (Mode.OUT_OF_ORDER, 1, 1, False)
    assert "500" in str(webhook.last_error)
    assert spare.mode is Mode.UNUSED


def test_a_dispatch_reaches_a_real_broker_and_a_webhook_takes_over_from_it(
    book: SeededPostgresBook, broker: EmbeddedBroker
) -> None:
    """MQTT with a fallback: as long as the broker is there it has the message; when it is gone the webhook has it."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="channels-test", protocol=mqtt.MQTTv5)
    client.username_pw_set("centre", broker.passwords["centre"])
    arrived: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
    client.on_message = lambda _client, _data, message: arrived.put(message)
    client.connect(broker.host, broker.port)
    client.loop_start()
    client.subscribe("hcawatch/v1/dispatch/#", qos=1)
    with Receiver() as receiver:
        its = city(
            Channel(channel_id="mqtt", kind="mqtt", fallback="webhook", failures_until_open=2),
            hook(receiver, sends=()),
        )
        town = Town(book, its)

        def publish(topic: str, payload: bytes, retain: bool) -> None:
            client.publish(topic, payload, qos=1).wait_for_publish(20.0)
            if not client.is_connected():
                raise ConnectionError("the broker is away")

        kinds = deliveries(its, {"webhook": ChannelSecret(secret=SECRET)}, None, publish)
        desk = Desk(its, kinds, town.states, lambda: town.now, town._tick)
        town.courier = Courier(book, desk.sends, town.engine, jitter=lambda: 0.0, desk=desk)
        town.happens(0)
        town.deliver()
        message = arrived.get(timeout=30.0)
        assert json.loads(message.payload)["what"] == "dispatch"
        client.disconnect()
        client.loop_stop()
        town.happens(1)
        for _ in range(4):
            town.deliver(after_s=3.0)
        assert [got.json["handed_over_by"] for got in receiver.got] == ["mqtt"]
