"""The Merkle tree of RFC 9162, section 2.1: hashing, roots, proofs and their verification. No storage.

Verification is written as the RFC's numbered steps, so that a reviewer can tick them off.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from monitor.audit.errors import ProofError

#: RFC 9162, 2.1.1: leaf and inner hashes never collide
LEAF_PREFIX = b"\x00"
NODE_PREFIX = b"\x01"
HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data)."""
    return hashlib.sha256(LEAF_PREFIX + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(NODE_PREFIX + left + right).digest()


class Frontier(msgspec.Struct, frozen=True):
    """All that is needed of `size` leaves to append more: the roots of the perfect subtrees, left to right.

    There is one per 1-bit of `size`, the widest first: 6 leaves are a tree of 4 and a tree of 2.
    """

    size: int = 0
    roots: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> "Frontier":
        """With one more leaf hash; equal neighbours merge like the carry of a binary counter."""
        roots, carry, width = list(self.roots), leaf, self.size
        while width & 1:
            carry = node_hash(roots.pop(), carry)
            width >>= 1
        return Frontier(self.size + 1, (*roots, carry))

    def root(self) -> bytes:
        """Root of the tree of all `size` leaves."""
        if not self.roots:
            return EMPTY_ROOT
        result = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            result = node_hash(left, result)
        return result

    def as_bytes(self) -> bytes:
        """The roots one after another, as audit_head keeps them."""
        return b"".join(self.roots)

    @staticmethod
    def from_bytes(size: int, data: bytes) -> "Frontier":
        """Back from `as_bytes`; ValueError if the bytes cannot belong to `size` leaves."""
        wanted = size.bit_count() * HASH_BYTES
        if len(data) != wanted:
            raise ValueError(f"a frontier of {size} leaves has {wanted} bytes, got {len(data)}")
        return Frontier(size, tuple(data[i : i + HASH_BYTES] for i in range(0, wanted, HASH_BYTES)))


def root(leaves: Sequence[bytes]) -> bytes:
    """Root of these leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    return frontier.root()


def _split(size: int) -> int:
    """The largest power of two below `size` (size > 1)."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """RFC 9162, 2.1.3.1: the siblings from leaf `index` up to the root, 0 <= index < len(leaves)."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"index must be 0 to {len(leaves) - 1}, got {index}")
    if len(leaves) == 1:
        return ()
    k = _split(len(leaves))
    if index < k:
        return (*inclusion_proof(leaves[:k], index), root(leaves[k:]))
    return (*inclusion_proof(leaves[k:], index - k), root(leaves[:k]))


def consistency_proof(leaves: Sequence[bytes], first: int) -> tuple[bytes, ...]:
    """RFC 9162, 2.1.4.1: that the tree of the first `first` leaves is a prefix, 0 < first <= len(leaves)."""
    if not 0 < first <= len(leaves):
        raise ValueError(f"first must be 1 to {len(leaves)}, got {first}")
    return _subproof(leaves, first, whole=True)


def _subproof(leaves: Sequence[bytes], first: int, *, whole: bool) -> tuple[bytes, ...]:
    if first == len(leaves):
        return () if whole else (root(leaves),)
    k = _split(len(leaves))
    if first <= k:
        return (*_subproof(leaves[:k], first, whole=whole), root(leaves[k:]))
    return (*_subproof(leaves[k:], first - k, whole=False), root(leaves[:k]))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], wanted_root: bytes) -> None:
    """ProofError unless `leaf` stands at `index` of the tree of `size` leaves. Steps of RFC 9162, 2.1.3.2."""
    # 1. the leaf must lie within the tree
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} cannot be in a tree of {size} leaves")
    # 2. fn is the leaf's number at this height, sn the last one's
    fn, sn = index, size - 1
    # 3. start from the leaf
    r = leaf
    # 4. climb one sibling at a time
    for p in proof:
        # 4a. a sibling above the root
        if sn == 0:
            raise ProofError(f"the proof of leaf {index} is too long")
        # 4b. the sibling is on the left: we are a right child, or the last one without a partner
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            # 4b.ii skip the heights at which the last node has no partner
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        # 4c. the sibling is on the right
        else:
            r = node_hash(r, p)
        # 4d. one height up
        fn, sn = fn >> 1, sn >> 1
    # 5. all heights are climbed and the root is met
    if sn != 0:
        raise ProofError(f"the proof of leaf {index} is too short")
    if r != wanted_root:
        raise ProofError(f"the proof of leaf {index} leads to {r.hex()}, the root is {wanted_root.hex()}")


def verify_consistency(  # noqa: C901 - the RFC's steps in one place, to be ticked off
    first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> None:
    """ProofError unless the tree of `first` leaves is a prefix of that of `second`. RFC 9162, 2.1.4.2."""
    if not 0 < first <= second:
        raise ProofError(f"a tree of {first} leaves cannot be a prefix of one of {second}")
    if first == second:
        if proof or first_root != second_root:
            raise ProofError(f"two trees of {first} leaves must have one root and an empty proof")
        return
    # 1. an empty proof proves nothing
    if not proof:
        raise ProofError("the proof is empty")
    # 2. a perfect first tree is its own first node
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    # 3. fn is the first tree's last leaf, sn the second's
    fn, sn = first - 1, second - 1
    # 4. skip what is common to both below the first node
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    # 5. both roots are rebuilt from the same first node
    fr = sr = path[0]
    # 6. climb
    for c in path[1:]:
        # 6a. a node above the root
        if sn == 0:
            raise ProofError("the proof is too long")
        # 6b. a left sibling belongs to both trees
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        # 6c. a right sibling came later
        else:
            sr = node_hash(sr, c)
        # 6d. one height up
        fn, sn = fn >> 1, sn >> 1
    # 7. both roots are met and all heights climbed
    if fr != first_root:
        raise ProofError(f"the proof leads to the first root {fr.hex()}, wanted {first_root.hex()}")
    if sr != second_root:
        raise ProofError(f"the proof leads to the second root {sr.hex()}, wanted {second_root.hex()}")
    if sn != 0:
        raise ProofError("the proof is too short")
