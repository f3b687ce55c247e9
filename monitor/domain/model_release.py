"""A set of weights as it travels from the centre to edges: a manifest, whose SHA-256 names all of it. Pure.

Whoever has the name can check the manifest, and with the manifest each file: nothing that comes over the line has to
be trusted.
"""

import hashlib
import re
from typing import Final

import msgspec

MANIFEST: Final = "manifest.json"
MANIFEST_MOST_BYTES: Final = 64 * 1024
#: of all files; the shipped set has some 50 MB
MOST_BYTES: Final = 1024**3
MOST_FILES: Final = 20
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the set."""

    name: str
    sha256: str
    bytes: int


class ModelManifest(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="hcawatch.model/1"):
    """What is in the set."""

    name: str
    version: str
    classes: tuple[str, ...]
    long_side_px: int
    files: tuple[ModelFile, ...]

    @property
    def total_bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files)


class ManifestRefused(ValueError):
    """The bytes are not the manifest of that name, or say what can't be."""


def is_name(text: str) -> bool:
    """Whether it can name a set: 64 hex digits."""
    return _SHA256.fullmatch(text) is not None


def encode(manifest: ModelManifest) -> tuple[bytes, str]:
    """The bytes that travel, and the name of the set."""
    data = msgspec.json.encode(manifest)
    return data, hashlib.sha256(data).hexdigest()


def read(data: bytes, name: str) -> ModelManifest:
    """The manifest of the set called `name`; ManifestRefused says what is wrong."""
    if len(data) > MANIFEST_MOST_BYTES or hashlib.sha256(data).hexdigest() != name:
        raise ManifestRefused("its SHA-256 is another than its name")
    try:
        manifest = msgspec.json.decode(data, type=ModelManifest)
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise ManifestRefused(f"it can't be read: {exc}") from exc
    names = [file.name for file in manifest.files]
    if not 1 <= len(names) <= MOST_FILES or len(set(names)) != len(names) or MANIFEST in names:
        raise ManifestRefused("it names no files, too many, or one twice")
    if not all(
        _NAME.fullmatch(file.name) and is_name(file.sha256) and file.bytes >= 0 for file in manifest.files
    ):
        raise ManifestRefused("a file of it can't be called so")
    if manifest.total_bytes > MOST_BYTES:
        raise ManifestRefused(f"more than {MOST_BYTES} bytes")
    return manifest
