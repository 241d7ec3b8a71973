"""Logs for tests of witnesses: real trees, real keys, signed notes of any size, and the fork of a log."""

from __future__ import annotations

import hashlib
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from evidence_store.log import merkle
from evidence_store.log.cosignature import MLDSA44_COSIGNER, add_lines, cosignature_line, format_cosigner_vkey
from evidence_store.log.note import Checkpoint, checkpoint_text, format_vkey, sign_note
from evidence_store.witness.request import format_request


class Log:
    """A log in memory; `seed` names its entries, so that two logs of one origin may hold different ones."""

    def __init__(self, origin: str = "archive.example/log", seed: str = "true", entries: int = 200) -> None:
        self.origin = origin
        self._seed = seed
        self._entries = entries
        self.key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(origin.encode()).digest())
        self.mldsa = MLDSA44PrivateKey.from_seed_bytes(hashlib.sha256(origin.encode()).digest())

    @property
    def vkey(self) -> str:
        """Its Ed25519 key."""
        return format_vkey(self.origin, self.key.public_key().public_bytes_raw())

    @property
    def mldsa_vkey(self) -> str:
        """Its ML-DSA-44 key."""
        return format_cosigner_vkey(self.origin, MLDSA44_COSIGNER, self.mldsa.public_key().public_bytes_raw())

    @cached_property
    def _nodes(self) -> dict[tuple[int, int], bytes]:
        nodes: dict[tuple[int, int], bytes] = {}
        for index in range(self._entries):
            leaf = merkle.leaf_hash(f"{self._seed} {index}".encode())
            for level, place, node in merkle.nodes_completed_by(index, leaf, lambda *at: nodes[at]):
                nodes[level, place] = node
        return nodes

    def read(self, level: int, index: int) -> bytes:
        """A node."""
        return self._nodes[level, index]

    def root(self, size: int) -> bytes:
        """The root of a size."""
        return merkle.root_at(size, self.read)

    def text(self, size: int) -> str:
        """The checkpoint of a size."""
        return checkpoint_text(Checkpoint(self.origin, size, self.root(size)))

    def note(self, size: int, *, mldsa: bool = False) -> bytes:
        """The signed checkpoint of a size."""
        text = self.text(size)
        signed = sign_note(text, self.origin, self.key.public_key().public_bytes_raw(), self.key.sign)
        return add_lines(signed, [self.mldsa_line(text)]) if mldsa else signed

    def mldsa_line(self, text: str) -> str:
        """The ML-DSA-44 line of a text."""
        public = self.mldsa.public_key().public_bytes_raw()
        return cosignature_line(text, self.origin, MLDSA44_COSIGNER, public, self.mldsa.sign, 1_700_000_000)

    def proof(self, old: int, new: int) -> list[bytes]:
        """The consistency proof between two sizes."""
        return merkle.consistency_proof(old, new, self.read) if old else []

    def request(self, old: int, new: int) -> bytes:
        """An honest add-checkpoint request."""
        return format_request(old, self.proof(old, new), self.note(new))
