"""Which backend an edge's cameras run their detector with: the configured one, or the fastest here.

Measuring happens once for all cameras, in a process of its own: libraries that are only compared
leave nothing behind in the worker, and one that crashes takes nothing with it. Leaves the measuring
to `models.choice`; if it can't be done, cameras start with the backend that runs anywhere, and what
is wrong with the weights is each camera's own error, as ever.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import structlog

from edge.logs import configure
from edge.orphans import die_with_parent
from models.backends import AUTO, FALLBACK, Options
from models.errors import ModelError

log = structlog.get_logger("edge.backend")

#: Building all backends and two seconds of measuring take some five; a machine that needs this long is in trouble.
PATIENCE_S: Final = 120.0


def backend_for(
    configured: str, weights_dir: Path | None, providers: tuple[str, ...], state_dir: Path
) -> str:
    """A name of `models.backends`. Reads the answer of an earlier start in `state_dir`, or measures now."""
    if configured != AUTO:
        log.info("detector_backend", backend=configured, reason="configured")
        return configured
    chosen, error = _asked(weights_dir, providers, state_dir)
    if chosen is None:
        log.warning(
            "detector_backend_not_measured", backend=FALLBACK, error=error,
            remedy="name one in the configuration: edges[].detector",
        )  # fmt: skip
    return chosen or FALLBACK


def _asked(weights_dir: Path | None, providers: tuple[str, ...], state_dir: Path) -> tuple[str | None, str]:
    """The child's answer. It ends with us, however we end, and at the latest when our patience does."""
    context = multiprocessing.get_context("spawn")
    answers, child_end = context.Pipe(duplex=False)
    child = context.Process(
        target=_child,
        args=(child_end, os.getpid(), _decide, weights_dir, providers, state_dir),
        daemon=True,
    )
    try:
        child.start()
        child_end.close()
        if not answers.poll(PATIENCE_S):
            return None, f"no answer within {PATIENCE_S:.0f} s"
        answer: tuple[str | None, str] = answers.recv()
        child.join(1.0)  # it ends by itself; killed below only if it hangs
        return answer
    except (EOFError, OSError) as exc:
        return None, f"the measuring process died: {exc or type(exc).__name__}"
    finally:
        answers.close()
        if child.pid is not None:
            child.kill()
            child.join()


def _child(
    answers: Connection,
    parent_pid: int,
    decide: Callable[[Path | None, tuple[str, ...], Path], tuple[str | None, str]],
    weights_dir: Path | None,
    providers: tuple[str, ...],
    state_dir: Path,
) -> None:
    die_with_parent(parent_pid)
    answers.send(decide(weights_dir, providers, state_dir))


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
