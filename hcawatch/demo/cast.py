"""The people of the demo, simulated: two officers with phones, an operator, a supervisor.

They are programs of their own that use the public API only, as people's phones and browsers would.
"""

import signal
import sys
from types import TracebackType

from hcawatch.demo.commentary import Say
from hcawatch.demo.setting import OFFICERS
from hcawatch.stack import Stack
from hcawatch.texts import text
from monitor.child import Child

#: seconds between an officer's steps: long enough to watch, short enough for the story
PHONE_PAUSE_S = 6.0


class Cast:
    """Enter: they begin; leave: they end."""

    def __init__(self, stack: Stack, say: Say) -> None:
        self._stack, self._say = stack, say
        self._children: list[Child] = []

    def __enter__(self) -> "Cast":
        for officer in OFFICERS:
            self._begin("hcawatch.demo.phone", officer, "--pause", str(PHONE_PAUSE_S))
        for user in ("operator", "supervisor"):
            self._begin("hcawatch.demo.room", user)
        self._say(text("people", officers=", ".join(OFFICERS)))
        return self

    def _begin(self, module: str, user: str, *arguments: str) -> None:
        password_file = self._stack.data_dir / "secrets" / f"password-{user}"
        self._children.append(
            Child(
                [sys.executable, "-m", module, "--url", self._stack.url, "--user", user,
                 "--password-file", str(password_file), *arguments],
                log=self._stack.data_dir / "logs" / f"{user}.log",
            )
        )  # fmt: skip

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._children:
            child.stop((signal.SIGTERM, 3.0))
