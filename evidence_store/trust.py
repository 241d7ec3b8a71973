"""Which key was to be believed when: the history of an archive's keys, and the verdict over one signature.

The history is the chain of "key change" events of one object, `keys:<archive id>`, in the archive's own log. Rules:

1. A key is introduced once, before anything else is said of it. A key that was never introduced vouches for nothing.
2. A retired key signs no more: a signature that claims a later time than the retirement was not made by the rules.
   One that claims an earlier time may be back-dated, unless its existence before the retirement is proven.
3. A compromised key may be in the hands of somebody else since a stated time. Only signatures that are proven to be
   older than that count.
4. Of several compromises stated of one key the earliest counts: nothing that is said later takes one back.
5. Times count to the second, as seals and time stamps do.

Times that the archive claims are never proof. A proven time is one by which the signature existed according to
somebody else: a time stamp over it, or over a checkpoint of the log whose entries include it.

Pure: no file, no clock. The offline verifier imports this module.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NoReturn, cast

from evidence_store.bundle import shapes
from evidence_store.bundle.events import CustodyEvent
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import MLDSA44_COSIGNER, parse_cosigner_vkey
from evidence_store.log.note import parse_vkey

CA, SEAL, LOG, PQ = "ca", "seal", "log", "pq"
USES: Final = (CA, SEAL, LOG, PQ)
"""What keys are for: certifying seal keys, sealing, signing checkpoints (Ed25519), co-signing them (ML-DSA-44)."""

INTRODUCTION, RETIREMENT, COMPROMISE = "introduction", "retirement", "compromise"
KEY_CHANGE: Final = "key change"
_CERTIFIED: Final = frozenset({CA, SEAL})

_CHANGE: shapes.Shape = {
    "change": shapes.matches(f"{INTRODUCTION}|{RETIREMENT}|{COMPROMISE}"),
    "use": shapes.matches("|".join(USES)),
    "key": shapes.is_name,
    "material": shapes.optional(shapes.is_text),
    "at": shapes.is_time,
    "reason": shapes.is_text,
}
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_OBJECT = shapes.matches(r"keys:[0-9a-f-]{36}")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----\s*", re.ASCII)


class Verdict(StrEnum):
    """What the history says of one signature; each value but VALID is the code of a finding."""

    VALID = "key_valid"
    UNKNOWN = "key_unknown"
    NOT_YET = "key_not_yet"
    RETIRED = "key_retired"
    RETIRED_UNPROVEN = "key_retired_unproven"
    COMPROMISED = "key_compromised"


REFUSED: Final = frozenset({Verdict.UNKNOWN, Verdict.NOT_YET, Verdict.RETIRED, Verdict.COMPROMISED})
"""Verdicts over a signature that counts for nothing."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key and what became of it.

    Attributes:
        use: one of `USES`.
        key: SHA-256 of the certificate (DER) in hex for `ca` and `seal`; the verifier key's text for `log` and `pq`.
        material: the certificate as PEM, or again the verifier key.
        introduced: since when it signs.
        retired: when it ceased to; None while it is in use.
        compromised: since when somebody else may hold it; None when that was never said.
        reasons: what was said, in order.
    """

    use: str
    key: str
    material: str
    introduced: datetime
    retired: datetime | None = None
    compromised: datetime | None = None
    reasons: tuple[str, ...] = ()

    def judge(self, claimed: datetime | None, proven: datetime | None) -> Verdict:
        """The verdict over a signature of this key; see `KeyHistory.judge`."""
        existed, says = _second(proven or _NEVER), _second(claimed or self.introduced)
        if self.compromised is not None and existed >= _second(self.compromised):
            return Verdict.COMPROMISED
        if says < _second(self.introduced):
            return Verdict.NOT_YET
        if self.retired is None:
            return Verdict.VALID
        if claimed is not None and says > _second(self.retired):
            return Verdict.RETIRED
        return Verdict.VALID if existed <= _second(self.retired) else Verdict.RETIRED_UNPROVEN


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """All keys of one archive, in order of introduction.

    Attributes:
        about: the object whose events were read, `keys:<archive id>`; empty when there were none.
        records: one per key.
    """

    about: str = ""
    records: tuple[KeyRecord, ...] = ()

    @classmethod
    def from_events(cls, events: Iterable[CustodyEvent]) -> KeyHistory:
        """Read the history from the events of one `keys:` object, oldest first.

        Whether their chain is whole and stands in the log is for others to check. Without events the history is
        empty, and every key unknown.

        Raises:
            EvidenceStoreError: `key_history_malformed`, for an event that is no change of a key, for two objects, for
                a key that is introduced twice, retired twice, or changed before it was introduced.
        """
        about = ""
        known: dict[tuple[str, str], KeyRecord] = {}
        for event in events:
            about = about or event.object
            if event.object != about or not _OBJECT(about):
                _fails(event, "its object is not the keys of this archive")
            if event.type != KEY_CHANGE:
                _fails(event, f"it is no {KEY_CHANGE}")
            _take(known, event)
        return cls(about, tuple(known.values()))

    def judge(self, use: str, key: str, claimed: datetime | None, proven: datetime | None) -> Verdict:
        """Judge a signature that verifies under a key: was the key to be believed?

        Args:
            use: what the key was used for, one of `USES`.
            key: as in `KeyRecord.key`.
            claimed: when it says that it was made; None when it does not say (a checkpoint).
            proven: a time by which it existed according to a trusted time stamp; None when there is none.

        Returns:
            `COMPROMISED` before all else, then `NOT_YET` (claimed before the introduction), `RETIRED` (claimed after
            the retirement), `RETIRED_UNPROVEN` (claimed before, and nothing shows it); `UNKNOWN` for a key that was
            never introduced for this use.
        """
        record = self.find(use, key)
        return Verdict.UNKNOWN if record is None else record.judge(claimed, proven)

    def judge_seal(
        self,
        certificate: str,
        authority: str,
        claimed: datetime | None,
        proven: datetime | None,
        issued: datetime | None = None,
    ) -> tuple[str, Verdict]:
        """Judge a seal by its certificate, and that by the authority which issued it.

        The certificate is a signature of the authority's key: it claims the time of its introduction, and existed
        when the seal did, or when its introduction was proven.

        Args:
            certificate: SHA-256 of the seal certificate, hex.
            authority: SHA-256 of its issuer's certificate, hex.
            claimed: the seal's signing time.
            proven: a proven time of the seal, or None.
            issued: a proven time of the certificate's introduction into the log, or None.

        Returns:
            Use and verdict of the key that decides: the one of the two that must not be believed, else the seal's.
        """
        own = self.judge(SEAL, certificate, claimed, proven)
        record = self.find(SEAL, certificate)
        if record is None or own in REFUSED:
            return SEAL, own
        proofs = [time for time in (proven, issued) if time is not None]
        above = self.judge(CA, authority, record.introduced, min(proofs, default=None))
        # An authority that was retired in good order takes none of its certificates with it.
        return (CA, above) if above in REFUSED else (SEAL, own)

    def find(self, use: str, key: str) -> KeyRecord | None:
        """The record of a key."""
        return next((record for record in self.records if (record.use, record.key) == (use, key)), None)

    def of(self, use: str) -> list[KeyRecord]:
        """All keys of one use, newest first."""
        return [record for record in reversed(self.records) if record.use == use]

    def current(self, use: str) -> KeyRecord | None:
        """The key that signs now: the newest one that was not retired; None when there is none."""
        return next((record for record in self.of(use) if record.retired is None), None)


def key_of_certificate(der: bytes) -> str:
    """How the history names the key of a certificate: SHA-256 of its DER, hex."""
    return hashlib.sha256(der).hexdigest()


def _take(known: dict[tuple[str, str], KeyRecord], event: CustodyEvent) -> None:
    """Rules 1 and 4."""
    problems = shapes.shape_problems(event.details, _CHANGE)
    if problems:
        _fails(event, "; ".join(problems))
    details = cast("dict[str, str]", event.details)
    place = use, key = details["use"], details["key"]
    at, before, why = datetime.fromisoformat(details["at"]), known.get(place), details["reason"]
    if details["change"] == INTRODUCTION:
        if before is not None:
            _fails(event, "it introduces a key a second time")
        _check_material(event, use, key, event.details["material"])
        known[place] = KeyRecord(use, key, details["material"], at, reasons=(why,))
    elif before is None:
        _fails(event, "it changes a key that was never introduced")
    elif details["change"] == RETIREMENT:
        if before.retired is not None:
            _fails(event, "it retires a key a second time")
        known[place] = replace(before, retired=at, reasons=(*before.reasons, why))
    else:
        earliest = at if before.compromised is None else min(at, before.compromised)
        known[place] = replace(before, compromised=earliest, reasons=(*before.reasons, why))


def _check_material(event: CustodyEvent, use: str, key: str, material: str | None) -> None:
    """The public key that comes with an introduction is the one that the event names."""
    if use in _CERTIFIED:
        if key_of_certificate(_der(material or "")) != key:
            _fails(event, "the certificate is not the one that the event names")
        return
    try:
        if use == LOG:
            parse_vkey(key)
        elif parse_cosigner_vkey(key).algorithm != MLDSA44_COSIGNER:
            _fails(event, "the key is not an ML-DSA-44 key")
    except EvidenceStoreError as error:
        _fails(event, error.detail)
    if material != key:
        _fails(event, "the verifier key is not the one that the event names")


def _der(pem: str) -> bytes:
    """The one certificate of a PEM text; empty when that is not what the text is."""
    found = _PEM.fullmatch(pem)
    try:
        return base64.b64decode("".join(found.group(1).split()), validate=True) if found else b""
    except ValueError:
        return b""


def _second(moment: datetime) -> datetime:
    """Rule 5."""
    return moment.replace(microsecond=0)


def _fails(event: CustodyEvent, why: str) -> NoReturn:
    raise EvidenceStoreError("key_history_malformed", f"event {event.event_id} ({event.object_seq}): {why}")
