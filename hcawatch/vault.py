"""Secrets that this installation makes for itself: one folder of mode 0700, one file of mode 0600 each.

There is no default password anywhere: what is missing is made from the system's randomness at first use.
"""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

# no letters that are mistaken for another when read from a screen and typed on a phone
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def new_password() -> str:
    """A password that a person can type: 4 groups of 4, some 93 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


class Vault:
    """The folder of secrets."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        self.folder = folder

    def get(self, name: str, make: Callable[[], str] | None = None) -> str:
        """The secret of that name; made at first use. ValueError on a name that is no plain file name."""
        if not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or name.startswith("."):
            raise ValueError(f"not a name for a secret: {name!r}")
        path = self.folder / name
        if path.exists():
            return path.read_text().strip()
        value = secrets.token_urlsafe(32) if make is None else make()
        part = path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(value + "\n")
            out.flush()
            os.fsync(out.fileno())
        part.rename(path)
        return value

    def password(self, user: str) -> str:
        """The password of a person, made at first use."""
        return self.get(f"password-{user}", new_password)
