"""`python -m tests.faults NAME …`: runs the fault runs of that name, a file beside this one with a `main`."""

import sys
from collections.abc import Callable

from tests.faults import edge, loop

#: What can be run; further files beside this one are their parts and the tests.
NAMES: dict[str, Callable[[], int]] = {"edge": edge.main, "loop": loop.main}


def main() -> int:
    """Run one; exit status 2 if there is none of that name."""
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        print(f"usage: python -m tests.faults NAME …, one of: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    name = sys.argv.pop(1)
    sys.argv[0] = f"python -m tests.faults {name}"
    return NAMES[name]()


if __name__ == "__main__":
    sys.exit(main())
