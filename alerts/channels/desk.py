"""The channels as the courier sees them: each sending asks the limits first and tells them what came of it.

Decides nothing itself (limits.py, routes.py). A channel without a limit that is in order costs no statement: its
deliveries are counted here and written every few seconds.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

import msgspec
import structlog

from alerts.channels import limits
from alerts.channels.failures import ChannelError, Down, Final, NotNow, OutOfOrder, OwnLimit
from alerts.channels.limits import ChannelState, Refusal, Why
from alerts.channels.parcel import Deliver, Parcel
from alerts.channels.routes import Routes
from alerts.channels.states import ChannelStates
from alerts.values import Outgoing
from monitor.domain.assets import Channel, City

log = structlog.get_logger(__name__)

#: what other processes did is looked at this often
LOOK_S = 1.0
#: deliveries of channels without a limit are written this often
COUNT_S = 5.0
#: failures in a row after which a person is told, whatever the message
DOWN_AFTER = 10

_SAYS = {
    Why.RATE: "its messages per minute are used up",
    Why.RESTS: "it rests after failures in a row",
    Why.ASKED: "the other side asked to wait",
}

_RAISES = {Why.RATE: OwnLimit, Why.RESTS: OutOfOrder, Why.ASKED: NotNow}


class Desk:
    """See the module. `sends` is the courier's mapping; `held` and `fallback` are what it asks beside."""

    def __init__(
        self,
        city: City,
        kinds: Mapping[str, Deliver],
        states: ChannelStates,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`kinds`: by channel, how it is delivered."""
        self._routes, self._kinds, self._states = Routes(city), kinds, states
        self._clock, self._monotonic = clock, monotonic
        self._lock = threading.Lock()
        self._seen: dict[str, ChannelState] = {}
        self._looked_s = float("-inf")
        self._counted: dict[str, int] = {}
        self._wrote_s = self._monotonic()
        self._channels = self._routes.channels

    @property
    def sends(self) -> dict[str, Callable[[str, bytes, bool], None]]:
        """How to send by each channel."""
        return {name: self._sender(name) for name in self._kinds}

    def held(self, now: datetime) -> Collection[str]:
        """Channels that may not be used now.

        Not one that rests and has a fallback, which takes over; and none that was asked to wait: each of its messages
        waits for itself, so that one that waits too long is handed over or said.
        """
        if not self._channels:
            return ()
        found = []
        for name, state in self._look().items():
            channel = self._channels.get(name)
            no = None if channel is None else limits.refusal(channel, state, now)
            if (
                channel is not None
                and no is not None
                and no.why is not Why.ASKED
                and (no.why is not Why.RESTS or channel.fallback is None)
            ):
                found.append(name)
        self._write_counts()
        return found

    def fallback(self, message: Outgoing) -> tuple[str, str] | None:
        """Channel and address that take over from the message's own."""
        found = self._routes.fallback(message.channel, message.address, message.body)
        return found if found is not None and found[0] in self._kinds else None

    # ------------------------------------------------------------ one sending
    def _sender(self, name: str) -> Callable[[str, bytes, bool], None]:
        deliver, channel = self._kinds[name], self._channels.get(name)
        if channel is None:
            raise LookupError(f"channel {name!r} is not in the configuration")

        def send(address: str, payload: bytes, retain: bool) -> None:
            now = self._clock()
            body = msgspec.json.decode(payload)
            parcel = Parcel(
                address=address, key=str(body["idempotency_key"]), body=body, payload=payload, now=now,
                language=self._routes.language(channel, address, body),
            )  # fmt: skip
            self._ask(channel, now)
            try:
                deliver(parcel)
            except Exception as exc:
                self._failed(channel, exc, now, address)
                raise
            self._succeeded(channel, now)

        return send

    def _failed(self, channel: Channel, error: Exception, now: datetime, address: str) -> None:
        """Writes what it means for the channel; raises Down if it failed long enough for a person to be told."""
        said = str(error) if isinstance(error, ChannelError) else f"{type(error).__name__}: {error}"
        if isinstance(error, NotNow):
            wait_s = 0.0 if _many_receivers(channel, address) else error.wait_s
            self._change(channel, lambda state: limits.held(state, wait_s, said, now))
        elif isinstance(error, Final) or channel.kind == "webpush":
            # the service of one person's browser: others' may be well
            self._change(channel, lambda state: limits.refused(state, said, now))
        else:
            state = self._change(channel, lambda state: limits.failed(channel, state, said, self._clock()))
            if state.failures == channel.failures_until_open:
                log.warning("channel.out_of_order", channel=channel.channel_id, error=said)
            if state.failures >= DOWN_AFTER:
                raise Down(f"failed {state.failures} times in a row: {said}") from error

    def _ask(self, channel: Channel, now: datetime) -> None:
        """Returns if a message may go, which then counts; raises NotNow or OutOfOrder."""
        seen = self._look().get(channel.channel_id)
        if channel.per_minute is None and (
            seen is None or (seen.open_until is None and seen.hold_until is None)
        ):
            return

        def asking(state: ChannelState) -> tuple[ChannelState, tuple[ChannelState, Refusal | None]]:
            no = limits.refusal(channel, state, now)
            after = state if no is not None else limits.granted(channel, state, now)
            return after, (after, no)

        state, no = self._states.change(channel.channel_id, asking)
        self._remember(state)
        if no is not None:
            wait_s = (no.until - now).total_seconds()
            raise _RAISES[no.why](f"channel {channel.channel_id}: {_SAYS[no.why]}", wait_s)

    def _succeeded(self, channel: Channel, now: datetime) -> None:
        seen = self._look().get(channel.channel_id)
        well = (
            seen is not None
            and seen.failures == 0
            and seen.open_until is None
            and seen.last_ok_at is not None
        )
        if channel.per_minute is None and well:
            with self._lock:
                self._counted[channel.channel_id] = self._counted.get(channel.channel_id, 0) + 1
            return
        if seen is not None and seen.open_until is not None:
            log.info("channel.in_order_again", channel=channel.channel_id)
        self._change(channel, lambda state: limits.delivered(state, now))

    # ------------------------------------------------------------ what is known
    def _change(self, channel: Channel, after: Callable[[ChannelState], ChannelState]) -> ChannelState:
        def changing(state: ChannelState) -> tuple[ChannelState, ChannelState]:
            changed = after(state)
            return changed, changed

        state = self._states.change(channel.channel_id, changing)
        self._remember(state)
        return state

    def _remember(self, state: ChannelState) -> None:
        with self._lock:
            self._seen[state.channel] = state

    def _look(self) -> dict[str, ChannelState]:
        with self._lock:
            fresh = self._monotonic() - self._looked_s < LOOK_S
            if not fresh:
                self._looked_s = self._monotonic()
        if not fresh:
            found = dict(self._states.all())
            with self._lock:
                self._seen = found
        with self._lock:
            return dict(self._seen)

    def _write_counts(self) -> None:
        with self._lock:
            if self._monotonic() - self._wrote_s < COUNT_S:
                return
            self._wrote_s = self._monotonic()
            counted, self._counted = self._counted, {}
        for name, count in counted.items():
            self._change(self._channels[name], lambda s, n=count: limits.counted(s, n, self._clock()))  # type: ignore[misc]


def _many_receivers(channel: Channel, address: str) -> bool:
    """Whether each address is a receiver of its own: what one of them asks for is not asked of the others."""
    return channel.kind == "webpush" or (channel.kind == "webhook" and bool(address))
