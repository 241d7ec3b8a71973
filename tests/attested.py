"""Archives whose bundles others vouch for: time-stamping authorities (openssl) and witnesses, made once per process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path

from evidence_store.bundle import renewals
from evidence_store.bundle.plan import BundlePlan
from evidence_store.keys.cosigner import Cosigner
from evidence_store.keys.file import generate_ed25519
from evidence_store.log.cosignature import ED25519_COSIGNER, cosigner_key, format_cosigner_vkey
from evidence_store.log.policy import Policy, parse_policy
from evidence_store.timestamps import hash_tree
from evidence_store.timestamps.algorithms import digest_of
from evidence_store.timestamps.ers import make_chain
from evidence_store.timestamps.evidence_record import EvidenceRecord
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.report import Finding
from evidence_store.verify.trust import Anchors
from tests.bundles import SampleArchive, sample_archive, write_plan
from tests.tsa import LocalTsa, authority

NOW = datetime.now(UTC).replace(microsecond=0)
LATER, EARLIER = NOW + timedelta(days=1), NOW - timedelta(days=30)


def rfc3339(moment: datetime) -> str:
    """A time as events have it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@cache
def local_tsa(name: str = "first") -> LocalTsa:
    """An authority that stamps without a server."""
    folder = Path(tempfile.mkdtemp(prefix="catena-tsa-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return LocalTsa(folder, authority(name))


@cache
def stamped_archive() -> SampleArchive:
    """The usual archive, with two authorities under roots of their own."""
    return sample_archive("stamped", tsas={"first": local_tsa("first"), "second": local_tsa("second")})


@cache
def witness(name: str) -> Cosigner:
    """A witness with an Ed25519 key."""
    key = generate_ed25519()
    return Cosigner(cosigner_key(name, ED25519_COSIGNER, key.public_key().public_bytes_raw()), key.sign)


def policy_text(names: Iterable[str], needed: str) -> str:
    """A policy of some witnesses, of whom so many are needed."""
    vkeys = {name: witness(name).key for name in names}
    lines = [
        f"witness {name} {format_cosigner_vkey(key.name, key.algorithm, key.public_key)}" for name, key in vkeys.items()
    ]
    return "\n".join([*lines, f"group all-of-them {needed} {' '.join(vkeys)}", "quorum all-of-them", ""])


def policy_of(names: Iterable[str], needed: str) -> Policy:
    """The same, parsed."""
    return parse_policy(policy_text(names, needed))


def verify_plan(archive: SampleArchive, plan: BundlePlan, folder: Path, anchors: Anchors | None = None) -> BundleReport:
    """Write a plan, sealed by the archive with time stamps, and verify it."""
    path = folder / "bundle.zip"
    path.write_bytes(write_plan(plan, archive.seal))
    return verify_bundle(path, anchors)


def found(report: BundleReport, code: str) -> list[Finding]:
    """The findings of a code."""
    return [finding for finding in report.findings if finding.code == code]


def subjects(report: BundleReport, code: str) -> set[str]:
    """What the findings of a code are about."""
    return {finding.subject for finding in found(report, code)}


def errors(report: BundleReport) -> list[str]:
    """Code and subject of each error."""
    return [f"{f.code} {f.subject}: {f.detail}" for f in report.findings if f.severity == "error"]


def claimed(report: BundleReport) -> set[str]:
    """Codes of all claims."""
    return {claim["code"] for claim in report.claims}


def text_of(report: BundleReport, code: str) -> str:
    """The sentence of a claim."""
    (text,) = [claim["text"] for claim in report.claims if claim["code"] == code]
    return text


def renewal_files(
    archive: SampleArchive, tsa: LocalTsa, number: int = 1, algorithm: str = "sha512"
) -> dict[str, bytes]:
    """A renewal of everything in an archive by now, as a bundle carries it: path to bytes."""
    note = archive.note()
    token = tsa.token(sha256(note).digest())
    groups = {about: renewals.object_members(about, events) for about, events in sorted(archive.events.items())}
    groups[renewals.CHECKPOINT] = renewals.checkpoint_members(archive.log.size, note, [token])
    hashes = {about: [digest_of(member, algorithm) for member in members] for about, members in groups.items()}
    levels = [[hash_tree.group_hash(algorithm, each) for each in hashes.values()]]
    while len(levels[-1]) > 1:
        levels.append(list(hash_tree.next_level(algorithm, levels[-1])))
    stamp = tsa.token(levels[-1][0], algorithm)
    folder = renewals.renewal_folder(number)
    files = {f"{folder}/{renewals.CHECKPOINT}": note, f"{folder}/{renewals.token_name('first')}": token}
    for index, (about, members) in enumerate(hashes.items()):
        siblings = hash_tree.path(index, len(hashes), lambda level, at: levels[level][at])
        record = EvidenceRecord((make_chain(algorithm, members, siblings, [stamp]),))
        files[f"{folder}/{renewals.record_name(about)}"] = record.encode()
    return files


def archive(seed: str, **tsas: LocalTsa) -> SampleArchive:
    """An archive with one item."""
    made = SampleArchive(f"claims-{seed}", tsas=tsas)
    made.deposit("a.jpg", b"a")
    return made


def verified(made: SampleArchive, folder: Path, anchors: Anchors | None = None, **changes: object) -> BundleReport:
    """The report on its bundle, with changes to the plan of it."""
    return verify_plan(made, replace(made.plan(), **changes), folder, anchors)  # type: ignore[arg-type]


def odd_tsa(folder: Path, name: str, **changes: object) -> LocalTsa:
    """An authority that stamps without a server, in its own way."""
    return LocalTsa(folder / name, authority(name), **changes)  # type: ignore[arg-type]
