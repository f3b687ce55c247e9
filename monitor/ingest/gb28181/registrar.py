"""Who is let in: registrations by digest (GB/T 28181 9.1, RFC 3261 10 and 22), and whether a message comes from whom
it says. Its memory changes by its calls only, `now` is passed in; what must survive a restart is in the answer.
"""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from monitor.domain.assets import GbCentre, GbDevice
from monitor.domain.gb_ids import is_gb_id
from monitor.sip.digest import Guard, Proof
from monitor.sip.endpoint import Peer
from monitor.sip.messages import Request, header, user_of

#: of a registration, in seconds; what the standard takes if nothing is said is a day
LONGEST_S: Final = 86_400
DEFAULT_S: Final = 3600
#: so many wrong tries within the window, then no more is looked at until the window lets go
TRIES: Final = 5
TRIES_WITHIN: Final = timedelta(minutes=5)
#: a person is told of one that is refused again and again, at most so often
TOLD_EVERY: Final = timedelta(minutes=10)
#: so many strangers are told of one by one within that time, those beyond it under one subject: addresses can be forged
STRANGERS_TOLD: Final = 10
MANY: Final = "many addresses"
_MOST_KEPT: Final = 5000
#: after a device's id: messages without a proof are counted for the alert, and keep nobody out
_UNPROVEN: Final = " without proof"


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A device that is registered, and where it is."""

    gb_id: str
    transport: str
    host: str
    port: int
    registered_at: datetime
    expires_at: datetime


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody is refused again and again: a device by its id, a stranger by the address."""

    subject: str
    detail: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered, and what changes."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    #: why, for the log; '' if there is nothing to say
    why: str = ""
    registration: Registration | None = None
    #: it logged off
    gone: str = ""
    refused: Refused | None = None
    #: who proved to be who it says
    let_in: str = ""


