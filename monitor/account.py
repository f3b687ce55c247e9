"""As whom programs run that refuse to be, or should not be, root.

A plain user runs them as themselves. Root drops to an account of its own, which is made once,
owns nothing but the folders of these programs and can log in nowhere.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

ACCOUNT: Final = "hcawatch-embedded"


class AccountError(OSError):
    """The account or the binaries can't be made; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OsUser:
    """An account that a child drops to."""

    name: str
    uid: int
    gid: int


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
