"""The centre's door for devices that speak GB/T 28181: takes what they send, has it stored, then answers.

In this order, so that no alarm is answered with 200 that is not committed. While the database is away nothing is
answered and what is in hand is tried again; a device that sends again in the meantime says the same alarm.
"""

import queue
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import structlog
from psycopg_pool import PoolTimeout

from monitor.domain import manscdp
from monitor.domain.assets import City, GbDevice
from monitor.domain.gb_ids import GbId
from monitor.domain.manscdp import ManscdpError, Told
from monitor.ingest.gb28181.alarms import judge_alarm
from monitor.ingest.gb28181.hearing import Hearing
from monitor.ingest.gb28181.ports import GbDeviceWork, GbStore, What
from monitor.ingest.gb28181.registrar import Answer, Registrar
from monitor.ingest.insisting import BACKOFF_MIN_S, Result, insist
from monitor.ingest.judge import DeadLetter, DeadReason
from monitor.ingest.ports import Arrived, IngestStore
from monitor.ingest.postgres_batch import POISON
from monitor.sip.endpoint import Endpoint, Peer
from monitor.sip.messages import Request, SipError, cseq_of, header, respond
from monitor.sip.requests import Way, local_host, new_call_id, request

log = structlog.get_logger(__name__)

#: what we take; other methods are told so
ALLOW: Final = "REGISTER, MESSAGE"
#: more that wait are turned away: answered late, they would have been sent again in the meantime
MOST_WAITING: Final = 2000
#: dead letters of bytes that are no SIP, of one device in one minute; more are counted and said in the log
GARBAGE_KEPT: Final = 10
#: TCP connections beyond one for each device
_SPARE_CONNECTIONS: Final = 500
_LOOK_EVERY_S: Final = 2.0
_REOPEN_S: Final = 2.0


