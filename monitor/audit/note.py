"""Signed notes and checkpoints as the C2SP writes them (c2sp.org/signed-note, /tlog-checkpoint), with Ed25519.

Existing verifiers of transparency logs read them. Pure but for the key file of a signer.

    origin                      who signs, without a scheme: hcawatch.example/audit
    size
    base64 of the root

    — name base64(4 bytes of key id, signature)
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from monitor.audit.errors import NoteError
from monitor.audit.tree import HASH_BYTES

#: signature type of Ed25519 in signed notes
ED25519 = b"\x01"
#: em dash, as the specification wants it
MARK = "— "


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unb64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise NoteError(f"{what} is not base64: {text[:80]!r}") from exc


def _check_name(name: str) -> None:
    if not name or "+" in name or any(c.isspace() for c in name):
        raise NoteError(f"a key's name has no spaces and no plus sign, got {name!r}")


def key_id(name: str, public: bytes) -> bytes:
    """The first four bytes of SHA-256(name, newline, 0x01, public key)."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


class VerifierKey(msgspec.Struct, frozen=True):
    """A public key with its name; as text `name+id+key`, the form that other tools take."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The key id that stands in signatures."""
        return key_id(self.name, self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_b64(ED25519 + self.public)}"

    @staticmethod
    def parse(text: str) -> "VerifierKey":
        """From text; NoteError says what is wrong."""
        try:
            name, wanted_id, encoded = text.strip().split("+", 2)
        except ValueError:
            raise NoteError(f"a verifier key reads name+id+key, got {text.strip()[:80]!r}") from None
        _check_name(name)
        data = _unb64(encoded, "the key")
        if data[:1] != ED25519 or len(data) != 1 + HASH_BYTES:
            raise NoteError(f"the verifier key of {name!r} is no Ed25519 key")
        key = VerifierKey(name, data[1:])
        if key.id.hex() != wanted_id:
            raise NoteError(
                f"the id of the verifier key {name!r} should be {key.id.hex()}, it says {wanted_id}"
            )
        return key

    def verify(self, text: str, signature: bytes) -> None:
        """NoteError unless the signature is this key's."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature as exc:
            raise NoteError(f"the signature is not that of {self.name} (key id {self.id.hex()})") from exc


class Checkpoint(msgspec.Struct, frozen=True):
    """What is signed: a tree's size and root, under the log's name."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The lines that are signed."""
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n"


class Signer:
    """Signs checkpoints. The key's name is the log's origin."""

    def __init__(self, name: str, seed: bytes) -> None:
        _check_name(name)
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.verifier = VerifierKey(name, public)

    def __repr__(self) -> str:
        return f"Signer({self.verifier})"

    def sign(self, size: int, root: bytes) -> str:
        """The signed note of a checkpoint."""
        text = Checkpoint(self.verifier.name, size, root).text()
        signature = self.verifier.id + self._private.sign(text.encode())
        return f"{text}\n{MARK}{self.verifier.name} {_b64(signature)}\n"

    @staticmethod
    def load_or_create(path: Path, name: str) -> "Signer":
        """The signer whose key lies in this file (mode 0600); made at the first call. `name` names a new key."""
        if path.exists():
            return _read_key(path)
        seed = os.urandom(32)
        signer = Signer(name, seed)
        text = f"PRIVATE+KEY+{name}+{signer.verifier.id.hex()}+{_b64(ED25519 + seed)}\n"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_synced(path, text.encode(), mode=0o600)
        return signer


def _read_key(path: Path) -> Signer:
    parts = path.read_text().strip().split("+", 4)
    if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"]:
        raise NoteError(f"{path} is no signing key (PRIVATE+KEY+name+id+key); restore it from the backup")
    data = _unb64(parts[4], f"the key in {path}")
    if data[:1] != ED25519 or len(data) != 33:
        raise NoteError(f"{path} holds no Ed25519 key; restore it from the backup")
    return Signer(parts[2], data[1:])


def write_synced(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replaces a file so that after a power cut either the old or the new one is there, whole."""
    partial = path.with_name(path.name + ".part")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes new names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_checkpoint(note: str) -> Checkpoint:
    """The checkpoint of a note, its signatures unchecked; NoteError if it is malformed."""
    text, _ = _parts(note)
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0]:
        raise NoteError("a checkpoint has an origin, a size and a root, a line each")
    if not lines[1].isascii() or not lines[1].isdigit() or str(int(lines[1])) != lines[1]:
        raise NoteError(f"the checkpoint's size is no plain number: {lines[1][:80]!r}")
    root = _unb64(lines[2], "the checkpoint's root")
    if len(root) != HASH_BYTES:
        raise NoteError(f"the checkpoint's root has {len(root)} bytes, wanted {HASH_BYTES}")
    return Checkpoint(lines[0], int(lines[1]), root)


def open_checkpoint(note: str, keys: Iterable[VerifierKey]) -> tuple[Checkpoint, VerifierKey]:
    """The checkpoint and the key that signed it; NoteError unless one of `keys` did."""
    text, signatures = _parts(note)
    checkpoint = read_checkpoint(note)
    by_id = {(key.name, key.id): key for key in keys}
    for name, data in signatures:
        key = by_id.get((name, data[:4]))
        if key is None:
            continue  # another's signature, as a witness's
        key.verify(text, data[4:])
        if checkpoint.origin != key.name:
            raise NoteError(f"the checkpoint is of {checkpoint.origin!r}, the key of {key.name!r}")
        return checkpoint, key
    signed = ", ".join(f"{name} (key id {data[:4].hex()})" for name, data in signatures)
    raise NoteError(f"the checkpoint is signed by {signed}, by none of the keys given")


def _parts(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The signed text, and the signatures as (name, key id and signature)."""
    text, gap, block = note.rpartition("\n\n")
    if not gap or not block.endswith("\n"):
        raise NoteError("a signed note is text, an empty line and signatures, each line ended")
    signatures: list[tuple[str, bytes]] = []
    for line in block.splitlines():
        name, space, encoded = line.removeprefix(MARK).partition(" ")
        if not line.startswith(MARK) or not space:
            raise NoteError(f"not a signature line: {line[:80]!r}")
        data = _unb64(encoded, f"the signature of {name}")
        if len(data) < 5:
            raise NoteError(f"the signature of {name} is too short")
        signatures.append((name, data))
    return text + "\n", signatures
