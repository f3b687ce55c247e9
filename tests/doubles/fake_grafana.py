"""A FAKE Grafana on loopback: the few routes that `hcawatch grafana apply` calls, kept in memory.

It is not Grafana: it checks token, paths and shapes as Grafana's HTTP API documents them, renders nothing
and runs no query. There is no Grafana in any package registry to test against.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


class FakeGrafana:
    """`with FakeGrafana(token) as fake: fake.url`; what was put into it stands in the attributes."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.datasources: dict[str, dict[str, Any]] = {}
        self.folders: dict[str, dict[str, Any]] = {}
        self.dashboards: dict[str, dict[str, Any]] = {}
        #: (method, path) of every request
        self.requests: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "FakeGrafana":
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Status and JSON of one request."""
        match (method, path.split("?")[0].strip("/").split("/")):
            case ("GET", ["api", "datasources", "uid", uid]):
                return (
                    (200, self.datasources[uid])
                    if uid in self.datasources
                    else (404, {"message": "not found"})
                )
            case ("POST", ["api", "datasources"]):
                if body["name"] in {known["name"] for known in self.datasources.values()}:
                    return 409, {"message": "data source with the same name already exists"}
                self.datasources[body["uid"]] = body
                return 200, {"message": "Datasource added", "datasource": body}
            case ("PUT", ["api", "datasources", "uid", uid]):
                self.datasources[uid] = body
                return 200, {"message": "Datasource updated", "datasource": body}
            case ("GET", ["api", "folders", uid]):
                return (
                    (200, self.folders[uid])
                    if uid in self.folders
                    else (404, {"message": "folder not found"})
                )
            case ("POST", ["api", "folders"]):
                self.folders[body["uid"]] = body
                return 200, body
            case ("POST", ["api", "dashboards", "db"]):
                return self._put_dashboard(body)
            case ("GET", ["api", "health"]):
                return 200, {"database": "ok", "version": "0.0.0-fake"}
            case _:
                return 404, {"message": f"the fake has no route {method} {path}"}

    def _put_dashboard(self, body: Any) -> tuple[int, Any]:
        board = body["dashboard"]
        if body.get("folderUid") not in self.folders:
            return 400, {"message": "folder not found"}
        if board["uid"] in self.dashboards and not body.get("overwrite"):
            return 412, {
                "message": "The dashboard has been changed by someone else",
                "status": "version-mismatch",
            }
        version = self.dashboards.get(board["uid"], {}).get("version", 0) + 1
        self.dashboards[board["uid"]] = {**board, "version": version}
        return 200, {
            "uid": board["uid"],
            "status": "success",
            "version": version,
            "url": "/d/" + board["uid"],
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                fake.requests.append((self.command, self.path))
                if self.headers.get("Authorization") != f"Bearer {fake.token}":
                    status, answer = 401, {"message": "Invalid API key"}
                else:
                    status, answer = fake.answer(self.command, self.path, body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = _serve  # noqa: N815 - the standard library's names

            def log_message(self, *args: Any) -> None:
                """Silent."""

        return Handler
