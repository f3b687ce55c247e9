"""The cameras' credentials: one `name: user:password` a line, in a file that only its owner reads.

Nothing here puts a credential into a message.
"""

import re
import stat
from pathlib import Path

from hcawatch.config.faults import ConfigError

_LINE = re.compile(r"([a-z0-9][a-z0-9_-]{0,62})\s*:\s*(\S.*)")


class CredentialsRefused(ConfigError):
    """The file of credentials can't be used; the message names file and line, never the content."""


def read_credentials(path: Path) -> dict[str, str]:
    """Credentials by name."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise CredentialsRefused(f"{path} is readable by others: chmod 600 {path}")
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as exc:
        raise CredentialsRefused(f"{path} can't be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise CredentialsRefused(f"{path} isn't UTF-8: save it as UTF-8") from exc
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None or ":" not in match.group(2):
            raise CredentialsRefused(f"{path}:{number}: not `name: user:password`")
        if match.group(1) in found:
            raise CredentialsRefused(f"{path}:{number}: '{match.group(1)}' stands twice; remove one")
        found[match.group(1)] = match.group(2)
    return found
