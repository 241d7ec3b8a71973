"""The composition root: picks backends, clock and keys, and registers who handles which job."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app import clock as clocks
from app.access.service import Access
from app.analysis import sandbox
from app.analysis.proxies import PROXY_JOB, Proxies
from app.analysis.second_opinion import find_program
from app.analysis.service import ANALYSE_JOB, FINGERPRINT_JOB, Analysis
from app.analysis.tracks import Tracks
from app.analysis.trust import load_trust
from app.analysis.versions import Versions
from app.api.services import Services
from app.archive import Archive
from app.assessment.files import AssessmentFiles
from app.assessment.resorted import ResortedLinks
from app.assessment.service import Assessments
from app.audit.service import Audits
from app.config import IDENTITY_FILE, ArchiveIdentity, Settings, load_identity
from app.custody.checkpoints import Checkpointer
from app.custody.heads import KeptHeads
from app.custody.log_store import HEAD_ID
from app.custody.models import LogHead
from app.custody.service import SYSTEM, Custody
from app.custody.vkeys import MLDSA_STEM, log_keys
from app.db import Database
from app.disclosure.redactions import REDACT_JOB, Redactions
from app.disclosure.service import Disclosures
from app.errors import ConflictError, EnvironmentFailedError
from app.evidence.relations import Relations
from app.evidence.service import Evidence
from app.evidence.work import Work
from app.export.collected import Sources as BundleSources
from app.export.encrypted import EncryptedBundles
from app.export.openings import Openings
from app.export.register import Register
from app.export.service import EXPORT_JOB, Exports
from app.export.vouched import Vouchers
from app.incidents.entries import Entries
from app.incidents.files import IncidentFiles
from app.incidents.service import Incidents
from app.intake.checks import Checks
from app.intake.offers import Offers
from app.intake.quotas import Quotas
from app.intake.service import SEAL_JOB, Intake
from app.intake.sources import Sources
from app.intake.uploads import Uploads
from app.jobs.service import Jobs
from app.jobs.worker import Worker
from app.keyring.folder import KeyFolder
from app.keyring.published import compromised_log_keys, published_log_keys
from app.keyring.rotation import Rotations
from app.keyring.service import Keyring
from app.keyring.signed import read_signed
from app.keyring.signing import SigningKeys, sign_head
from app.law.catalogue_care import CatalogueCare
from app.law.incident_suggestions import IncidentSuggestions, check_facts
from app.law.rule_care import RuleCare
from app.law.service import Law
from app.law.versions import Catalogues
from app.matching.decisions import Decisions
from app.matching.match_pictures import MatchPictures
from app.matching.parsers import PARSERS
from app.matching.service import MATCH_JOB, Matching
from app.migrate import require_current, upgrade
from app.patterns.drawings import Drawings
from app.patterns.releases import Releases
from app.patterns.service import Patterns
from app.receiving.against import Partners
from app.receiving.service import Receiving
from app.renewal.service import Renewals
from app.review.service import Reviews
from app.timestamps.service import Timestamps
from app.verification.files import VerificationFiles
from app.verification.reading import Reading
from app.verification.service import Verifications
from app.witnessing.service import Witnessing
from evidence_store.blobs.local import LocalBlobStore
from evidence_store.digests import digest_stream
from evidence_store.durable import make_directories, write_new
from evidence_store.keys.authority import check_organisation, create_ca, issue_seal_certificate
from evidence_store.keys.cosigner import make_cosigner
from evidence_store.keys.file import generate_ed25519, generate_p256, save_private_key
from evidence_store.log import note
from evidence_store.log.cosignature import MLDSA44_COSIGNER, format_cosigner_vkey

FIRST_ADMIN = "admin"
STALE_STAGING_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class InitResult:
    """What `catena init` has to tell, once.

    Attributes:
        token: the first admin's access token; stored nowhere.
    """

    identity: ArchiveIdentity
    admin: str
    token: str


def init_archive(
    settings: Settings, org: str, passphrase: bytes, clock: clocks.Clock = clocks.system_clock
) -> InitResult:
    """Make an archive: keys, certificates, database, catalogue, first admin.

    The identity file is written last: a folder without it is no archive, and nothing else would
    open it.

    Raises:
        ConflictError: `archive_exists`, `folder_not_empty`.
        EvidenceStoreError: `bad_name` and others of the key store.
    """
    check_organisation(org)
    require_new(settings)
    archive_id = str(uuid.uuid4())
    identity = ArchiveIdentity(archive_id, org, f"catena/{archive_id}", clocks.rfc3339(clock()))
    make_directories(settings.data, 0o700)
    settings.data.chmod(0o700)  # it may have been there before, open to others
    make_directories(settings.keys, 0o700)
    make_directories(settings.exports, 0o700)
    details = _make_keys(settings, identity, passphrase, clock())
    db = Database(settings.database_url, settings.database_connections)
    upgrade(db)
    custody = Custody(identity.log, clock)
    with db.write() as session:
        if session.get(LogHead, HEAD_ID) is not None:
            raise ConflictError("database_not_empty", "this database already holds an archive's log")
        session.add(LogHead(id=HEAD_ID, size=0))
        session.flush()
        founding = {"org": org, "created_at": identity.created_at, **details}
        custody.record(session, f"archive:{identity.id}", "archive creation", SYSTEM, details={**founding})
    services = _assemble(settings, identity, db, lambda: passphrase, clock)
    services.keyring.ensure_introduced()
    services.law.ensure_catalogue(SYSTEM)
    services.access.create_user(SYSTEM, FIRST_ADMIN, "admin", "First administrator")
    _, token = services.access.create_token(SYSTEM, FIRST_ADMIN, "first token")
    key = services.archive.log_key()
    services.checkpointer.begin(key.public_key, key.sign, key.cosign)
    record = {**identity.as_json(), "created_at": identity.created_at, "v": 1}
    write_new(settings.data / IDENTITY_FILE, json.dumps(record, indent=1, sort_keys=True).encode() + b"\n", 0o644)
    db.close()
    return InitResult(identity, FIRST_ADMIN, token)


def require_new(settings: Settings) -> None:
    """Refuse a data folder that is in use; to be asked before anything is written there.

    Raises:
        ConflictError: `archive_exists`, `folder_not_empty`, `head_copy_taken`.
    """
    if (settings.data / IDENTITY_FILE).exists():
        raise ConflictError("archive_exists", f"there is already an archive in {settings.data}")
    if settings.head_copy is not None and settings.head_copy.exists():
        raise ConflictError("head_copy_taken", f"{settings.head_copy} exists: it may be the head of another archive")
    if settings.keys.exists():
        raise ConflictError(
            "folder_not_empty", f"{settings.data} holds an unfinished archive: remove the folder and try again"
        )


def open_archive(
    settings: Settings,
    passphrase: Callable[[], bytes],
    clock: clocks.Clock = clocks.system_clock,
    *,
    for_audit: bool = False,
) -> Services:
    """Open an archive for use.

    Args:
        settings: where it is.
        passphrase: asked on first use of a key.
        clock: source of time.
        for_audit: take the database as it is: the audit says what is wrong with it.

    Raises:
        EnvironmentFailedError: `no_archive`, `archive_damaged`, `database_outdated`, and
            `log_rolled_back` or `log_forked` when the database does not continue what was signed.
    """
    identity = load_identity(settings)
    db = Database(settings.database_url, settings.database_connections)
    try:
        if not for_audit:
            require_current(db)
            find_program(settings.exiftool)  # a setting that names no program is told now, not with the first photo
        sandbox.preload(*PARSERS)
        sandbox.demand(settings.sandbox)
        load_trust(settings)  # a list that cannot be read must stop us now, not at each analysis
        services = _assemble(settings, identity, db, passphrase, clock)
        if for_audit:
            with suppress(EnvironmentFailedError):
                services.checkpointer.heads.read(log_keys(settings.keys))  # so that nothing is recorded below them
        else:
            services.checkpointer.require_continued(log_keys(settings.keys))
    except BaseException:
        db.close()
        raise
    return services


def _assemble(
    settings: Settings, identity: ArchiveIdentity, db: Database, passphrase: Callable[[], bytes], clock: clocks.Clock
) -> Services:
    blobs = LocalBlobStore(settings.blobs)
    blobs.purge_staging(STALE_STAGING_SECONDS)
    heads = KeptHeads(settings.head_file, settings.head_copy)
    custody = Custody(identity.log, clock, lambda: heads.known)
    keys = SigningKeys(KeyFolder(settings.keys), identity, db, passphrase, clock)
    archive = Archive(settings, identity, db, blobs, custody, clock, keys.seal_key, keys.log_key)
    jobs = Jobs(db, custody, settings.lease_seconds)
    access = Access(archive)
    evidence = Evidence(archive, access)
    matching = Matching(archive, access, jobs)
    analysis = Analysis(archive, jobs, matching)
    law, catalogues = Law(archive, access), Catalogues(archive)
    incidents = Incidents(archive, access, check_facts, catalogues.provision_ids)
    verifications = Verifications(archive, access)
    verification_files = VerificationFiles(archive, access, verifications)
    verified = Reading(archive, access, verifications, incidents)
    patterns = Patterns(archive, access)
    rule_care = RuleCare(archive, access, catalogues)
    suggestions = IncidentSuggestions(archive, incidents, catalogues, rule_care, verified.held)
    reviews, decisions = Reviews(archive, access), Decisions(archive, access)
    timestamps = Timestamps(archive)
    quotas = Quotas(archive, access)
    intake = Intake(archive, access, jobs, timestamps, quotas)
    checkpointer = Checkpointer(
        db,
        identity.log,
        heads,
        former_keys=lambda: log_keys(settings.keys),
        believed_keys=lambda: published_log_keys(archive),
        compromised_keys=lambda: compromised_log_keys(archive),
    )
    rotations = Rotations(archive, checkpointer, keys)
    keys.complete = rotations.complete

    def checkpoint() -> bytes:
        return sign_head(checkpointer, archive.log_key)

    def verified_checkpoint() -> tuple[note.Checkpoint, bytes]:
        signed = checkpoint()
        return read_signed(archive, signed).checkpoint, signed

    renewals = Renewals(archive, access, timestamps, verified_checkpoint)
    witnessing = Witnessing(archive)
    vouchers = Vouchers(checkpoint, timestamps, witnessing, renewals)
    relations = Relations(archive, access, evidence)
    sources, checks = Sources(archive, access, evidence), Checks(archive, access, evidence)
    assessments = Assessments(archive, access, incidents, suggestions, catalogues)
    partners, redactions = Partners(archive), Redactions(archive, access, jobs)
    disclosures = Disclosures(archive, sources, catalogues, partners.against)
    parts = BundleSources(
        archive,
        evidence,
        analysis,
        matching,
        incidents,
        assessments,
        law,
        reviews,
        sources,
        checks,
        disclosures,
        redactions,
        partners.came,
    )
    exports = Exports(access, parts, vouchers, jobs)
    return Services(
        archive=archive,
        access=access,
        jobs=jobs,
        work=Work(archive, access),
        evidence=evidence,
        relations=relations,
        offers=Offers(archive, access),
        intake=intake,
        uploads=Uploads(archive, access, intake, quotas),
        quotas=quotas,
        sources=sources,
        checks=checks,
        analysis=analysis,
        versions=Versions(archive, access, evidence, jobs),
        proxies=Proxies(archive, jobs),
        tracks=Tracks(archive, evidence, relations),
        matching=matching,
        incidents=incidents,
        incident_files=IncidentFiles(archive, access, incidents, check_facts, verification_files, AssessmentFiles()),
        entries=Entries(archive, access),
        verifications=verifications,
        verification_files=verification_files,
        verified=verified,
        decisions=decisions,
        match_pictures=MatchPictures(archive, access),
        law=law,
        suggestions=suggestions,
        assessments=assessments,
        rule_care=rule_care,
        catalogue_care=CatalogueCare(archive, access, catalogues, rule_care, ResortedLinks(archive, access).warnings),
        reviews=reviews,
        patterns=patterns,
        drawings=Drawings(archive, access, incidents, patterns),
        releases=Releases(archive, access, timestamps),
        exports=exports,
        register=Register(archive, access, evidence, exports),
        redactions=redactions,
        encrypted=EncryptedBundles(archive, exports),
        openings=Openings(access, parts, exports),
        receiving=Receiving(archive, access, intake, sources),
        audits=Audits(archive, access, timestamps),
        checkpointer=checkpointer,
        timestamps=timestamps,
        witnessing=witnessing,
        renewals=renewals,
        keyring=Keyring(archive, access, keys.folder, rotations),
    )


def make_worker(services: Services) -> Worker:
    """A worker with every handler."""
    handlers = {
        SEAL_JOB: services.intake.handle_seal,
        ANALYSE_JOB: services.analysis.handle_analyse,
        FINGERPRINT_JOB: services.matching.handle_fingerprint,
        MATCH_JOB: services.matching.handle_match,
        PROXY_JOB: services.proxies.handle_proxy,
        EXPORT_JOB: services.exports.handle_export,
        REDACT_JOB: services.redactions.handle_redact,
    }
    return Worker(services.jobs, handlers, services.matching.not_now)


def _make_keys(settings: Settings, identity: ArchiveIdentity, passphrase: bytes, now: datetime) -> dict[str, str]:
    """Make CA, seal and both log keys; return the fingerprints that the first event records."""
    ca_key, seal_key, log_key = generate_p256(), generate_p256(), generate_ed25519()
    ca = create_ca(ca_key, identity.org, identity.id, now)
    seal = issue_seal_certificate(ca, ca_key, seal_key.public_key(), identity.org, identity.id, now)
    vkey = note.format_vkey(identity.log, log_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    folder = settings.keys
    save_private_key(folder / "ca.key", ca_key, passphrase)
    save_private_key(folder / "seal.key", seal_key, passphrase)
    save_private_key(folder / "log.key", log_key, passphrase)
    mldsa = make_cosigner(folder, MLDSA_STEM, identity.log, MLDSA44_COSIGNER, passphrase)
    write_new(folder / "ca.crt", ca.public_bytes(Encoding.PEM), 0o644)
    write_new(folder / "seal.crt", seal.public_bytes(Encoding.PEM), 0o644)
    write_new(folder / "log.vkey", vkey.encode() + b"\n", 0o644)
    return {
        "ca_sha256": digest_stream([ca.public_bytes(Encoding.DER)]).sha256,
        "seal_sha256": digest_stream([seal.public_bytes(Encoding.DER)]).sha256,
        "log_vkey": vkey,
        "log_mldsa_vkey": format_cosigner_vkey(mldsa.name, mldsa.algorithm, mldsa.public_key),
    }
