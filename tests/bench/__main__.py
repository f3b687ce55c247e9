"""`python -m tests.bench NAME …`: runs the bench of that name, a file beside this one with a `main`."""

import importlib
import sys
from pathlib import Path

#: Parts of benches, not benches.
PARTS = ("__init__", "__main__")


def names() -> list[str]:
    """All benches."""
    found = (path.stem for path in Path(__file__).parent.glob("*.py"))
    return sorted(name for name in found if name not in PARTS and not name.endswith(("_worker", "_python")))


def main() -> int:
    """Run one; exit status 2 if there is none of that name."""
    if len(sys.argv) < 2 or sys.argv[1] not in names():
        print(f"usage: python -m tests.bench NAME …, one of: {', '.join(names())}", file=sys.stderr)
        return 2
    name = sys.argv.pop(1)
    sys.argv[0] = f"python -m tests.bench {name}"
    return int(importlib.import_module(f"tests.bench.{name}").main() or 0)


if __name__ == "__main__":
    sys.exit(main())
