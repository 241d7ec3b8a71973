"""What the offline verifier says of a partner's bundle, and what of it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import InvalidInputError
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.report import printable
from evidence_store.verify.trust import Trust

SHOWN = 5
"""Errors that a refusal names."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found.

    Attributes:
        verdict: the verifier's word: verified (with keys that the archive was given), or whole.
        findings: code, severity, subject and detail of each warning and note.
        not_proven: codes of the warnings.
        claims: the verifier's sentences on what is proven and what is not.
    """

    verdict: str
    findings: tuple[dict[str, str], ...]
    not_proven: tuple[str, ...]
    claims: tuple[dict[str, str], ...]

    def as_json(self) -> dict[str, Any]:
        """For the row."""
        return {
            "verdict": self.verdict,
            "findings": [dict(each) for each in self.findings],
            "claims": [dict(each) for each in self.claims],
        }


def verify(path: Path, trust: Trust | None) -> Verdict:
    """Check a bundle; no network, nothing is written.

    Args:
        path: the spooled ZIP.
        trust: the partner's keys, or None.

    Raises:
        InvalidInputError: `bundle_refused` when there is an error in it, or when it is no bundle at all.
    """
    try:
        report = verify_bundle(path, trust)
    except EvidenceStoreError as error:
        said = printable(error.detail.replace(str(path), "what came"))  # not where it was kept meanwhile
        raise InvalidInputError("bundle_refused", f"{error.code}: {said}; nothing was kept") from error
    if not report.ok:
        errors = [
            f"{found.code} ({printable(found.subject)})" for found in report.findings if found.severity == "error"
        ]
        more = f" and {len(errors) - SHOWN} more" if len(errors) > SHOWN else ""
        told = ", ".join(errors[:SHOWN])
        raise InvalidInputError("bundle_refused", f"the verifier found errors: {told}{more}; nothing was kept")
    found = tuple(
        {"code": each.code, "severity": each.severity, "subject": each.subject, "detail": each.detail}
        for each in report.findings
    )
    return Verdict(
        verdict=report.verdict,
        findings=found,
        not_proven=tuple(dict.fromkeys(each["code"] for each in found if each["severity"] == "warning")),
        claims=tuple({"code": each["code"], "text": each["text"]} for each in report.claims),
    )
