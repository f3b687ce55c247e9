"""Alerts to an upper platform by GB/T 28181: registered there as a lower platform is, each alert an alarm notification.

A message keeps its SN however often it is sent, so that the platform can tell. Delivered is 200 OK; where the platform
`confirms`, its own answer with Result OK as well. Between messages it registers anew and says that it is there.
"""

import threading
import time
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any, Final

import structlog

from alerts.channels.failures import ChannelError, NotNow
from alerts.channels.failures import Final as Refused
from alerts.channels.gb28181_alarm import alarm_xml, sn_of
from alerts.channels.parcel import Parcel
from alerts.channels.posting import may_reach, resolve_name
from alerts.channels.wording import Wording
from monitor.domain import manscdp
from monitor.domain.assets import Channel, City
from monitor.domain.gb_ids import GbId
from monitor.domain.manscdp import ManscdpError
from monitor.sip.digest import credentials
from monitor.sip.endpoint import Endpoint, NoAnswer, Peer
from monitor.sip.messages import Request, Response, header, headers_of, respond
from monitor.sip.requests import Way, local_host, new_call_id, request

log = structlog.get_logger(__name__)

#: asked for, in seconds; the standard wants no less than an hour
EXPIRES_S: Final = 3600
#: of a registration's time, after which it is renewed
RENEW_AFTER: Final = 0.8
KEEPALIVE_S: Final = 60.0
#: so many signs of life without an answer, and it registers anew
KEEPALIVES_MISSED: Final = 3
#: between two tries to register that nothing waits for (the standard's 60), and between those that a message waits for
REGISTER_AGAIN_S: Final = 60.0
REGISTER_FOR_MESSAGE_S: Final = 5.0


