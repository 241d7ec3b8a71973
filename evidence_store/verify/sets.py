"""Verifies a set: the signed list, each part as a bundle of its own, and that the parts here are those of the list.

A part is known by its bytes, never by its name: a ZIP by its SHA-256, an unzipped one by that of its ASiCManifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_store.bundle.layout import MIMETYPE
from evidence_store.bundle.sets import ENDING, SEAL_ENDING, BundleSet, SetPart, place_in_name, read_set
from evidence_store.canonical import parse_canonical
from evidence_store.digests import CHUNK_BYTES
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.claims import LIMIT_SET
from evidence_store.verify.container import open_regular
from evidence_store.verify.facts import NOT_PROVEN, PROVEN, Claim, quoted
from evidence_store.verify.report import MAX_PER_CODE
from evidence_store.verify.seals import OpenedSeal, open_seal
from evidence_store.verify.trust import Anchors, Trust, parse_certificates

MAX_LIST = 16 << 20
_MAX_SEAL = 256 << 10
_SAID_ONCE = frozenset({"part_of_set"})


@dataclass
class _Set:
    """One run over a set."""

    report: BundleReport
    anchors: Anchors
    now: datetime
    whole: BundleSet | None = None
    seal: OpenedSeal | None = None
    found: dict[int, str] = field(default_factory=dict)
    parts: dict[str, BundleReport] = field(default_factory=dict)


def set_list(path: Path) -> Path | None:
    """The list of the set that a path names: the list itself, or a folder that holds one and is no bundle.

    Raises:
        EvidenceStoreError: `unreadable`; `not_a_bundle` when a folder holds the lists of several sets.
    """
    try:
        if not path.is_dir():
            return path if path.name.endswith(ENDING) and path.is_file() else None
        lists = sorted(path.glob(f"*{ENDING}")) if not (path / MIMETYPE).exists() else []
    except (OSError, ValueError) as error:
        raise EvidenceStoreError("unreadable", f"{path}: {error}") from error
    if len(lists) > 1:
        raise EvidenceStoreError("not_a_bundle", f"{path} holds {len(lists)} sets: name the list of one of them")
    return lists[0] if lists else None


def verify_set(path: Path, trust: Trust | Anchors | None = None, now: datetime | None = None) -> BundleReport:
    """Verify a set offline.

    Args:
        path: its list; the parts lie beside it, as ZIP files or unzipped.
        trust: as in `verify_bundle`.
        now: likewise.

    Returns:
        All findings, of the set and of each part; those of a part begin with its file's name.

    Raises:
        EvidenceStoreError: `unreadable`: there is nothing to check.
    """
    run = _Set(
        BundleReport(max_per_code=MAX_PER_CODE),
        trust if isinstance(trust, Anchors) else Anchors(trust),
        now or datetime.now(UTC),
    )
    data = _read(path, MAX_LIST)
    with run.report.checking("set"):
        _read_list(run, path, data)
    for candidate in _candidates(path):
        with run.report.checking("set"):
            _check_part(run, candidate)
    with run.report.checking("set"):
        _check_missing(run)
        _check_sealer(run)
    _take_over(run)
    run.report.close()
    _state(run)
    return run.report


def _read_list(run: _Set, path: Path, data: bytes) -> None:
    name = path.name
    run.report.count("sets")
    try:
        value = parse_canonical(data)
    except EvidenceStoreError as error:
        run.report.finding("set_list_malformed", name, error.detail)
        return
    run.whole, problems = read_set(value)
    for detail in problems:
        run.report.finding("set_list_malformed", name, detail)
    if run.whole is None:
        return
    trusted = run.anchors.trust.roots if run.anchors.trust is not None else ()
    try:
        seal = _read(path.with_name(name + SEAL_ENDING), _MAX_SEAL)
        roots: Sequence[x509.Certificate] = trusted or parse_certificates(run.whole.ca.encode())
        run.seal = open_seal(seal, data, roots)
    except EvidenceStoreError as error:
        run.report.finding("set_seal_invalid", name + SEAL_ENDING, f"{error.code}: {error.detail}.")


def _candidates(path: Path) -> list[Path]:
    """What lies beside the list and may be a part: ZIP files, and folders that hold a bundle."""
    try:
        beside = sorted(path.parent.iterdir())
        return [each for each in beside if each.suffix == ".zip" or (each / MIMETYPE).is_file()]
    except OSError as error:
        raise EvidenceStoreError("unreadable", f"{path.parent}: {error}") from error


def _check_part(run: _Set, path: Path) -> None:
    """One file beside the list: which part is it, is it where its name says, is it whole?"""
    name = path.name
    try:
        report = verify_bundle(path, run.anchors, run.now)
        digests = None if path.is_dir() else _digests(path, run.whole)
    except EvidenceStoreError as error:
        run.report.finding("set_part_foreign", name, f"It is no bundle: {error.detail}.")
        return
    if run.whole is None:
        run.parts[name] = report
        return
    part = _listed(run.whole, report, None if digests is None else digests[0])
    if part is None:
        _not_listed(run, run.whole, report, name)
        return
    run.parts[name] = report
    run.report.count("parts")
    if part.part in run.found:
        run.report.finding("set_part_doubled", name, f"It is part {part.part}, and so is {run.found[part.part]}.")
    run.found.setdefault(part.part, name)
    place = place_in_name(name)
    if place is not None and place[1:] != (part.part, len(run.whole.parts)):
        detail = f"Its name says part {place[1]} of {place[2]}; it is part {part.part} of {len(run.whole.parts)}."
        run.report.finding("set_part_swapped", name, detail)
    differing = _differing(run.whole, part, report)
    if digests is not None and None not in {digests[1], part.sha512} and digests[1] != part.sha512:
        differing.append("sha512")
    if differing:
        run.report.finding("set_part_differs", name, f"Not as in the list: {', '.join(differing)}.")


def _listed(whole: BundleSet, report: BundleReport, sha256: str | None) -> SetPart | None:
    sealed = report.facts.bundle.get("sealed_list_sha256")
    for part in whole.parts:
        if sha256 == part.sha256 or (sha256 is None and sealed == part.sealed_list_sha256):
            return part
    return None


def _not_listed(run: _Set, whole: BundleSet, report: BundleReport, name: str) -> None:
    said = report.facts.bundle
    if said.get("set") == whole.set_id:
        run.parts[name] = report  # what is wrong with it is told, too
        detail = f"It says that it is part {said.get('part')} of this set, and is not the bundle that the list names."
        run.report.finding("set_part_changed", name, detail)
    else:
        detail = "It says that it is of another set." if "set" in said else "It does not say that it is of any set."
        run.report.finding("set_part_foreign", name, detail)


def _differing(whole: BundleSet, part: SetPart, report: BundleReport) -> list[str]:
    """What a part says of itself and the list does not."""
    expected: dict[str, str | int] = {
        "bundle_id": part.bundle_id,
        "set": whole.set_id,
        "part": part.part,
        "parts": len(whole.parts),
        "items": part.items,
        "archive": whole.archive.id,
        "log": whole.archive.log,
        "entries": whole.tree_size,
        "created_at": whole.created_at,
        "purpose": whole.purpose,
    }
    return [key for key, value in expected.items() if report.facts.bundle.get(key) != value]


def _check_missing(run: _Set) -> None:
    parts = run.whole.parts if run.whole is not None else ()
    for part in parts:
        if part.part not in run.found:
            detail = f"Bundle {part.bundle_id} with {part.items} item(s), sha256 {part.sha256}."
            run.report.finding("set_part_missing", f"part {part.part} of {len(parts)}", detail)


def _check_sealer(run: _Set) -> None:
    """The list must be sealed by a key that sealed a part: its fate was judged there."""
    if run.seal is None or not run.parts:
        return
    digest = hashlib.sha256(run.seal.info.certificate.public_bytes(Encoding.DER)).hexdigest()
    used = {key.fingerprint for report in run.parts.values() for key in report.facts.keys if key.use == "seal"}
    if digest not in used:
        detail = f"It is sealed with {quoted(run.seal.info.signer)}, and none of the parts is."
        run.report.finding("set_seal_invalid", "the list", detail)


def _take_over(run: _Set) -> None:
    """Findings, counts and facts of the parts."""
    facts = run.report.facts
    for name, report in run.parts.items():
        for finding in report.findings:
            if finding.code not in _SAID_ONCE:
                run.report.finding(finding.code, f"{name}: {finding.subject}", finding.detail)
        for what, number in report.checked.items():
            run.report.count(what, number)
        facts.keys += [key for key in report.facts.keys if key not in facts.keys]
        facts.stamps += [stamp for stamp in report.facts.stamps if stamp not in facts.stamps]
        facts.witnesses += [witness for witness in report.facts.witnesses if witness not in facts.witnesses]
    if (whole := run.whole) is not None:
        facts.bundle |= {
            "bundle_id": whole.set_id,
            "created_at": whole.created_at,
            "created_by": whole.created_by.name,
            "purpose": whole.purpose,
            "archive": whole.archive.id,
            "organisation": whole.archive.org,
            "log": whole.archive.log,
            "entries": whole.tree_size,
            "items": whole.items,
            "parts": len(whole.parts),
        }


def _state(run: _Set) -> None:
    """What holds of every part is said once; what holds of some, with their names."""
    claims: dict[Claim, list[str]] = {}
    for name, report in run.parts.items():
        for claim in report.stated:
            if claim.code != LIMIT_SET:
                claims.setdefault(claim, []).append(name)
    stated = [
        claim if len(names) == len(run.parts) else Claim(claim.code, f"{', '.join(names)}: {claim.text}", claim.kind)
        for claim, names in claims.items()
    ]
    if run.whole is not None and run.seal is not None and not run.report.failed_checks & {"set"}:
        trusted = run.anchors.trust is not None and run.anchors.trust.roots
        anchor = "by a key that you trust" if trusted else "by the set's own key, which anyone could have made"
        holder = quoted(run.seal.info.signer)
        text = f"All {len(run.whole.parts)} parts of the set are here, as listed and sealed ({anchor}): {holder}."
        stated.insert(0, Claim("set_whole", text, PROVEN))
    else:
        text = "Not shown: that the parts here are all of the set, and no others."
        stated.append(Claim(LIMIT_SET, text, NOT_PROVEN))
    run.report.state(stated)


def _read(path: Path, limit: int) -> bytes:
    try:
        with open_regular(path) as stream:
            data = stream.read(limit + 1)
    except (EvidenceStoreError, OSError) as error:  # its folder on this machine is nothing for a report
        raise EvidenceStoreError("unreadable", f"{path.name} cannot be read") from error
    if len(data) > limit:
        raise EvidenceStoreError("unreadable", f"{path.name} is larger than {limit} bytes")
    return data


def _digests(path: Path, whole: BundleSet | None) -> tuple[str, str | None]:
    """SHA-256 of a file, and its SHA-512 if the list names any part by one (lists of before ADR 43 do)."""
    computer = hashlib.sha256()
    further = hashlib.sha512() if any(part.sha512 for part in (whole.parts if whole is not None else ())) else None
    with open_regular(path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            computer.update(chunk)
            if further is not None:
                further.update(chunk)
    return computer.hexdigest(), None if further is None else further.hexdigest()
