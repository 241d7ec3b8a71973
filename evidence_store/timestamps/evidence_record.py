"""The one encoding of an evidence record (RFC 4998, section 3); what it means is `evidence_store.timestamps.ers`.

Accepted is DER, version 1, algorithms without parameters and stated with every time stamp, no optional part but the
reduced hash tree, its lists in ascending order. This is narrower than the RFC, and other programs read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from evidence_store import asn1
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.algorithms import SIZES, digest_identifier, read_digest
from evidence_store.timestamps.token import MAX_TOKEN

MAX_RECORD: Final = 32 * 1024 * 1024
"""Bytes of a record; that of an object with half a million events still fits."""

MAX_STAMPS: Final = 500
"""Time stamps in a chain; more than one a year for five centuries."""

MAX_CHAINS: Final = 20
"""Chains in a record. Each hashes all the data again, with another digest algorithm (RFC 4998, section 5.3). There were
four of them in general use in the last thirty years (MD5, SHA-1, SHA-2, SHA-3), so that twenty last a century."""

_MAX_LISTS: Final = 100  # levels of a hash tree: one of 2**64 leaves has 65
_VERSION_1: Final = asn1.integer(1)


@dataclass(frozen=True, slots=True)
class ArchiveTimeStamp:
    """One token and what it is over (RFC 4998, section 4.1).

    Attributes:
        algorithm: digest algorithm of the hashes, `sha256`, `sha384` or `sha512`.
        lists: the reduced hash tree, its lists from the data upwards, each ascending; empty when there is none.
        token: DER of the token's ContentInfo.
    """

    algorithm: str
    lists: tuple[tuple[bytes, ...], ...]
    token: bytes

    def encode(self) -> bytes:
        """DER of the ArchiveTimeStamp."""
        identifier = asn1.Reader(digest_identifier(self.algorithm)).take(asn1.SEQUENCE)
        trees = (asn1.encode(asn1.SEQUENCE, _octets(self.algorithm, each)) for each in self.lists)
        reduced = asn1.encode(asn1.context(2), *trees) if self.lists else b""
        return asn1.encode(asn1.SEQUENCE, asn1.encode(asn1.context(0), identifier), reduced, self.token)


Chain = tuple[ArchiveTimeStamp, ...]


@dataclass(frozen=True, slots=True)
class EvidenceRecord:
    """A record, read but not believed.

    Attributes:
        chains: oldest first; at least one, each with at least one time stamp.
    """

    chains: tuple[Chain, ...]

    def encode(self) -> bytes:
        """DER of the EvidenceRecord."""
        algorithms = dict.fromkeys(chain[0].algorithm for chain in self.chains)
        identifiers = (digest_identifier(each) for each in algorithms)
        return asn1.encode(
            asn1.SEQUENCE, _VERSION_1, asn1.encode(asn1.SEQUENCE, *identifiers), encode_chains(self.chains)
        )

    @property
    def tokens(self) -> tuple[bytes, ...]:
        """All tokens, oldest first."""
        return tuple(stamp.token for chain in self.chains for stamp in chain)


def encode_chains(chains: Sequence[Chain]) -> bytes:
    """DER of an ArchiveTimeStampSequence."""
    encoded = (asn1.encode(asn1.SEQUENCE, *(stamp.encode() for stamp in chain)) for chain in chains)
    return asn1.encode(asn1.SEQUENCE, *encoded)


def _octets(algorithm: str, hashes: Sequence[bytes]) -> bytes:
    header = bytes([asn1.OCTET_STRING, SIZES[algorithm]])
    return b"".join(header + each for each in hashes)


def parse_record(der: bytes) -> EvidenceRecord:
    """Read a record without believing it; the proof of its form is that it encodes to the same bytes.

    Raises:
        EvidenceStoreError: `ers_malformed`.
    """
    if len(der) > MAX_RECORD:
        raise _malformed(f"it has more than {MAX_RECORD} bytes")
    try:
        record = _parse(der)
        same = record.encode() == der
    except EvidenceStoreError as error:
        raise _malformed(error.detail) from None
    if not same:
        raise _malformed("it is not in the one form that evidence records have here")
    return record


def _parse(der: bytes) -> EvidenceRecord:
    outer = asn1.Reader(der)
    record = outer.enter(asn1.SEQUENCE)
    outer.end()
    if record.take_element(asn1.INTEGER) != _VERSION_1:
        raise _malformed("it is not version 1")
    record.take(asn1.SEQUENCE)  # the algorithms: they follow from the chains, and are compared in encoded form
    chains = [
        tuple(_parse_stamp(stamp) for stamp in _elements(asn1.Reader(chain).enter(asn1.SEQUENCE), MAX_STAMPS))
        for chain in _elements(record.enter(asn1.SEQUENCE), MAX_CHAINS)
    ]
    record.end()
    return EvidenceRecord(tuple(chains))


def _elements(reader: asn1.Reader, most: int) -> list[bytes]:
    """What remains: one element or more, but not so many that reading them takes for ever."""
    found: list[bytes] = []
    while reader.tag():
        if len(found) == most:
            raise _malformed(f"it has more than {most} parts of one kind")
        found.append(reader.take_element(reader.tag()))
    if not found:
        raise _malformed("a part of it is empty")
    return found


def _parse_stamp(element: bytes) -> ArchiveTimeStamp:
    stamp = asn1.Reader(element).enter(asn1.SEQUENCE)
    algorithm = read_digest(asn1.encode(asn1.SEQUENCE, stamp.take(asn1.context(0))))
    lists = _elements(stamp.enter(asn1.context(2)), _MAX_LISTS) if stamp.tag() == asn1.context(2) else []
    token = stamp.take_element(asn1.SEQUENCE)
    stamp.end()
    if len(token) > MAX_TOKEN:
        raise _malformed(f"a token has at most {MAX_TOKEN} bytes")
    return ArchiveTimeStamp(algorithm, tuple(_parse_list(algorithm, each) for each in lists), token)


def _parse_list(algorithm: str, element: bytes) -> tuple[bytes, ...]:
    """The hashes of a PartialHashtree: ascending, each once. Not by `Reader`, which copies what remains each time."""
    contents = asn1.Reader(element).take(asn1.SEQUENCE)
    step = SIZES[algorithm] + 2
    hashes = tuple(contents[start + 2 : start + step] for start in range(0, len(contents), step))
    if _octets(algorithm, hashes) != contents or not hashes or tuple(sorted(set(hashes))) != hashes:
        raise _malformed("a list of the reduced hash tree is not ascending digests")
    return hashes


def _malformed(detail: str) -> EvidenceStoreError:
    return EvidenceStoreError("ers_malformed", detail)
