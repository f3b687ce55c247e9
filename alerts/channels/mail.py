"""E-mail over SMTP: plain text and HTML of the same message, in the receiver's language."""

import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from html import escape
from typing import Any

from alerts.channels.failures import ChannelError, Final
from alerts.channels.parcel import Parcel
from alerts.channels.wording import Wording
from monitor.domain.assets import Channel

PORTS = {"starttls": 587, "tls": 465, "none": 25}

#: the colours of the levels (monitor.domain.levels), dark enough to be read
_COLOURS = {"I": "#b00020", "II": "#b25600", "III": "#7a6000", "IV": "#1d4f91"}


def message_of(parcel: Parcel, words: Wording, sender: str) -> EmailMessage:
    """The e-mail. Its Message-ID is of the key, so that one that comes twice is seen as one."""
    mail = EmailMessage()
    domain = sender.rpartition("@")[2].strip("> ") or "hcawatch.invalid"
    mail["From"], mail["To"] = sender, parcel.address
    mail["Subject"] = words.headline
    mail["Date"] = format_datetime(parcel.now)
    mail["Message-ID"] = f"<{sha256(parcel.key.encode()).hexdigest()[:40]}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    if parcel.body.get("alert_id"):  # one thread for one alert
        mail["References"] = f"<{parcel.body['alert_id']}@{domain}>"
    if parcel.body.get("level") in ("I", "II"):
        mail["X-Priority"] = "1"
    mail.set_content(words.text())
    mail.add_alternative(html_of(words, parcel.language, str(parcel.body.get("level") or "")), subtype="html")
    return mail


def html_of(words: Wording, language: str, level: str) -> str:
    """The same as HTML that needs nothing from outside."""
    colour = _COLOURS.get(level, "#333333")
    rows = "".join(
        f"<tr><th align='left' valign='top'>{escape(label)}</th><td>{escape(value)}</td></tr>"
        for label, value in words.lines
    )
    links = "".join(
        f"<p><a href='{escape(url, quote=True)}'>{escape(label)}</a></p>" for label, url in words.links
    )
    return (
        f"<!doctype html><html lang='{'zh-CN' if language == 'zh' else 'en'}'><body style='font-family:sans-serif'>"
        f"<h2 style='color:{colour}'>{escape(words.headline)}</h2><table cellpadding='4'>{rows}</table>{links}</body></html>"
    )


class _Going:
    """One mail on its way, in a thread of its own: smtplib's timeout counts anew for each read, and a resolver has none."""

    def __init__(self) -> None:
        self.smtp: smtplib.SMTP | None = None
        self.over = threading.Event()
        self.error: Exception | None = None

    def run(self, send: Callable[["_Going"], None]) -> None:
        try:
            send(self)
        except Exception as exc:  # noqa: BLE001 - whoever waits raises it
            self.error = exc

    def give_up(self) -> None:
        """Wakes a thread that reads or writes, so that it ends soon."""
        self.over.set()
        sock = None if self.smtp is None else self.smtp.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class _Smtp(smtplib.SMTP):
    """Known to its _Going before it connects, since the greeting may be slow already."""

    def __init__(self, going: _Going, *args: Any, **more: Any) -> None:
        going.smtp = self
        super().__init__(*args, **more)


class _SmtpOverTls(smtplib.SMTP_SSL):
    """As _Smtp."""

    def __init__(self, going: _Going, *args: Any, **more: Any) -> None:
        going.smtp = self
        super().__init__(*args, **more)


class Mail:
    """One SMTP server. A mail takes no longer than the channel's `timeout_s`, however slowly the server answers."""

    def __init__(
        self,
        channel: Channel,
        password: str | None,
        words: Callable[[Parcel], Wording],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._channel, self._password, self._words = channel, password, words
        self._tls = tls or ssl.create_default_context()

    def __call__(self, parcel: Parcel) -> None:
        if not parcel.address:
            raise Final("an e-mail needs an address")
        try:
            mail = message_of(parcel, self._words(parcel), self._channel.sender or "")
        except (ValueError, MessageError) as exc:  # a line break in an address
            raise Final(f"no e-mail can be made of it: {exc}") from exc
        going = _Going()
        worker = threading.Thread(
            target=going.run, args=(lambda g: self._send(mail, g),), name="mail", daemon=True
        )
        worker.start()
        worker.join(self._channel.timeout_s)
        if worker.is_alive():
            going.give_up()
            raise ChannelError(
                f"{self._channel.host} did not take the message within {self._channel.timeout_s:g} s"
            )
        if going.error is not None:
            self._say(going.error, parcel)

    def _say(self, error: Exception, parcel: Parcel) -> None:
        """Raises what the error means for the message."""
        try:
            raise error
        except smtplib.SMTPRecipientsRefused as exc:
            code, said = next(iter(exc.recipients.values()))
            raise _error(code, said, f"the address {parcel.address} was refused") from exc
        except smtplib.SMTPAuthenticationError as exc:
            raise Final(
                f"{self._channel.host} refused the login of {self._channel.user} ({exc.smtp_code})"
            ) from exc
        except smtplib.SMTPResponseException as exc:
            raise _error(exc.smtp_code, exc.smtp_error, f"{self._channel.host} refused the message") from exc
        except smtplib.SMTPNotSupportedError as exc:
            raise Final(f"{self._channel.host}: {exc}: check `security:` and `user:`") from exc

    def _send(self, mail: EmailMessage, going: _Going) -> None:
        with self._connected(going) as smtp:
            if not going.over.is_set():  # else nobody waits for it any more, and it will be sent again
                smtp.send_message(mail)

    def _connected(self, going: _Going) -> smtplib.SMTP:
        channel = self._channel
        host, port = channel.host or "", channel.port or PORTS[channel.security]
        if channel.security == "tls":
            smtp: smtplib.SMTP = _SmtpOverTls(going, host, port, timeout=channel.timeout_s, context=self._tls)
        else:
            smtp = _Smtp(going, host, port, timeout=channel.timeout_s)
        try:
            if channel.security == "starttls":
                smtp.starttls(context=self._tls)
            if channel.user is not None:
                smtp.login(channel.user, self._password or "")
        except BaseException:
            smtp.close()
            raise
        return smtp


def _error(code: int, said: bytes | str, what: str) -> ChannelError:
    """5xx is for good, 4xx is worth another try (RFC 5321, 4.2.1)."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    told = f"{what}: {code} {' '.join(text.split())[:200]}"
    return Final(told) if 500 <= code < 600 else ChannelError(told)
