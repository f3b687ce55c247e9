"""What a sending can end in, other than delivered. Any other exception is a failure that is worth another try."""

from alerts.errors import AlertsError


class ChannelError(AlertsError):
    """A channel did not take a message; worth another try. The text never holds a secret."""

    #: whether a person should hear of it at once instead of after many attempts
    complain_now = False


class Down(ChannelError):
    """The channel failed many times in a row, whatever the message; worth another try."""

    complain_now = True


class Final(ChannelError):
    """The other side will never take this message by this channel: the fallback takes it at once."""

    complain_now = True


class NotNow(ChannelError):
    """Nothing was sent and nothing failed: a limit, or the other side asks to wait."""

    def __init__(self, reason: str, wait_s: float) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class OwnLimit(NotNow):
    """A limit of ours: the message's turn comes, so nobody is told, though the fallback takes what waits too long."""


class OutOfOrder(NotNow):
    """The channel failed so often that it rests; the fallback takes the message, if there is one."""
