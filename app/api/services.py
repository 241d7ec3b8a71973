"""What the edges (HTTP, command line) are handed: one archive and its use-cases."""

from __future__ import annotations

from dataclasses import dataclass

from app.access.service import Access
from app.analysis.proxies import Proxies
from app.analysis.service import Analysis
from app.analysis.tracks import Tracks
from app.analysis.versions import Versions
from app.archive import Archive
from app.assessment.service import Assessments
from app.audit.service import Audits
from app.custody.checkpoints import Checkpointer
from app.disclosure.redactions import Redactions
from app.evidence.relations import Relations
from app.evidence.service import Evidence
from app.evidence.work import Work
from app.export.encrypted import EncryptedBundles
from app.export.openings import Openings
from app.export.register import Register
from app.export.service import Exports
from app.incidents.entries import Entries
from app.incidents.files import IncidentFiles
from app.incidents.service import Incidents
from app.intake.checks import Checks
from app.intake.offers import Offers
from app.intake.quotas import Quotas
from app.intake.service import Intake
from app.intake.sources import Sources
from app.intake.uploads import Uploads
from app.jobs.service import Jobs
from app.keyring.service import Keyring
from app.keyring.signing import sign_head
from app.law.catalogue_care import CatalogueCare
from app.law.incident_suggestions import IncidentSuggestions
from app.law.rule_care import RuleCare
from app.law.service import Law
from app.matching.decisions import Decisions
from app.matching.match_pictures import MatchPictures
from app.matching.service import Matching
from app.patterns.drawings import Drawings
from app.patterns.releases import Releases
from app.patterns.service import Patterns
from app.receiving.service import Receiving
from app.renewal.service import Renewals
from app.review.service import Reviews
from app.timestamps.service import Timestamps
from app.verification.files import VerificationFiles
from app.verification.reading import Reading
from app.verification.service import Verifications
from app.witnessing.service import Witnessing


@dataclass(frozen=True, slots=True)
class Services:
    """One archive, opened, with everything that can be done with it."""

    archive: Archive
    access: Access
    jobs: Jobs
    work: Work
    evidence: Evidence
    relations: Relations
    offers: Offers
    intake: Intake
    uploads: Uploads
    sources: Sources
    checks: Checks
    quotas: Quotas
    analysis: Analysis
    versions: Versions
    proxies: Proxies
    tracks: Tracks
    matching: Matching
    incidents: Incidents
    incident_files: IncidentFiles
    entries: Entries
    verifications: Verifications
    verification_files: VerificationFiles
    verified: Reading
    decisions: Decisions
    match_pictures: MatchPictures
    law: Law
    suggestions: IncidentSuggestions
    assessments: Assessments
    rule_care: RuleCare
    catalogue_care: CatalogueCare
    reviews: Reviews
    patterns: Patterns
    releases: Releases
    drawings: Drawings
    exports: Exports
    register: Register
    openings: Openings
    encrypted: EncryptedBundles
    redactions: Redactions
    receiving: Receiving
    audits: Audits
    checkpointer: Checkpointer
    keyring: Keyring
    timestamps: Timestamps
    witnessing: Witnessing
    renewals: Renewals

    def log_has_grown(self) -> bool:
        """Whether events were added since the newest checkpoint."""
        return self.checkpointer.log_has_grown()

    def checkpoint(self) -> bytes:
        """The signed checkpoint of the log as it stands."""
        return sign_head(self.checkpointer, self.archive.log_key)
