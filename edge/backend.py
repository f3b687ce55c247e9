"""Which backend an edge's cameras run their detector with: the configured one, or the fastest here.

Measuring happens once for all cameras, in a process of its own: libraries that are only compared
leave nothing behind in the worker, and one that crashes takes nothing with it. Leaves the measuring
to `models.choice`; if it can't be done, cameras start with the backend that runs anywhere, and what
is wrong with the weights is each camera's own error, as ever.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Final

import structlog

from edge.logs import configure
from models.backends import FALLBACK, Options
from models.errors import ModelError

log = structlog.get_logger("edge.backend")

#: What a configuration says to have the fastest chosen (`models.choice.AUTO`).
AUTO: Final = "auto"
#: Building all backends and two seconds of measuring take some five; a machine that needs this long is in trouble.
PATIENCE_S: Final = 120.0


def backend_for(
    configured: str, weights_dir: Path | None, providers: tuple[str, ...], state_dir: Path
) -> str:
    """A name of `models.backends`. Reads the answer of an earlier start in `state_dir`, or measures now."""
    if configured != AUTO:
        log.info("detector_backend", backend=configured, reason="configured")
        return configured
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    try:
        chosen, error = pool.submit(_decide, weights_dir, providers, state_dir).result(timeout=PATIENCE_S)
    except (BrokenProcessPool, TimeoutError, OSError) as exc:
        chosen, error = None, str(exc) or type(exc).__name__
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if chosen is None:
        log.warning(
            "detector_backend_not_measured", backend=FALLBACK, error=error,
            remedy="name one in the configuration: edges[].detector",
        )  # fmt: skip
    return chosen or FALLBACK


def _decide(weights_dir: Path | None, providers: tuple[str, ...], state_dir: Path) -> tuple[str | None, str]:
    """In the child: a name, or None and why not; our errors carry more than crosses a process border."""
    from models.choice import decide
    from models.registry import find, read_card

    configure()
    try:
        card = read_card(weights_dir or find(None))
        options = Options(long_side_px=card.long_side_px, providers=providers)
        return decide(card, options, state_dir).backend, ""
    except ModelError as exc:
        return None, str(exc)
    except (
        Exception
    ) as exc:  # outermost here: what a driver raises would end the edge before its first camera
        log.exception("detector_backend_failed")
        return None, f"{type(exc).__name__}: {exc}"
