"""`python -m tests.bench.edge_parts.worker CITY SETTINGS EDGE`: the edge worker as `hcawatch edge` runs it.

Without its configuration file: what it would read out of that lies in two JSON files.
"""

import sys
from pathlib import Path

import msgspec

from edge.worker import EdgeSettings, run
from monitor.domain.assets import City


def main() -> int:
    """Run until SIGTERM."""
    city_path, settings_path, edge_id = sys.argv[1:]
    city = msgspec.json.decode(Path(city_path).read_bytes(), type=City)
    settings = msgspec.json.decode(
        Path(settings_path).read_bytes(), type=EdgeSettings, dec_hook=lambda kind, value: kind(value)
    )
    return run(city, edge_id, settings)


if __name__ == "__main__":  # cameras' processes import this file anew
    sys.exit(main())
