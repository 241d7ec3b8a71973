"""Evidence records (RFC 4998): that data existed, shown by a hash tree and by time stamps that follow each other.

1. A record has chains; each chain has one digest algorithm and archive time stamps in the order of their times.
2. The first time stamp of the first chain is over a hash tree; its reduced tree begins with the hashes of all members
   of one data object group and of nothing else (section 4.3). A member that is changed, left out or added is named.
3. Each later time stamp of a chain is over the tokens before it: over the hash of the one token, or over the sorted
   hashes of all of them, which its reduced tree then lists (section 5.2, time stamp renewal).
4. A further chain (section 5.2, hash tree renewal) begins like the first, but each member's hash is H(H(member) ||
   H(all chains before, as DER)), with the digest algorithm of the new chain.
5. A token is judged at the time of the token after it: until then, every certificate that vouched for it was valid.
   The last one is judged at its own time, and vouches until its certificates expire (`holds_until`).

Records have one encoding (`evidence_record`). Not shown is which data are *one* object: who may choose the data freely
can pass the joined hashes below a node off as one (section 4.3 has no prefixes); an event or a note is no such bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from cryptography import x509

from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps import hash_tree
from evidence_store.timestamps.algorithms import digest_of
from evidence_store.timestamps.evidence_record import (
    ArchiveTimeStamp,
    Chain,
    EvidenceRecord,
    encode_chains,
    parse_record,
)
from evidence_store.timestamps.token import TimestampToken, parse_token, verify_token

ALGORITHM: Final = "sha512"
"""The digest algorithm of the hash trees that this archive makes."""


# -- building ---------------------------------------------------------------------------------


def make_chain(
    algorithm: str, hashes: Sequence[bytes], siblings: Sequence[bytes], tokens: Sequence[bytes]
) -> tuple[ArchiveTimeStamp, ...]:
    """The chain of one data object group.

    Args:
        algorithm: of the hash tree.
        hashes: of the group's members, in any order.
        siblings: the group's path in the hash tree, from `hash_tree.path`.
        tokens: DER, oldest first: one over the tree's root, then one for each `renewal_imprint`.

    Raises:
        EvidenceStoreError: `ers_group`.
    """
    first, *later = tokens
    members = hash_tree.check_group(algorithm, hashes)
    chain = [ArchiveTimeStamp(algorithm, (members, *((each,) for each in siblings)), first)]
    stamped = [digest_of(token, algorithm) for token in tokens]
    for place, token in enumerate(later, start=1):
        chain.append(ArchiveTimeStamp(algorithm, _renewal_lists(stamped[:place]), token))
    return tuple(chain)


def renewal_imprint(algorithm: str, tokens: Sequence[bytes]) -> bytes:
    """What the next time stamp of a chain is over, given all its tokens so far (rule 3)."""
    return _renewal_imprint(algorithm, [digest_of(token, algorithm) for token in tokens])


def _renewal_imprint(algorithm: str, hashes: Sequence[bytes]) -> bytes:
    return hash_tree.group_hash(algorithm, hashes) if len(hashes) > 1 else hashes[0]


def rehash_members(record: EvidenceRecord, algorithm: str, members: Sequence[bytes]) -> list[bytes]:
    """The members' hashes in a further chain with another digest algorithm (rule 4)."""
    return _member_hashes(algorithm, members, record.chains)


def _renewal_lists(hashes: Sequence[bytes]) -> tuple[tuple[bytes, ...], ...]:
    """What the reduced tree of a time stamp lists, given the hashes of the tokens before it (rule 3)."""
    return () if len(hashes) == 1 else (tuple(sorted(hashes)),)


def _member_hashes(algorithm: str, members: Sequence[bytes], older: Sequence[Chain]) -> list[bytes]:
    hashes = [digest_of(member, algorithm) for member in members]
    if not older:
        return hashes
    before = digest_of(encode_chains(older), algorithm)
    return [digest_of(each + before, algorithm) for each in hashes]


# -- judging ----------------------------------------------------------------------------------


