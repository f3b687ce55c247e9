"""A server process of its own over a migrated database: `python -m tests.doubles.web_process DSN FOLDER`.

Says its port once it serves, and ends when its input does.
"""

import socket
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from tests.doubles.web_town import town


def main(dsn: str, folder: str) -> None:
    """Serve on a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with town(dsn, Path(folder), datetime.now(UTC)) as here:
        app = here.app(clock=lambda: datetime.now(UTC))
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))

        def ends() -> None:
            sys.stdin.read()
            server.should_exit = True

        def tells() -> None:
            while not server.started:
                threading.Event().wait(0.02)
            print(port, flush=True)

        for work in (ends, tells):
            threading.Thread(target=work, daemon=True).start()
        server.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
