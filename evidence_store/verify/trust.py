"""What the caller trusts, from files that he got from somewhere other than the bundle.

A trust file is a text file with PEM certificates and/or verifier keys ("name+hexkeyid+base64", C2SP signed-note), each
key on its own line. It may also tell what became of keys since, which no older bundle can know:

    compromised seal <SHA-256 of the certificate> since 2027-01-31
    retired log <verifier key> at 2027-01-31T12:00:00Z

and since when the log has an ML-DSA-44 key, so that nobody asks its signature of what is older:

    introduced pq <verifier key> at 2026-12-01T12:00:00Z

Empty lines and lines that start with "#" are skipped; anything else is refused, so that a typing error cannot pass for
trust.

The roots of time-stamping authorities come in a file of their own: the archive's CA must not be able to vouch for time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_store.certificates import parse_certificate
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import MLDSA44_COSIGNER, CosignerKey, parse_cosigner_vkey
from evidence_store.log.keyfile import parse_key_file
from evidence_store.log.note import VerifierKey, parse_vkey
from evidence_store.log.policy import Policy, decode_policy, parse_policy
from evidence_store.timestamps.roots import TimeRoots, parse_roots
from evidence_store.trust import CA, LOG, PQ, SEAL, KeyRecord

MAX_CERTIFICATES = 100
"""Certificates in one file: more would only serve to keep the verifier busy."""

MAX_TOLD = 1_000
"""Lines of one file that tell what became of a key."""

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")

_FINGERPRINT = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TIME = r"(?P<day>\d{4}-\d\d-\d\d)(?P<clock>T\d\d:\d\d:\d\d(?:\.\d{1,6})?Z)?"
_FATE = re.compile(
    rf"(?:(?P<compromised>compromised)|retired) +(?P<use>{CA}|{SEAL}|{LOG}|{PQ}) +(?P<key>\S+)"
    rf" +(?(compromised)since|at) +{_TIME}",
    re.ASCII,
)
_INTRODUCED = re.compile(rf"introduced +{PQ} +(?P<key>\S+) +at +{_TIME}", re.ASCII)


@dataclass(frozen=True)
class Trust:
    """The archive's keys as the caller knows them; `roots` or `log_keys` is not empty.

    Attributes:
        roots: CA certificates.
        log_keys: Ed25519 keys of the log.
        pq_keys: its ML-DSA-44 keys.
        told: keys that were retired or compromised, as far as the caller knows; of these, `introduced` means nothing.
        pq_since: since when the log has a key of `pq_keys`, by the key's text, as far as the caller knows.
    """

    roots: Sequence[x509.Certificate]
    log_keys: Sequence[VerifierKey]
    pq_keys: Sequence[CosignerKey] = ()
    told: Sequence[KeyRecord] = ()
    pq_since: Mapping[str, datetime] = field(default_factory=dict)

    def fate(self, use: str, key: str) -> KeyRecord | None:
        """What the caller knows of the fate of a key; None when that is nothing."""
        return next((record for record in self.told if (record.use, record.key) == (use, key)), None)


@dataclass(frozen=True)
class Anchors:
    """All that the caller trusts.

    Attributes:
        trust: keys of the archive; None when none were given.
        time_roots: roots of time-stamping authorities; empty when none were given.
        policy: witnesses and their quorum; None when none was given.
        time_intermediates: certificates that may stand between a root and an authority; not trusted by themselves.
    """

    trust: Trust | None = None
    time_roots: Sequence[x509.Certificate] = ()
    policy: Policy | None = None
    time_intermediates: Sequence[x509.Certificate] = ()


def parse_trust(data: bytes) -> Trust:
    """Read a trust file.

    Raises:
        EvidenceStoreError: `trust_file_malformed`, with what is wrong.
    """
    try:
        roots = parse_certificates(data) if _PEM.search(data) else []
        telling, rest = _telling(_PEM.sub(b"", data))
        told, since = _fates(telling), _introductions(telling)
        keys = parse_key_file(rest)
    except EvidenceStoreError as error:
        raise EvidenceStoreError("trust_file_malformed", error.detail) from error
    if any(key.algorithm != MLDSA44_COSIGNER for key in keys.cosigner_keys):
        raise EvidenceStoreError("trust_file_malformed", "a witness's key is no key of the archive: use --policy")
    if not roots and not keys.log_keys:
        raise EvidenceStoreError("trust_file_malformed", "it holds neither a certificate nor a log key")
    return Trust(roots, keys.log_keys, keys.cosigner_keys, told, since)


def _telling(data: bytes) -> tuple[list[str], bytes]:
    """The lines of a trust file that tell of keys, and its other lines.

    Raises:
        EvidenceStoreError: `trust_file_malformed` for too many of them.
    """
    lines = data.split(b"\n")
    telling = [line for line in lines if line.startswith((b"compromised ", b"retired ", b"introduced "))]
    if len(telling) > MAX_TOLD:
        raise EvidenceStoreError("trust_file_malformed", f"{len(telling)} lines on the fate of keys, not {MAX_TOLD}")
    rest = b"\n".join(line for line in lines if line not in telling)
    return [line.decode("utf-8", "replace").strip() for line in telling], rest


def _fates(telling: Iterable[str]) -> list[KeyRecord]:
    """What became of keys.

    Raises:
        EvidenceStoreError: with what is wrong.
    """
    told: dict[tuple[str, str], KeyRecord] = {}
    for line in telling:
        if line.startswith("introduced "):
            continue
        match = _FATE.fullmatch(line)
        if match is None:
            form = "'compromised USE KEY since TIME' or 'retired USE KEY at TIME'"
            raise EvidenceStoreError("trust_file_malformed", f"a line on the fate of a key is not {form}")
        compromised, use, key = match["compromised"] is not None, match["use"], match["key"]
        _require_key(use, key)
        at = _moment(match["day"], match["clock"])
        known = told.get((use, key), KeyRecord(use, key, "", datetime.min.replace(tzinfo=UTC)))
        if compromised:
            told[use, key] = replace(known, compromised=min(at, known.compromised or at))
        else:
            told[use, key] = replace(known, retired=min(at, known.retired or at))
    return list(told.values())


def _introductions(telling: Iterable[str]) -> dict[str, datetime]:
    """Since when the log has its ML-DSA-44 keys; of several times of one key, the earliest.

    Raises:
        EvidenceStoreError: with what is wrong.
    """
    since: dict[str, datetime] = {}
    for line in telling:
        if not line.startswith("introduced "):
            continue
        match = _INTRODUCED.fullmatch(line)
        if match is None:
            raise EvidenceStoreError("trust_file_malformed", "a line is not 'introduced pq KEY at TIME'")
        _require_key(PQ, match["key"])
        at = _moment(match["day"], match["clock"])
        since[match["key"]] = min(at, since.get(match["key"], at))
    return since


def _require_key(use: str, key: str) -> None:
    if use == LOG:
        parse_vkey(key)
    elif use == PQ:
        parse_cosigner_vkey(key)
    elif not _FINGERPRINT.fullmatch(key):
        raise EvidenceStoreError("trust_file_malformed", "a certificate is named by its SHA-256, 64 hexadecimal digits")


def _moment(day: str, clock: str | None) -> datetime:
    """A day, its beginning in UTC, or an RFC 3339 time in UTC."""
    try:
        return datetime.fromisoformat(f"{day}{clock or 'T00:00:00Z'}")
    except ValueError:
        raise EvidenceStoreError("trust_file_malformed", f"{day}{clock or ''} is no time") from None


def parse_time_roots(data: bytes) -> TimeRoots:
    """Read the file of certificates of time-stamping authorities.

    Raises:
        EvidenceStoreError: `tsa_file_malformed`, also for text between the certificates that is no comment.
    """
    lines = [line.strip() for line in _PEM.sub(b"", data).split(b"\n")]
    if any(line and not line.startswith(b"#") for line in lines):
        raise EvidenceStoreError("tsa_file_malformed", "it holds something other than PEM certificates and comments")
    try:
        return parse_roots(data)
    except EvidenceStoreError as error:
        raise EvidenceStoreError("tsa_file_malformed", error.detail) from error


def parse_policy_file(data: bytes) -> Policy:
    """Read a witness policy.

    Raises:
        EvidenceStoreError: `policy_form`, `vkey_form`.
    """
    return parse_policy(decode_policy(data))


def parse_certificates(pem: bytes) -> list[x509.Certificate]:
    """Read every PEM certificate of a file; text around them is ignored, as openssl does.

    Raises:
        EvidenceStoreError: `certificate_malformed` when one cannot be read, or there is none.
    """
    blocks = _PEM.findall(pem)
    if not 0 < len(blocks) <= MAX_CERTIFICATES:
        raise EvidenceStoreError(
            "certificate_malformed", f"{len(blocks)} PEM certificates, not 1 to {MAX_CERTIFICATES}"
        )
    certificates = []
    for block in blocks:
        try:
            der = x509.load_pem_x509_certificate(block).public_bytes(Encoding.DER)
        except Exception as error:  # x509 errors share no base class: a bad version is no ValueError
            raise EvidenceStoreError("certificate_malformed", "a PEM certificate cannot be read") from error
        certificates.append(parse_certificate(der))
    return certificates