def verify_record(
    der: bytes, members: Sequence[bytes], roots: Sequence[x509.Certificate], extra: Sequence[x509.Certificate] = ()
) -> list[TimestampToken]:
    """Verify that exactly these data existed, together, at the time of the record's first token.

    Args:
        der: the record.
        members: the data object group, whole, in any order.
        roots: certificates of authorities that the caller trusts for time.
        extra: certificates that may be missing in the tokens; nothing is assumed of them.

    Returns:
        The verified tokens, oldest first.

    Raises:
        EvidenceStoreError: `ers_malformed`; `ers_object_missing` (a member is not in the record, or the record lists
            one that was not given); `ers_tree_mismatch` (the tree does not lead to what was stamped);
            `ers_chain_broken` (a token does not cover those before it, is older than one, or came after a certificate
            of one had expired); and those of `verify_token`.
    """
    record = parse_record(der)
    verified: list[TimestampToken] = []
    for number, chain in enumerate(record.chains):
        algorithm, tokens = chain[0].algorithm, [stamp.token for stamp in chain]
        root = _tree_root(chain[0], _member_hashes(algorithm, members, record.chains[:number]))
        hashes = [digest_of(token, algorithm) for token in tokens]
        for place, stamp in enumerate(chain[1:], start=1):
            if (stamp.algorithm, stamp.lists) != (algorithm, _renewal_lists(hashes[:place])):
                raise EvidenceStoreError(
                    "ers_chain_broken", f"time stamp {place + 1} does not list the tokens before it"
                )
        verified += verify_chain(root, tokens, roots, extra, algorithm)
    for earlier, later in pairwise(verified):
        _require_in_time(earlier, later)
    return verified


def verify_chain(
    root: bytes,
    tokens: Sequence[bytes],
    roots: Sequence[x509.Certificate],
    extra: Sequence[x509.Certificate] = (),
    algorithm: str = ALGORITHM,
) -> list[TimestampToken]:
    """Verify the time stamps of one chain without the records that list them (rules 3 and 5).

    Args:
        root: of the hash tree.
        tokens: DER, oldest first.
        roots: certificates of authorities that the caller trusts for time.
        extra: certificates that may be missing in the tokens.
        algorithm: of the tree.

    Raises:
        EvidenceStoreError: `ers_tree_mismatch`, `ers_chain_broken`, and those of `verify_token`.
    """
    verified = []
    hashes = [digest_of(token, algorithm) for token in tokens]
    for place, der in enumerate(tokens):
        token = parse_token(der)
        imprint = _renewal_imprint(algorithm, hashes[:place]) if place else root
        if (token.imprint_algorithm, token.imprint) != (algorithm, imprint):
            if place:
                raise EvidenceStoreError("ers_chain_broken", f"time stamp {place + 1} is not over the tokens before it")
            raise EvidenceStoreError("ers_tree_mismatch", "the hash tree does not lead to what was time-stamped")
        verified.append(verify_token(der, imprint, algorithm, roots, extra))
    for earlier, later in pairwise(verified):
        _require_in_time(earlier, later)
    return verified


def holds_until(tokens: Sequence[TimestampToken]) -> datetime:
    """When the first of the certificates expires that vouch for the last token; until then a renewal must be made."""
    return min(certificate.not_valid_after_utc for certificate in tokens[-1].path)


def _tree_root(stamp: ArchiveTimeStamp, hashes: Sequence[bytes]) -> bytes:
    """Rules 2 and 4: the root that the members lead to."""
    if not stamp.lists or any(len(each) != 1 for each in stamp.lists[1:]):
        raise EvidenceStoreError(
            "ers_malformed", "the tree's time stamp has no reduced hash tree, or not one of two children a node"
        )
    listed, given = set(stamp.lists[0]), set(hashes)
    if not given <= listed:
        raise EvidenceStoreError("ers_object_missing", f"{len(given - listed)} of the data are not in the hash tree")
    if given != listed or len(hashes) != len(listed) or len(listed) < hash_tree.MIN_MEMBERS:
        raise EvidenceStoreError(
            "ers_object_missing", f"the hash tree has {len(listed)} data objects here, {len(hashes)} were given"
        )
    group = hash_tree.group_hash(stamp.algorithm, stamp.lists[0])
    return hash_tree.root_from(stamp.algorithm, group, (each for (each,) in stamp.lists[1:]))


def _require_in_time(earlier: TimestampToken, later: TimestampToken) -> None:
    """Rule 5."""
    if later.gen_time < earlier.gen_time:
        raise EvidenceStoreError("ers_chain_broken", "a time stamp is older than the one that it renews")
    for certificate in earlier.path:
        if later.gen_time > certificate.not_valid_after_utc:
            name = certificate.subject.rfc4514_string()
            raise EvidenceStoreError(
                "ers_chain_broken", f"the renewal of {later.gen_time.isoformat()} came after {name} had expired"
            )