class Registrar:
    """The memory of one door. One thread."""

    def __init__(
        self,
        centre: GbCentre,
        passwords: Mapping[str, str],
        registered: Iterable[Registration] = (),
        guard: Guard | None = None,
    ) -> None:
        """`passwords`: by device. `registered`: what an earlier life has kept."""
        self._devices = {device.gb_id: device for device in centre.devices}
        self._passwords, self._zone = passwords, ZoneInfo(centre.timezone)
        self._guard = guard or Guard(centre.realm)
        self._registered = {one.gb_id: one for one in registered if one.gb_id in self._devices}
        self._tries: OrderedDict[tuple[str, str], list[datetime]] = OrderedDict()
        self._told: OrderedDict[str, datetime] = OrderedDict()
        #: when strangers were told of, one by one
        self._strangers: list[datetime] = []

    def registered(self, gb_id: str, now: datetime) -> Registration | None:
        """The registration of a device, while it lasts."""
        found = self._registered.get(gb_id)
        return found if found is not None and found.expires_at > now else None

    def is_home(self, host: str, now: datetime) -> str:
        """The device that is registered at that address; ''."""
        return next(
            (one.gb_id for one in self._registered.values() if one.host == host and one.expires_at > now), ""
        )

    # ------------------------------------------------------------ REGISTER
    def on_register(self, request: Request, peer: Peer, now: datetime) -> Answer:
        """Whether the device is who it says, and until when it is registered."""
        who = user_of(header(request, "To"))
        device = self._devices.get(who)
        if device is None:
            return self._stranger(who, peer, now)
        answer = self._proven(device, request, peer, now)
        if answer is not None:
            return answer
        if user_of(header(request, "From")) != who:
            return self._refuse(who, peer, now, 403, "it registers for another one")
        seconds = _expires(request)
        if seconds is None:
            return Answer(status=400, why="Expires is no number", let_in=who)
        common = (
            ("Date", now.astimezone(self._zone).strftime("%Y-%m-%dT%H:%M:%S.000")),
            ("Expires", str(seconds)),
        )
        contact = header(request, "Contact")
        more = (*common, ("Contact", contact)) if contact and seconds else common
        if seconds == 0:
            self._registered.pop(who, None)
            return Answer(status=200, headers=more, gone=who, let_in=who)
        registration = Registration(
            gb_id=who, transport=peer.transport, host=peer.host, port=peer.port, registered_at=now,
            expires_at=now + timedelta(seconds=seconds),
        )  # fmt: skip
        self._registered[who] = registration
        return Answer(status=200, headers=more, registration=registration, let_in=who)

    # ------------------------------------------------------------ MESSAGE
    def on_message(self, request: Request, peer: Peer, now: datetime) -> Answer:
        """200 if it comes from a registered device at its address, or proves itself; else what is answered."""
        who = user_of(header(request, "From"))
        device = self._devices.get(who)
        if device is None:
            return self._stranger(who, peer, now)
        registration = self.registered(who, now)
        if registration is not None and registration.host == peer.host:
            return Answer(status=200, let_in=who)
        if header(request, "Authorization"):
            return self._proven(device, request, peer, now) or Answer(status=200, let_in=who)
        elsewhere = (
            f"it is registered at {registration.host}" if registration is not None else "it is not registered"
        )
        why = f"a message of {who} comes from {peer.host}, and {elsewhere}"
        # no wrong try: a device with a new address goes on sending, and must not lock itself out by that
        refused = self._refuse(who, peer, now, 401, why, _UNPROVEN)
        return msgspec.structs.replace(refused, headers=self._challenge(device, now))

    # ------------------------------------------------------------ proof
    def _proven(self, device: GbDevice, request: Request, peer: Peer, now: datetime) -> Answer | None:
        """None if it has proven itself; else what is answered."""
        who, given = device.gb_id, header(request, "Authorization")
        if (wait_s := self._wait_s(who, peer.host, now)) > 0:
            headers = (("Retry-After", str(int(wait_s) + 1)),)
            return Answer(status=403, headers=headers, why="too many wrong tries")
        if not given:
            return Answer(status=401, headers=self._challenge(device, now))
        password = self._passwords.get(who)
        if password is None:
            return self._refuse(
                who, peer, now, 403, f"the password of {who} can't be had here: see the centre's log"
            )
        match self._guard.judge(given, device.digest, who, password, request.method, now):
            case Proof.RIGHT:
                self._tries.pop((who, peer.host), None)
                self._tries.pop((who + _UNPROVEN, peer.host), None)
                self._told.pop(who, None)
                return None
            case Proof.STALE:
                return Answer(status=401, headers=self._challenge(device, now, stale=True))
            case Proof.WRONG:
                return self._refuse(who, peer, now, 403, f"wrong password for {who} from {peer.host}")

    def _challenge(
        self, device: GbDevice, now: datetime, *, stale: bool = False
    ) -> tuple[tuple[str, str], ...]:
        return (("WWW-Authenticate", self._guard.challenge(device.digest, now, stale=stale)),)

    # ------------------------------------------------------------ refusing
    def _stranger(self, who: str, peer: Peer, now: datetime) -> Answer:
        """Counted by address: what it calls itself, it may change at will."""
        if self._wait_s("", peer.host, now) > 0:
            return Answer(status=403, why="too many wrong tries")
        named = who if is_gb_id(who) else "somebody without an id"
        detail = f"{named} at {peer.host} is not under `gb28181: devices:`"
        return self._refuse("", peer, now, 404 if is_gb_id(who) else 400, detail)

    def _refuse(
        self, who: str, peer: Peer, now: datetime, status: int, why: str, counted: str = ""
    ) -> Answer:
        key = (who + counted, peer.host)
        recent = [at for at in self._tries.get(key, []) if at > now - TRIES_WITHIN]
        self._tries[key] = [*recent, now][-TRIES:]
        self._tries.move_to_end(key)
        while len(self._tries) > _MOST_KEPT:
            self._tries.popitem(last=False)
        return Answer(status=status, why=why, refused=self._tell(who or peer.host, key, why, now))

    def _tell(self, subject: str, key: tuple[str, str], why: str, now: datetime) -> Refused | None:
        if len(self._tries[key]) < TRIES:
            return None
        if self._told_lately(subject, now):
            return None
        if not key[0]:
            self._strangers = [at for at in self._strangers if at > now - TOLD_EVERY]
            if len(self._strangers) >= STRANGERS_TOLD:
                subject, why = MANY, f"more than {STRANGERS_TOLD} addresses in a short time, the last: {why}"
                if self._told_lately(subject, now):
                    return None
            else:
                self._strangers.append(now)
        self._told[subject] = now
        self._told.move_to_end(subject)
        while len(self._told) > _MOST_KEPT:
            self._told.popitem(last=False)
        return Refused(subject=subject, detail=why)

    def _told_lately(self, subject: str, now: datetime) -> bool:
        last = self._told.get(subject)
        return last is not None and now - last < TOLD_EVERY

    def _wait_s(self, who: str, host: str, now: datetime) -> float:
        tries = self._tries.get((who, host), [])
        recent = [at for at in tries if at > now - TRIES_WITHIN]
        return (recent[0] + TRIES_WITHIN - now).total_seconds() if len(recent) >= TRIES else 0.0


def _expires(request: Request) -> int | None:
    """Seconds that a REGISTER asks for, at most a day; None if that is no number."""
    found = re.search(r";\s*expires\s*=\s*([^;,\s]+)", header(request, "Contact"), re.IGNORECASE)
    said = found.group(1) if found else header(request, "Expires")
    if not said:
        return DEFAULT_S
    return min(int(said), LONGEST_S) if re.fullmatch(r"[0-9]{1,10}", said) else None
