"""Which key of this archive was to be believed when: verdicts of its key history, as findings of an audit.

The checks of seals and checkpoints verify each signature under `roots`, `log_keys` or `cosigner_keys`, which hold the
former keys too, and then ask this book whether the key was to be believed (evidence_store.trust).

What shows a signature's age here: a time stamp over itself; for a seal also one over a checkpoint whose tree holds the
event that names the seal; for a checkpoint also one over a larger one, for the log continues both. Checkpoints are made
in the order of their sizes, and the first one that covers the retirement of a key is the last one that the key signed:
so a former key's checkpoints need no time stamp, and whatever it signed after that one is named.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from app.audit.proven_times import ProvenTimes
from evidence_store.log.cosignature import CosignerKey, parse_cosigner_vkey
from evidence_store.log.note import VerifierKey, parse_vkey
from evidence_store.trust import CA, LOG, PQ, SEAL, KeyHistory, Verdict, key_of_certificate
from evidence_store.verify.report import Report
from evidence_store.verify.seals import OpenedSeal

_SHOWN = 16


@dataclass(frozen=True, slots=True)
class Leaves:
    """Where the log first tells of a key, and where of its retirement; None where it does not."""

    introduced: int | None = None
    retired: int | None = None


@dataclass
class KeyBook:
    """The archive's keys, for one audit.

    Attributes:
        history: what the log tells of them.
        leaves: (use, key) -> where it tells it.
        times: what time stamps prove.
    """

    history: KeyHistory
    leaves: dict[tuple[str, str], Leaves]
    times: ProvenTimes
    _ages: tuple[list[int], list[datetime]] | None = None
    _last: dict[tuple[str, str], int] = field(default_factory=dict)
    _unproven: dict[tuple[Verdict, str, str], tuple[int, str]] = field(default_factory=dict)

    @property
    def roots(self) -> list[x509.Certificate]:
        """Certificates of all authorities that this archive ever had, newest first."""
        return [x509.load_pem_x509_certificate(record.material.encode()) for record in self.history.of(CA)]

    @property
    def log_keys(self) -> list[VerifierKey]:
        """All Ed25519 keys that the log ever had, newest first."""
        return [parse_vkey(record.key) for record in self.history.of(LOG)]

    @property
    def cosigner_keys(self) -> list[CosignerKey]:
        """All ML-DSA-44 keys that the log ever had, newest first."""
        return [parse_cosigner_vkey(record.key) for record in self.history.of(PQ)]

    def judge_seal(self, subject: str, seal: OpenedSeal, stamped: str, leaf: int | None, report: Report) -> None:
        """Name a seal whose key was not to be believed.

        Args:
            subject: what is sealed, as the report names it.
            seal: verified under one of `roots`.
            stamped: the subject of its time stamps, such as `receipt:ITEM`.
            leaf: place of the event that names the seal; None when there is none.
            report: receives `key_unknown`, `key_not_yet`, `key_retired` or `key_compromised` for each such seal, and
                by `close` one `key_retired_unproven` for all seals of a key that may be back-dated.
        """
        own, above = _fingerprint(seal.info.certificate), _fingerprint(seal.authority)
        use, verdict = self.history.judge_seal(own, above, seal.claimed, None)
        if verdict is Verdict.VALID:
            return
        logged = None if leaf is None else self.age_of_leaf(leaf)
        proven = _earlier(self.times.of(stamped, seal.imprint), logged)
        place = self.leaves.get((SEAL, own), Leaves()).introduced
        issued = None if place is None else self.age_of_leaf(place)
        use, verdict = self.history.judge_seal(own, above, seal.claimed, proven, issued)
        self._tell(verdict, use, own if use == SEAL else above, subject, report)

    def judge_checkpoint(self, subject: str, size: int, use: str, key: str, report: Report) -> None:
        """Name a checkpoint whose key was not to be believed; call it for all of them, in the order of their sizes.

        Args:
            subject: the checkpoint, as the report names it.
            size: its number of events; its root was recomputed.
            use: `LOG` or `PQ`.
            key: the verifier key, as text, that its signature of this use verifies under.
            report: receives `key_unknown`, `key_not_yet` or `key_retired`, and by `close` one `key_compromised` for all
                checkpoints of a compromised key that no time stamp shows to be older.
        """
        record = self.history.find(use, key)
        leaves = self.leaves.get((use, key), Leaves())
        self._note_last(size)
        if record is None:
            self._tell(Verdict.UNKNOWN, use, key, subject, report)
        elif record.compromised is not None and record.judge(None, self.age_of_leaf(size - 1)) is Verdict.COMPROMISED:
            self._tell(Verdict.COMPROMISED, use, key, subject, report)
        elif leaves.introduced is not None and size <= leaves.introduced:
            self._tell(Verdict.NOT_YET, use, key, subject, report)
        elif leaves.retired is not None and size > self._last.get((use, key), size):
            self._tell(Verdict.RETIRED, use, key, subject, report)

    def age_of_leaf(self, leaf: int) -> datetime | None:
        """The earliest time at which the event of a leaf was in the log by a trusted time stamp, or None."""
        if self._ages is None:
            self._ages = self._read_ages()
        sizes, times = self._ages
        place = bisect_right(sizes, leaf)
        return times[place] if place < len(sizes) else None

    def close(self, report: Report) -> None:
        """Tell, once for each key, of the signatures that only lack a proof of their age."""
        for (verdict, use, key), (number, first) in self._unproven.items():
            what = "seals" if use in {CA, SEAL} else "checkpoints"
            detail = f"{number} {what} made with it are not shown to be older by any time stamp; the first is {first}"
            report.finding(verdict.value, _named(use, key), detail)
        self._unproven.clear()

    def _note_last(self, size: int) -> None:
        """The first checkpoint that covers the retirement of a key is the last one that the key may have signed."""
        for place, leaves in self.leaves.items():
            if leaves.retired is not None and size > leaves.retired:
                self._last.setdefault(place, size)

    def _tell(self, verdict: Verdict, use: str, key: str, subject: str, report: Report) -> None:
        checkpoint = use in {LOG, PQ}
        if verdict is Verdict.RETIRED_UNPROVEN or (verdict is Verdict.COMPROMISED and checkpoint):
            number, first = self._unproven.get((verdict, use, key), (0, subject))
            self._unproven[verdict, use, key] = number + 1, first
        elif verdict is not Verdict.VALID:
            report.finding(verdict.value, subject, f"it was made with {_named(use, key)}{self._dates(use, key)}")

    def _dates(self, use: str, key: str) -> str:
        record = self.history.find(use, key)
        if record is None:
            return ", which the log never introduced"
        told = [f"in use since {record.introduced.isoformat()}"]
        told += [f"retired {record.retired.isoformat()}"] if record.retired else []
        told += [f"compromised since {record.compromised.isoformat()}"] if record.compromised else []
        return f" ({', '.join(told)})"

    def _read_ages(self) -> tuple[list[int], list[datetime]]:
        """Sizes of stamped checkpoints, rising, and for each the earliest time of it or of a larger one."""
        sizes: list[int] = []
        times: list[datetime] = []
        for size, time in self.times.checkpoints():
            sizes.append(size)
            times.append(min(time, times[-1]) if times else time)
        return sizes[::-1], times[::-1]


def _fingerprint(certificate: x509.Certificate) -> str:
    return key_of_certificate(certificate.public_bytes(Encoding.DER))


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((time for time in (one, other) if time is not None), default=None)


def _named(use: str, key: str) -> str:
    if use in {CA, SEAL}:
        return f"{use} certificate {key[:_SHOWN]}"
    return f"{'log' if use == LOG else 'ML-DSA-44'} key {'+'.join(key.split('+')[:2])}"
