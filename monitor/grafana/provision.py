"""Puts data source, folder and dashboards into a running Grafana through its HTTP API. Safe to run again.

Tested against a small fake server only; there is no Grafana where this is built.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from monitor.grafana.dashboards import (
    BOARDS,
    DATASOURCE_TYPE,
    DATASOURCE_UID,
    FOLDER_TITLE,
    FOLDER_UID,
    as_table,
)
from monitor.grafana.errors import GrafanaRefused, TokenMissing
from monitor.grafana.panels import Language

TIMEOUT_S = 10.0


def read_token(env: Mapping[str, str], token_file: Path | None) -> str:
    """The API token from a file or from HCAWATCH_GRAFANA_TOKEN; TokenMissing."""
    if token_file is not None:
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except OSError as exc:
            raise TokenMissing(f"{token_file} can't be read: {exc.strerror or exc}") from exc
    else:
        token = env.get("HCAWATCH_GRAFANA_TOKEN", "").strip()
    if not token:
        raise TokenMissing(
            "no token for Grafana: make a service account token (role Admin) and set HCAWATCH_GRAFANA_TOKEN, "
            "or give --token-file"
        )
    return token


def apply(
    url: str, *, token: str, language: Language = "en", datasource_url: str | None = None
) -> Iterator[str]:
    """Create or update everything; yields a line for each thing done. GrafanaRefused tells what failed."""
    # niquests behind it takes half a second to import
    from grafana_client.api import GrafanaApi
    from grafana_client.client import GrafanaException, TokenAuth

    if urlsplit(url).scheme not in ("http", "https"):
        raise GrafanaRefused(f"{url} is no address of Grafana; write http://… or https://…")
    credential: Any = TokenAuth
    api = GrafanaApi.from_url(url, credential=credential(token), timeout=TIMEOUT_S)
    try:
        if datasource_url is not None:
            yield _put_datasource(api, datasource(datasource_url))
        yield _put_folder(api)
        for board in BOARDS:
            api.dashboard.update_dashboard(
                {
                    "dashboard": {**as_table(board, language), "id": None},
                    "folderUid": FOLDER_UID, "overwrite": True, "message": "hcawatch grafana apply",
                }
            )  # fmt: skip
            yield f"dashboard {board.uid}: written"
    except GrafanaException as exc:
        raise GrafanaRefused(f"Grafana at {url} answered {exc.status_code}: {exc.message}") from exc
    except OSError as exc:  # niquests' errors are OSErrors
        raise GrafanaRefused(f"Grafana at {url} can't be reached: {exc}") from exc


def datasource(url: str) -> dict[str, Any]:
    """Grafana's data source for a postgresql:// address; the password goes into its secure part."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres") or not parts.hostname:
        raise GrafanaRefused("the data source's address must be postgresql://user:password@host/database")
    sslmode = parse_qs(parts.query).get("sslmode", ["require"])[0]
    return {
        "uid": DATASOURCE_UID, "name": "hcawatch", "type": DATASOURCE_TYPE, "access": "proxy",
        "url": f"{parts.hostname}:{parts.port or 5432}", "user": unquote(parts.username or ""),
        "database": parts.path.lstrip("/"),
        "jsonData": {"database": parts.path.lstrip("/"), "sslmode": sslmode, "postgresVersion": 1500, "timescaledb": False},
        "secureJsonData": {"password": unquote(parts.password or "")},
    }  # fmt: skip


def _put_datasource(api: Any, wanted: dict[str, Any]) -> str:
    from grafana_client.client import GrafanaClientError

    try:
        api.datasource.get_datasource_by_uid(DATASOURCE_UID)
    except GrafanaClientError as exc:
        if exc.status_code != 404:
            raise
        api.datasource.create_datasource(wanted)
        return f"data source {DATASOURCE_UID}: created"
    api.datasource.update_datasource_by_uid(DATASOURCE_UID, wanted)
    return f"data source {DATASOURCE_UID}: updated"


def _put_folder(api: Any) -> str:
    from grafana_client.client import GrafanaClientError

    try:
        api.folder.get_folder(FOLDER_UID)
    except GrafanaClientError as exc:
        if exc.status_code != 404:
            raise
        api.folder.create_folder(FOLDER_TITLE, uid=FOLDER_UID)
        return f"folder {FOLDER_UID}: created"
    return f"folder {FOLDER_UID}: there"
