"""Evidence records for tests: real hash trees over groups that a test chooses, under truly signed tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509

from evidence_store.timestamps import hash_tree
from evidence_store.timestamps.algorithms import digest_of
from evidence_store.timestamps.ers import make_chain, rehash_members, renewal_imprint
from evidence_store.timestamps.evidence_record import Chain, EvidenceRecord
from tests.tokens import Forgery, der_of
from tests.tsa import START, Authority, Wanted, authority

Group = Sequence[bytes]
FIRST = datetime(2026, 11, 22, 10, 31, tzinfo=UTC)
YEAR = timedelta(days=365)
EXPIRY = datetime(2028, 1, 1, tzinfo=UTC)


def short_lived(name: str = "short", until: datetime = EXPIRY) -> Authority:
    """An authority whose certificate expires early; its root lives on."""
    root = Wanted.authority(f"{name} root").issue()
    return Authority(root, Wanted(f"{name} TSA", valid=(START, until)).issue(root))


@dataclass(frozen=True)
class Stamper:
    """Who stamps, and when.

    Attributes:
        by: the authority.
        at: the time that its token states.
        whole: whether the token holds intermediate certificates as well.
    """

    by: Authority
    at: datetime
    whole: bool = False

    def token(self, imprint: bytes, algorithm: str = "sha512") -> bytes:
        """A token."""
        held = [der_of(issued.certificate) for issued in (self.by.tsa, *self.by.between)] if self.whole else None
        return Forgery(self.by.tsa, imprint, algorithm, at=self.at, certificates=held).der()


def stampers(count: int = 1) -> list[Stamper]:
    """Authorities with roots of their own, one a year."""
    return [Stamper(authority(f"year {year}"), FIRST + year * YEAR) for year in range(count)]


def roots_of(stamping: Sequence[Stamper]) -> list[x509.Certificate]:
    """What to trust, to accept all their tokens."""
    return [root for stamper in stamping for root in stamper.by.roots]


def levels_over(algorithm: str, leaves: list[bytes]) -> list[list[bytes]]:
    """The whole tree, the leaves first."""
    levels = [leaves]
    while len(levels[-1]) > 1:
        levels.append(list(hash_tree.next_level(algorithm, levels[-1])))
    return levels


def chains_over(
    algorithm: str, hashed: Sequence[Sequence[bytes]], stamping: Sequence[Stamper]
) -> tuple[list[Chain], list[bytes]]:
    """The chain of each group, and the tokens."""
    levels = levels_over(algorithm, [hash_tree.group_hash(algorithm, hashes) for hashes in hashed])
    tokens = [stamping[0].token(levels[-1][0], algorithm)]
    for stamper in stamping[1:]:
        tokens.append(stamper.token(renewal_imprint(algorithm, tokens), algorithm))
    chains = []
    for index, hashes in enumerate(hashed):
        siblings = hash_tree.path(index, len(hashed), lambda level, place: levels[level][place])
        chains.append(make_chain(algorithm, hashes, siblings, tokens))
    return chains, tokens


def records(groups: Sequence[Group], stamping: Sequence[Stamper], algorithm: str = "sha512") -> list[EvidenceRecord]:
    """The record of each group, all under the same tree and tokens."""
    hashed = [[digest_of(member, algorithm) for member in group] for group in groups]
    return [EvidenceRecord((chain,)) for chain in chains_over(algorithm, hashed, stamping)[0]]


def rehashed(
    older: Sequence[EvidenceRecord], groups: Sequence[Group], stamping: Sequence[Stamper], algorithm: str
) -> list[EvidenceRecord]:
    """The records continued by a chain with another digest algorithm (RFC 4998, section 5.2)."""
    hashed = [rehash_members(record, algorithm, group) for record, group in zip(older, groups, strict=True)]
    chains = chains_over(algorithm, hashed, stamping)[0]
    return [EvidenceRecord((*record.chains, chain)) for record, chain in zip(older, chains, strict=True)]