class Came(msgspec.Struct, frozen=True):
    """Something that came, and when."""

    peer: Peer
    at: datetime
    #: None: it is no SIP
    request: Request | None = None
    data: bytes = b""
    fault: str = ""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class GbDoor:
    """`with GbDoor(…):` listens until the block is left."""

    def __init__(
        self,
        city: City,
        passwords: Mapping[str, str],
        store: IngestStore,
        devices: GbStore,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        """`city.gb28181` must be there. `passwords`: by device."""
        assert city.gb28181 is not None
        self._centre, self._city = city.gb28181, city
        self._store, self._kept, self._clock = store, devices, clock
        self._passwords = passwords
        self._devices = {device.gb_id: device for device in self._centre.devices}
        self._zone = ZoneInfo(self._centre.timezone)
        self._networks = [ip_network(network) for network in self._centre.networks]
        self._arrived: queue.SimpleQueue[Came] = queue.SimpleQueue()
        self._endpoint = self._new_endpoint()
        self._open = False
        self._registrar: Registrar | None = None
        self._hearing: Hearing | None = None
        self._stopping = threading.Event()
        self._database_ok = True
        #: errors that nobody foresaw, since the start
        self.failures = 0
        self._looked_s = 0.0
        self._said: set[tuple[str, str]] = set()
        #: bytes that are no SIP, by device: the minute, and how often in it
        self._garbage: dict[str, tuple[datetime, int]] = {}
        #: devices of which the alert module knows that they are let in
        self._let_in: set[str] = set()
        #: what came of it, since the start
        self.counts: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name="gb28181", daemon=True)

    # ------------------------------------------------------------ life
    def __enter__(self) -> "GbDoor":
        self._try_to_open()
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stopping.set()
        self._thread.join(15.0)
        self._endpoint.stop()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._endpoint.port

    def healthy(self) -> bool:
        """Whether alarms get through."""
        return self._thread.is_alive() and self._open and self._endpoint.alive and self._database_ok

    def _new_endpoint(self) -> Endpoint:
        def bad(data: bytes, peer: Peer, error: SipError) -> None:
            if self._arrived.qsize() < MOST_WAITING:
                self._arrived.put(Came(peer, self._clock(), data=data, fault=str(error)))

        return Endpoint(
            self._came,
            host=self._centre.host,
            port=self._centre.port,
            allowed=lambda host: any(ip_address(host) in network for network in self._networks),
            on_bad=bad,
            most_connections=len(self._devices) + _SPARE_CONNECTIONS,
        )

    def _try_to_open(self) -> None:
        """A port that is taken keeps nobody else of the centre from working; it is tried again until it is free."""
        try:
            self._endpoint.start()
        except OSError as exc:
            log.error("gb28181.cannot_listen", port=self._centre.port, error=str(exc), retry_in_s=_REOPEN_S)
            self._endpoint = self._new_endpoint()
            return
        self._open = True
        log.info("gb28181.listens", port=self._endpoint.port, devices=len(self._devices))

    # ------------------------------------------------------------ the endpoint's thread
    def _came(self, request: Request, peer: Peer) -> None:
        if request.method not in ("REGISTER", "MESSAGE"):
            self.counts["method"] += 1
            self._endpoint.answer(request, peer, respond(request, 405, ("Allow", ALLOW)))
        elif self._arrived.qsize() >= MOST_WAITING:
            self.counts["turned_away"] += 1
            self._endpoint.answer(request, peer, respond(request, 503, ("Retry-After", "5")))
        else:
            self._arrived.put(Came(peer, self._clock(), request))

    # ------------------------------------------------------------ the door's thread
    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except Exception:
                self.failures += 1
                log.exception("gb28181.turn_failed", failures=self.failures)
                self._stopping.wait(BACKOFF_MIN_S)

    def _turn(self) -> None:
        if not self._open:
            self._stopping.wait(_REOPEN_S)
            self._try_to_open()
            return
        if self._registrar is None:
            known = self._insist(lambda: self._kept.registrations(self._clock()))
            if known is None:
                return
            self._registrar = Registrar(self._centre, self._passwords, known)
            after = timedelta(seconds=self._centre.silent_after_s)
            self._hearing = Hearing(self._devices, after, self._clock())
        try:
            came = self._arrived.get(timeout=0.25)
        except queue.Empty:
            pass
        else:
            self._take(came)
        # what waits unread may be the word of a device that would else be told as silent
        if self._arrived.empty() and time.monotonic() - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s = time.monotonic()
            self._look()

    def _take(self, came: Came) -> None:
        assert self._registrar is not None
        if came.request is None:
            self._unreadable(came)
        elif came.request.method == "REGISTER":
            self._register(came.request, came.peer, came.at)
        else:
            self._message(came.request, came.peer, came.at)

    def _register(self, request: Request, peer: Peer, now: datetime) -> None:
        assert self._registrar is not None
        answer = self._registrar.on_register(request, peer, now)
        if (new := answer.registration) is not None:
            if self._insist(lambda: self._done(self._kept.register, new)) is None:
                return
            log.info("gb28181.registered", device=new.gb_id, at=str(peer), until=new.expires_at.isoformat())
        elif answer.gone:
            if self._insist(lambda: self._done(self._kept.unregister, answer.gone)) is None:
                return
            log.info("gb28181.logged_off", device=answer.gone)
        self._reply(request, peer, answer.status, *answer.headers)
        self._admit(answer, peer, now)

    def _message(self, request: Request, peer: Peer, now: datetime) -> None:
        assert self._registrar is not None
        answer = self._registrar.on_message(request, peer, now)
        if answer.status != 200:
            self._reply(request, peer, answer.status, *answer.headers)
            self._admit(answer, peer, now)
            return
        self._admit(answer, peer, now)
        sender = self._devices[answer.let_in]
        kind = header(request, "Content-Type")
        if kind and "xml" not in kind.lower():
            self._reply(request, peer, 415, ("Accept", manscdp.CONTENT_TYPE))
            return
        try:
            told = manscdp.read(request.body)
            if told.root == "notify" and told.command == "Alarm":
                self._alarm(request, peer, told, sender, now)
                return
        except ManscdpError as exc:
            letter = DeadLetter(reason=DeadReason.UNREADABLE, detail=ascii(str(exc)))
            if self._bury(sender.gb_id, request.body, letter, now):
                self._reply(request, peer, 400)
            return
        self._other(request, peer, told, sender)

    def _other(self, request: Request, peer: Peer, told: Told, sender: GbDevice) -> None:
        """What is no alarm: signs of life, answers, and what we have no use for."""
        if told.root == "response" or (told.root == "notify" and told.command == "Keepalive"):
            self.counts["keepalive"] += 1
            self._reply(request, peer, 200)
            return
        what = (sender.gb_id, f"{told.root} {told.command[:40]}")
        if what not in self._said and len(self._said) < 1000:
            self._said.add(what)
            log.warning("gb28181.not_for_us", device=sender.gb_id, what=ascii(what[1]))
        self.counts["not_for_us"] += 1
        self._reply(request, peer, 488)

    def _alarm(self, request: Request, peer: Peer, told: Told, sender: GbDevice, now: datetime) -> None:
        alarm = manscdp.alarm_of(told, self._zone)
        came = f"{header(request, 'Call-ID')} {cseq_of(request)[0]}"
        judged = judge_alarm(alarm, came, sender, self._city.devices, now)
        if not isinstance(judged, DeadLetter):
            try:
                if self._insist(lambda: self._done(self._store.note_device, judged, now)) is None:
                    return
                self.counts["alarms"] += 1
            except POISON as exc:
                judged = DeadLetter(reason=DeadReason.REFUSED_BY_STORE, detail=ascii(str(exc))[:500])
        if isinstance(judged, DeadLetter) and not self._bury(sender.gb_id, request.body, judged, now):
            return
        self._reply(request, peer, 200)
        result: manscdp.Result = "ERROR" if isinstance(judged, DeadLetter) else "OK"
        self._endpoint.post(self._response(sender, peer, told, result), peer)

    def _response(self, sender: GbDevice, peer: Peer, told: Told, result: manscdp.Result) -> Request:
        """The answer of the application, a message of its own (GB/T 28181 9.4)."""
        theirs, ours = GbId(sender.gb_id), GbId(self._centre.gb_id)
        way = Way(
            ours=ours,
            theirs=theirs,
            realm=theirs.domain,
            peer=peer,
            host=local_host(peer.host),
            port=self.port,
        )
        body = manscdp.response(told.command, told.sn, told.device_id, result)
        return request(way, "MESSAGE", 20, new_call_id(), body=body)

    def _unreadable(self, came: Came) -> None:
        """Bytes that are no SIP: of a device that we know they are kept, of others the endpoint has logged them."""
        assert self._registrar is not None
        device = self._registrar.is_home(came.peer.host, came.at)
        self.counts["no_sip"] += 1
        if device and self._may_keep_garbage(device, came):
            letter = DeadLetter(reason=DeadReason.UNREADABLE, detail=ascii(came.fault))
            self._bury(device, came.data, letter, came.at)

    def _may_keep_garbage(self, device: str, came: Came) -> bool:
        minute = came.at.replace(second=0, microsecond=0)
        begun, before = self._garbage.get(device, (minute, 0))
        count = before + 1 if begun == minute else 1
        self._garbage[device] = (minute, count)
        if count > GARBAGE_KEPT:
            self._endpoint.say("gb28181.garbage_not_kept", came.peer.host, device=device)
        return count <= GARBAGE_KEPT

    # ------------------------------------------------------------ what is told
    def _admit(self, answer: Answer, peer: Peer, now: datetime) -> None:
        """Writes down who was let in and who was not."""
        if answer.why:
            self.counts["refused"] += 1
            self._endpoint.say("gb28181.refused", peer.host, why=ascii(answer.why), status=str(answer.status))
        if (refused := answer.refused) is not None:
            work = self._work(refused.subject, "refused", now, refused.detail)
            if self._insist(lambda: self._done(self._kept.tell, work, now)) is not None:
                self._let_in.discard(refused.subject)
        if answer.let_in:
            assert self._hearing is not None
            self._hearing.heard(answer.let_in, now)
        if answer.registration is not None and answer.let_in not in self._let_in:
            work = self._work(answer.let_in, "let_in", now)
            if self._insist(lambda: self._done(self._kept.tell, work, now)) is not None:
                self._let_in.add(answer.let_in)

    def _look(self) -> None:
        """Who fell silent, and who is heard again."""
        assert self._hearing is not None
        now = self._clock()
        for change in self._hearing.changes(now):
            work = self._work(change.gb_id, "silent" if change.silent else "heard", change.at)
            if self._insist(lambda work=work: self._done(self._kept.tell, work, now)) is None:  # type: ignore[misc]
                return
            self._hearing.told(change, now)
            if change.silent:
                log.warning("gb28181.device_silent", device=change.gb_id, since=change.at.isoformat())

    def _work(self, subject: str, what: What, at: datetime, detail: str = "") -> GbDeviceWork:
        device = self._devices.get(subject)
        cameras = set(device.brings.values()) if device is not None else set()
        camera_id = cameras.pop() if len(cameras) == 1 else None
        return GbDeviceWork(subject=subject, what=what, at=at, camera_id=camera_id, detail=detail[:300])

    def _bury(self, device: str, payload: bytes, letter: DeadLetter, now: datetime) -> bool:
        """Keeps a dead letter; False when we are told to stop meanwhile."""
        self.counts["dead_letters"] += 1
        arrived = Arrived(topic=f"gb28181/{device}", payload=payload, received_at=now)
        log.warning("gb28181.not_accepted", device=device, reason=letter.reason.value, detail=letter.detail)
        keep = self._store.keep_dead_letter
        return self._insist(lambda: self._done(keep, arrived, letter.reason, letter.detail, now)) is not None

    # ------------------------------------------------------------ small things
    def _reply(self, request: Request, peer: Peer, status: int, *more: tuple[str, str]) -> None:
        answer = respond(request, status, *more, tag=secrets.token_hex(8), source=(peer.host, peer.port))
        self._endpoint.answer(request, peer, answer)

    @staticmethod
    def _done(step: Callable[..., None], *given: object) -> bool:
        step(*given)
        return True

    def _insist(self, step: Callable[[], Result]) -> Result | None:
        """Does `step` until it succeeds; None only when we are told to stop meanwhile. POISON, if it never can."""

        def well() -> Result:
            result = step()
            self._database_ok = True
            return result

        return insist(well, self._stopping, self._step_failed)

    def _step_failed(self, exc: Exception, retry_in_s: float) -> None:
        if isinstance(exc, POISON) or not isinstance(exc, (psycopg.Error, PoolTimeout)):
            raise exc
        self._database_ok = False
        log.warning("gb28181.database_away", error=str(exc).strip(), retry_in_s=round(retry_in_s, 2))
