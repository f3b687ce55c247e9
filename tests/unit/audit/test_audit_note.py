"""Signed checkpoints are those of the C2SP, byte for byte, and nothing else opens."""

import base64
import hashlib
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.audit.errors import NoteError
from monitor.audit.note import Checkpoint, Signer, VerifierKey, open_checkpoint, read_checkpoint

SIGNER = Signer("hcawatch.example/audit", bytes(range(32)))
ROOT = hashlib.sha256(b"root").digest()
NOTE = SIGNER.sign(7, ROOT)

#: from Go's golang.org/x/mod/sumdb/note documentation: a key made there, and the note that it signs
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
GO_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="


def test_a_key_and_signature_made_by_go_are_read() -> None:
    """The reference implementation's own example verifies here."""
    key = VerifierKey.parse(GO_KEY)
    assert str(key) == GO_KEY
    data = base64.b64decode(GO_SIGNATURE)
    assert data[:4] == key.id
    key.verify(GO_TEXT, data[4:])
    with pytest.raises(NoteError):
        key.verify(GO_TEXT.replace("think", "thank"), data[4:])


def test_the_lines_of_a_checkpoint() -> None:
    """Origin, size, root; an empty line; the signature with the key's id."""
    lines = NOTE.split("\n")
    assert lines[:4] == ["hcawatch.example/audit", "7", base64.b64encode(ROOT).decode(), ""]
    assert lines[4].startswith("— hcawatch.example/audit ")
    data = base64.b64decode(lines[4].split(" ")[2])
    public = SIGNER.verifier.public
    assert data[:4] == hashlib.sha256(b"hcawatch.example/audit\n\x01" + public).digest()[:4]
    assert len(data) == 4 + 64
    assert lines[5:] == [""]


def test_it_opens_with_its_key_only() -> None:
    """Another key of the same name does not, and the message names who signed."""
    assert open_checkpoint(NOTE, [SIGNER.verifier]) == (
        Checkpoint("hcawatch.example/audit", 7, ROOT), SIGNER.verifier,
    )  # fmt: skip
    other = Signer("hcawatch.example/audit", bytes(32)).verifier
    with pytest.raises(NoteError, match=SIGNER.verifier.id.hex()):
        open_checkpoint(NOTE, [other])


def test_a_witness_may_sign_too() -> None:
    """A further signature line of somebody else is passed over."""
    witness = Signer("witness.example", bytes(32)).sign(7, ROOT).split("\n")[4]
    checkpoint, key = open_checkpoint(NOTE + witness + "\n", [SIGNER.verifier])
    assert (checkpoint.size, key) == (7, SIGNER.verifier)


def test_a_key_signs_for_its_own_log_only() -> None:
    """A checkpoint of another origin under our signature is not ours."""
    text = Checkpoint("other.example", 7, ROOT).text()
    signed = SIGNER._private.sign(text.encode())
    line = f"— {SIGNER.verifier.name} {base64.b64encode(SIGNER.verifier.id + signed).decode()}"
    with pytest.raises(NoteError, match=r"other\.example"):
        open_checkpoint(f"{text}\n{line}\n", [SIGNER.verifier])


@given(st.integers(0, len(NOTE) - 1), st.characters(codec="utf-8"))
def test_no_changed_character_passes_unseen(at: int, character: str) -> None:
    """Either it does not open, or it says the same (base64 has bits that say nothing)."""
    changed = NOTE[:at] + character + NOTE[at + 1 :]
    try:
        checkpoint, _ = open_checkpoint(changed, [SIGNER.verifier])
    except NoteError:
        return
    assert (checkpoint.size, checkpoint.root) == (7, ROOT)


@pytest.mark.parametrize(
    "note", ["", "\n\n", "a\n1\n\n— n AAAAAAA=\n", NOTE.replace("\n7\n", "\n07\n"), NOTE.replace("\n7\n", "\n-7\n"),
             NOTE.rstrip("\n"), NOTE.replace("— ", "- "), "o\n1\nAAAA\n\n— n AAAAAAAA\n"],
)  # fmt: skip
def test_malformed_notes_are_refused(note: str) -> None:
    """With our one error, never another."""
    with pytest.raises(NoteError):
        open_checkpoint(note, [SIGNER.verifier])


@pytest.mark.parametrize(
    "text",
    ["", "a+b", "a+00000000+AQ==", "a b+00000000+AAAA", GO_KEY.replace("c74f20a3", "c74f20a4"), "+1+AQ=="],
)
def test_malformed_keys_are_refused(text: str) -> None:
    """Also one whose id is not its own."""
    with pytest.raises(NoteError):
        VerifierKey.parse(text)


def test_a_signing_key_is_made_once_and_is_ours_alone(tmp_path: Path) -> None:
    """The second start signs as the first; nobody else can read the file; its repr shows no secret."""
    path = tmp_path / "secrets" / "audit-key"
    first, second = (Signer.load_or_create(path, "log.example/a") for _ in range(2))
    assert first.verifier == second.verifier
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().strip().split("+")[-1] not in repr(first)
    path.write_text("garbage")
    with pytest.raises(NoteError, match="restore"):
        Signer.load_or_create(path, "log.example/a")


def test_the_size_is_read_as_written() -> None:
    """Large logs too."""
    assert read_checkpoint(SIGNER.sign(2**40, ROOT)).size == 2**40
