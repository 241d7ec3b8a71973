"""The report on a bundle, as JSON and as text; as a page it is `evidence_store.verify.html`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from evidence_store.verify.facts import KINDS, NEVER_PROVEN, NOT_PROVEN, PROVEN, Claim, Facts
from evidence_store.verify.report import Report, catalogue, printable
from evidence_store.verify.version import NAME, VERSION

HEADINGS = {
    PROVEN: "What was shown",
    NOT_PROVEN: "What was not shown here",
    NEVER_PROVEN: "What no bundle can show",
}
VERIFIED, WHOLE, NOT_VERIFIED = "verified", "whole, but not shown whose", "not verified"
"""Verdicts: no error under keys that the caller gave; no error, but a key that this rests on came with the bundle;
errors."""


@dataclass
class BundleReport(Report):
    """A report that also tells which bundle, keys, times and witnesses it is about, and sorts its claims."""

    facts: Facts = field(default_factory=Facts)
    stated: list[Claim] = field(default_factory=list)

    def state(self, claims: list[Claim]) -> None:
        """Take the claims, once, after all checks, and sort them by kind."""
        self.stated = [claim for kind in KINDS for claim in claims if claim.kind == kind]
        self.claims = [{"code": claim.code, "text": claim.text} for claim in self.stated]

    @property
    def verdict(self) -> str:
        """`VERIFIED`, `WHOLE` or `NOT_VERIFIED`: the same word in every form of the report."""
        if not self.ok:
            return NOT_VERIFIED
        return WHOLE if any(each.code == "trust_not_anchored" for each in self.findings) else VERIFIED

    def of_kind(self, kind: str) -> list[Claim]:
        """The claims of one kind, in order."""
        return [claim for claim in self.stated if claim.kind == kind]

    def as_json(self) -> dict[str, Any]:
        """All of the report. `claims` holds all claims; the lists named as in `KINDS` hold the same, sorted by kind."""
        return {
            **super().as_json(),
            "verdict": self.verdict,
            **{kind: [{"code": each.code, "text": each.text} for each in self.of_kind(kind)] for kind in KINDS},
            "verifier": {"name": NAME, "version": VERSION},
            "bundle": self.facts.bundle,
            "keys": [asdict(key) for key in self.facts.keys],
            "time_stamps": [stamp.as_json() for stamp in self.facts.stamps],
            "witnesses": [asdict(witness) for witness in self.facts.witnesses],
        }

    def as_text(self) -> str:
        """The report for a person. Names from the bundle are escaped: they may hold terminal commands."""
        bundle = self.facts.bundle.get("bundle_id", "without a readable manifest")
        lines = [f"{NAME} {VERSION}: bundle {printable(str(bundle))}"]
        for finding in self.findings:
            lines.append(f"{finding.severity.upper():8}{finding.code}: {printable(finding.subject)}")
            lines.append(f"        {catalogue()[finding.code]['message']} {printable(finding.detail)}")
        counts = ", ".join(f"{number} {name}" for name, number in self.checked.items())
        lines.append(f"Checked: {counts or 'nothing'}.")
        for kind in KINDS:
            if claims := self.of_kind(kind):
                lines.append(f"{HEADINGS[kind]}:")
                lines.extend(f"- {printable(claim.text)}" for claim in claims)
        lines.append(self.verdict.upper() + ("" if self.ok else ": see the errors above"))
        return "\n".join(lines)
