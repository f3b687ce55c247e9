"""Is the centre alive, and are its parts well. Nobody needs to log in, so nothing else is told."""

import psycopg
import psycopg_pool
import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from monitor.web.deps import web_of

log = structlog.get_logger(__name__)
router = APIRouter()


@router.get("/healthz")
def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz")
def ready(request: Request) -> JSONResponse:
    """Database, stream and the parts that the entry point named; 503 if one is not well."""
    web = web_of(request)
    well = {"database": _database(request), "stream": bool(web.hub) and web.hub.listening.is_set()}
    well |= {name: check() for name, check in web.deps.checks.items()}
    status = "ready" if all(well.values()) else "not_ready"
    return JSONResponse({"status": status, **well}, 200 if all(well.values()) else 503)


def _database(request: Request) -> bool:
    try:
        with web_of(request).deps.pool.connection(timeout=2) as conn:
            conn.execute("SELECT 1")
    except (psycopg.Error, psycopg_pool.PoolTimeout) as exc:
        log.warning("web.database_away", error=str(exc).strip())
        return False
    return True
