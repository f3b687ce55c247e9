"""The tree equals the RFC's: published roots, a slow second implementation, and proofs that are wrong in every way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.audit.errors import ProofError
from monitor.audit.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.audit.slow_tree import mth, path, proof

#: the test entries of Certificate Transparency (certificate-transparency/cpp/merkletree, also in
#: transparency-dev/merkle), and their published roots for 1 to 8 of them
ENTRIES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [bytes.fromhex(text) for text in (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)]  # fmt: skip

SMALL = st.lists(st.binary(max_size=3), min_size=1, max_size=40)


def test_published_roots() -> None:
    """Those of RFC 6962's own test data."""
    assert root([]) == EMPTY_ROOT
    for size, wanted in enumerate(ROOTS, start=1):
        assert root([leaf_hash(entry) for entry in ENTRIES[:size]]) == wanted


@settings(max_examples=60, deadline=None)
@given(SMALL, st.data())
def test_equal_to_the_slow_one(entries: list[bytes], data: st.DataObject) -> None:
    """Root, frontier and both proofs, and each proof verifies."""
    leaves = [leaf_hash(entry) for entry in entries]
    n = len(entries)
    at, first = data.draw(st.integers(0, n - 1)), data.draw(st.integers(1, n))
    assert root(leaves) == mth(entries)
    inclusion, consistency = inclusion_proof(leaves, at), consistency_proof(leaves, first)
    assert list(inclusion) == path(at, entries)
    assert list(consistency) == proof(first, entries)
    verify_inclusion(leaves[at], at, n, inclusion, mth(entries))
    verify_consistency(first, n, consistency, mth(entries[:first]), mth(entries))


@given(SMALL)
def test_a_frontier_survives_as_bytes(entries: list[bytes]) -> None:
    """It goes on from where it was stored."""
    frontier = Frontier()
    for size, entry in enumerate(entries, start=1):
        frontier = Frontier.from_bytes(frontier.size, frontier.as_bytes()).append(leaf_hash(entry))
        assert (frontier.size, frontier.root()) == (size, mth(entries[:size]))
        assert len(frontier.roots) == size.bit_count()
    with pytest.raises(ValueError, match="bytes"):
        Frontier.from_bytes(frontier.size, frontier.as_bytes() + b"\0")


@settings(max_examples=100, deadline=None)
@given(SMALL, st.data())
def test_no_wrong_inclusion_proof_verifies(entries: list[bytes], data: st.DataObject) -> None:
    """A changed, missing, added or swapped hash, another leaf, index, size or root."""
    entries = [bytes([n]) + entry for n, entry in enumerate(entries)]
    leaves, n = [leaf_hash(entry) for entry in entries], len(entries)
    at = data.draw(st.integers(0, n - 1))
    right, top = list(inclusion_proof(leaves, at)), root(leaves)
    other = bytes(32)
    wrong = [
        (other, at, n, right, top), (leaves[at], at, n, [*right, other], top), (leaves[at], at, n, right, other),
        (leaves[at], n, n, right, top), (leaves[at], -1, n, right, top),
    ]  # fmt: skip
    if right:
        k = data.draw(st.integers(0, len(right) - 1))
        wrong.append((leaves[at], at, n, [*right[:k], *right[k + 1 :]], top))
        wrong.append((leaves[at], at, n, [*right[:k], other, *right[k + 1 :]], top))
        wrong.append((leaves[at], at ^ 1, n, right, top))
    for case in wrong:
        with pytest.raises(ProofError):
            verify_inclusion(*case)


@settings(max_examples=100, deadline=None)
@given(SMALL, st.data())
def test_no_wrong_consistency_proof_verifies(entries: list[bytes], data: st.DataObject) -> None:
    """A rewritten past above all: its root is not that of the first tree."""
    entries = [bytes([n]) + entry for n, entry in enumerate(entries)]
    leaves, n = [leaf_hash(entry) for entry in entries], len(entries)
    first = data.draw(st.integers(1, n))
    right, old, new = list(consistency_proof(leaves, first)), root(leaves[:first]), root(leaves)
    other = bytes(32)
    wrong = [
        (first, n, right, other, new), (first, n, right, old, other), (first, n, [*right, other], old, new),
        (0, n, right, old, new), (n + 1, n, right, old, new),
    ]  # fmt: skip
    if right:
        k = data.draw(st.integers(0, len(right) - 1))
        wrong.append((first, n, right[:-1], old, new))
        wrong.append((first, n, [*right[:k], other, *right[k + 1 :]], old, new))
    for case in wrong:
        with pytest.raises(ProofError):
            verify_consistency(*case)


def test_proofs_of_what_is_not_there_cannot_be_asked_for() -> None:
    """Bounds on both sides."""
    leaves = [leaf_hash(b"a"), leaf_hash(b"b")]
    for index in (-1, 2):
        with pytest.raises(ValueError, match="index"):
            inclusion_proof(leaves, index)
    for first in (0, 3):
        with pytest.raises(ValueError, match="first"):
            consistency_proof(leaves, first)