class Platform:
    """One upper platform. `with` it, and it stays registered; without, it registers when there is something to say."""

    def __init__(
        self,
        channel: Channel,
        city: City,
        password: str,
        words: Callable[[Parcel], Wording],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        assert channel.host is not None
        assert channel.gb_id is not None
        own = city.gb28181.gb_id if city.gb28181 is not None else ""
        self._channel, self._city, self._password, self._words = channel, city, password, words
        self._ours, self._theirs = GbId(channel.user or own), GbId(channel.gb_id)
        self._clock = clock
        #: of the connection's state, held for moments only
        self._lock = threading.RLock()
        #: held while it registers: whoever waits for it does so in its own message's time
        self._registering = threading.RLock()
        self._endpoint: Endpoint | None = None
        self._way: Way | None = None
        self._call_id, self._number = new_call_id(), 0
        #: monotonic seconds; a registration is there until then
        self._renew_s = self._until_s = self._tried_s = float("-inf")
        self._said_s, self._missed = float("-inf"), 0
        self._why = "it has not been tried yet"
        #: results of alarms that the platform confirms, by SN
        self._results: dict[str, str] = {}
        self._came = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gb28181 channel", daemon=True)

    # ------------------------------------------------------------ life
    def __enter__(self) -> "Platform":
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stopping.set()
        self._thread.join(self._channel.timeout_s + 5)
        self.close()

    def close(self) -> None:
        """Ends the connection; the registration runs out by itself, and messages of the next start need it."""
        with self._lock:
            if self._endpoint is not None:
                self._endpoint.stop()
                self._endpoint = None

    @property
    def registered(self) -> bool:
        """Whether the platform knows us now."""
        return self._clock() < self._until_s

    def _run(self) -> None:
        while not self._stopping.wait(0.5):
            try:
                self._keep()
            except (ChannelError, OSError) as exc:
                log.warning("gb28181.platform_away", channel=self._channel.channel_id, error=str(exc))
            except Exception:
                log.exception("gb28181.platform_failed", channel=self._channel.channel_id)

    def _keep(self) -> None:
        now_s = self._clock()
        if now_s >= self._renew_s and now_s - self._tried_s >= REGISTER_AGAIN_S:
            self._register(self._channel.timeout_s)
        elif self.registered and now_s - self._said_s >= KEEPALIVE_S:
            self._keepalive()

    # ------------------------------------------------------------ one message
    def __call__(self, parcel: Parcel) -> None:
        end_s = self._clock() + self._channel.timeout_s
        if not self.registered:
            self._register_for_message(end_s)
        xml = alarm_xml(parcel, self._city, self._ours.text, self._words(parcel))
        answer = self._say(xml, end_s - self._clock())
        if answer.status in (403, 404, 481):  # it may have forgotten us
            self._until_s = float("-inf")
            self._why = f"it answered {answer.status} to a message"
            self._register_for_message(end_s)
            answer = self._say(xml, end_s - self._clock())
        self._judge(answer)
        if self._channel.confirms:
            self._await_result(str(sn_of(parcel.key)), end_s)

    def _judge(self, answer: Response) -> None:
        """Returns on 2xx."""
        said = f"{self._channel.host} answered {answer.status} {answer.reason}".strip()
        if 200 <= answer.status < 300:
            return
        wait = header(answer, "Retry-After").split(";")[0].split("(")[0].strip()
        if answer.status in (480, 486, 503) and wait.isdigit():
            raise NotNow(said, min(float(wait), 3600.0))
        if answer.status in (401, 407):
            raise Refused(f"{said}: the platform refuses our login (user or secret)")
        if answer.status in (408, 480, 486, 491) or answer.status >= 500:
            raise ChannelError(said)
        raise Refused(said)

    def _await_result(self, sn: str, end_s: float) -> None:
        with self._came:
            while sn not in self._results:
                left_s = end_s - self._clock()
                if left_s <= 0 or not self._came.wait(left_s):
                    # it may confirm to somewhere else, where our id was registered meanwhile: the next one registers anew
                    self._until_s = float("-inf")
                    self._why = "it did not confirm the alarm before"
                    raise ChannelError(f"{self._channel.host} took the alarm and did not confirm it")
            result = self._results.pop(sn)
        if result.upper() != "OK":
            raise Refused(f"{self._channel.host} took the alarm and answered Result {result[:40]!r}")

    # ------------------------------------------------------------ registration
    def _register_for_message(self, end_s: float) -> None:
        if not self._registering.acquire(timeout=max(0.0, end_s - self._clock())):
            raise ChannelError(f"not registered at {self._channel.host}: {self._why}")
        try:
            if self.registered:
                return
            if self._clock() - self._tried_s < REGISTER_FOR_MESSAGE_S:
                raise ChannelError(f"not registered at {self._channel.host}: {self._why}")
            self._register(end_s - self._clock())
        finally:
            self._registering.release()

    def _register(self, timeout_s: float) -> None:
        """ChannelError if the platform does not take us."""
        with self._registering:
            self._tried_s = self._clock()
            try:
                answer = self._ask("REGISTER", timeout_s, b"", ("Expires", str(EXPIRES_S)))
            except (OSError, ChannelError) as exc:
                self._why = str(exc) or type(exc).__name__
                self._forget_way()
                raise
            finally:  # a try lasts longer than the pause: whoever waited for it must not begin another
                self._tried_s = self._clock()
            if not 200 <= answer.status < 300:
                self._until_s = float("-inf")
                self._why = f"it answered {answer.status} {answer.reason}".strip()
                raise ChannelError(f"not registered at {self._channel.host}: {self._why}")
            granted = header(answer, "Expires")
            seconds = int(granted) if granted.isdigit() and 0 < int(granted) <= 10**6 else EXPIRES_S
            now_s = self._clock()
            self._until_s, self._renew_s = now_s + seconds, now_s + RENEW_AFTER * seconds
            self._said_s, self._missed = now_s, 0
            log.info("gb28181.platform_registered", channel=self._channel.channel_id, seconds=seconds)

    def _keepalive(self) -> None:
        self._said_s = self._clock()
        sn = sn_of(f"keepalive {self._said_s}")
        try:
            answer = self._say(manscdp.keepalive(sn, self._ours.text), self._channel.timeout_s)
            well = 200 <= answer.status < 300
        except (OSError, ChannelError):
            well = False
        self._missed = 0 if well else self._missed + 1
        if self._missed >= KEEPALIVES_MISSED:
            self._until_s = self._renew_s = float("-inf")
            self._forget_way()
            log.warning("gb28181.platform_silent", channel=self._channel.channel_id)

    # ------------------------------------------------------------ the wire
    def _say(self, body: bytes, timeout_s: float) -> Response:
        return self._ask("MESSAGE", timeout_s, body)

    def _ask(self, method: str, timeout_s: float, body: bytes, *more: tuple[str, str]) -> Response:
        """The final answer, after a challenge was met if one came."""
        way, endpoint = self._reach()
        call_id = self._call_id if method == "REGISTER" else new_call_id()
        register = method == "REGISTER"
        headers = (*more, ("Contact", way.contact)) if register else more
        first = request(way, method, self._next(), call_id, *headers, body=body, register=register)
        end_s = self._clock() + timeout_s
        answer = self._answer(endpoint, first, way, timeout_s)
        if answer.status not in (401, 407):
            return answer
        asks, gives = (
            ("WWW-Authenticate", "Authorization")
            if answer.status == 401
            else ("Proxy-Authenticate", "Proxy-Authorization")
        )
        proof = credentials(headers_of(answer, asks), self._ours.text, self._password, method, first.uri)
        if proof is None:
            raise Refused(f"{self._channel.host} asks for a login in a way that we do not know")
        again = request(
            way, method, self._next(), call_id, *headers, (gives, proof), body=body, register=register
        )
        return self._answer(endpoint, again, way, end_s - self._clock())

    def _answer(self, endpoint: Endpoint, message: Request, way: Way, timeout_s: float) -> Response:
        if timeout_s <= 0:
            raise NoAnswer("no answer in time")
        return endpoint.ask(message, way.peer, timeout_s)

    def _next(self) -> int:
        with self._lock:
            self._number += 1
            return self._number

    def _reach(self) -> tuple[Way, Endpoint]:
        """How to get there: the name is resolved and its address checked each time that we start anew."""
        with self._lock:
            if self._endpoint is not None and self._way is not None and self._endpoint.alive:
                return self._way, self._endpoint
            host = str(_address(self._channel))
            transport = self._channel.transport.upper()
            peer = Peer("TCP" if transport == "TCP" else "UDP", host, self._channel.port or 5060)
            ours = local_host(host)
            endpoint = Endpoint(
                self._on_request, host=ours, transports=(peer.transport,), listens=self._channel.confirms,
                allowed=lambda other: other == host,
            )  # fmt: skip
            endpoint.start()
            self._endpoint = endpoint
            self._way = Way(ours=self._ours, theirs=self._theirs, realm=self._theirs.domain, peer=peer, host=ours,
                            port=endpoint.port or 5060)  # fmt: skip
            return self._way, endpoint

    def _forget_way(self) -> None:
        """The platform may have moved: its name is resolved anew."""
        self.close()

    def _on_request(self, came: Request, peer: Peer) -> None:
        """What the platform says by itself: it confirms an alarm. All else we have no use for."""
        endpoint = self._endpoint
        if endpoint is None:
            return
        status = 405 if came.method != "MESSAGE" else 488
        if came.method == "MESSAGE":
            try:
                told = manscdp.read(came.body)
            except ManscdpError:
                status = 400
            else:
                if told.root == "response":
                    status = 200
                    if told.command == "Alarm":
                        self._note_result(told.sn, told.tags.get("result", ""))
        more = (("Allow", "MESSAGE"),) if status == 405 else ()
        endpoint.answer(came, peer, respond(came, status, *more, tag=new_call_id()[:16]))

    def _note_result(self, sn: str, result: str) -> None:
        with self._came:
            if len(self._results) > 1000:
                self._results.clear()
            self._results[sn] = result
            self._came.notify_all()
        if result.upper() != "OK":
            log.warning(
                "gb28181.platform_result", channel=self._channel.channel_id, sn=sn, result=ascii(result[:40])
            )


def _address(channel: Channel) -> Any:
    """The platform's address, if it may be reached: SIP has no TLS here, so its network must be listed."""
    assert channel.host is not None
    networks = [ip_network(network) for network in channel.networks]
    try:
        found = [ip_address(channel.host)]
    except ValueError:
        found = [
            ip_address(text.partition("%")[0]) for text in resolve_name(channel.host, channel.port or 5060)
        ]
    allowed = [a for a in found if a.version == 4 and may_reach(a, networks, tls=False)]
    if not allowed:
        raise Refused(
            f"{channel.host} is outside of the channel's `networks:`: list its network if it is meant"
        )
    return allowed[0]
