"""What stays for a process's whole life is left out of Python's garbage collection."""

import gc

#: new containers between two collections; Python's own 700 suits short scripts
EVERY = 10_000


def leave_out_what_is_there() -> None:
    """To be called once, when all modules and the configuration are loaded.

    A city with thousands of people is walked through by every full collection otherwise: a sixth of the CPU of the
    centre's ingest under load (docs/decisions/0403-fast-loop.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(EVERY)
