"""Proves the demo's history as a regulator would: export, verify offline, rebuild all states from the log."""

from pathlib import Path

from alerts.replay import check
from monitor.audit.export import bundle
from monitor.audit.verify import verify_bundle
from monitor.store.migrate import kind_of_store
from monitor.store.pool import Conn


def prove(conn: Conn, data_dir: Path) -> tuple[str, str]:
    """("verified" or what is wrong, the kind of store)."""
    out = data_dir / "audit-bundle.zip"
    bundle(conn, out)
    verdict = verify_bundle(out)
    differences = check(conn)
    store = kind_of_store(conn)
    if not verdict.ok:
        return str(verdict), store
    if differences:
        return f"replay differs: {differences[0]}", store
    return "verified", store
