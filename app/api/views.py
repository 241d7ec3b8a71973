"""From rows to response bodies; nothing here decides who may see them."""

from __future__ import annotations

import base64
import json

from app.access.models import Token, User
from app.access.service import Principal
from app.analysis.models import AnalysisRun
from app.analysis.proxies import ProxyView
from app.api.services import Services
from app.custody.models import EventRow
from app.evidence.models import Blob, Case, Derivative, Item, Receipt
from app.evidence.relations import Related
from app.evidence.work import job_record
from app.intake.checks import WORDING
from app.intake.checks import CheckShown as RecordedCheck
from app.intake.quotas import Usage
from app.intake.sources import SourceShown as SourceVersion
from app.intake.stamping import stamped_seal
from app.jobs.states import DEAD, DONE
from app.law.models import ProvisionLink
from app.law.service import ProvisionView
from app.review.models import LinkReview
from app.timestamps.service import receipt_subject
from app.timestamps.stamps import StampState
from evidence_store.errors import EvidenceStoreError
from schemas.api.cases import CaseShown
from schemas.api.custody import EventShown
from schemas.api.items import (
    AnalysisShown,
    CheckShown,
    DerivativeShown,
    ItemShown,
    ItemSummary,
    ProxyShown,
    RelationShown,
)
from schemas.api.jobs import JobShown
from schemas.api.law import LinkShown, ProvisionSummary, ReviewShown
from schemas.api.receipts import LogPosition, ReceiptShown
from schemas.api.sources import SourceVersionShown
from schemas.api.timestamps import Stamp, StampShown
from schemas.api.users import QuotaShown, TokenShown, UserShown


def case_shown(case: Case) -> CaseShown:
    """A case."""
    return CaseShown(id=case.id, ref=case.ref, title=case.title, created_at=case.created_at, created_by=case.created_by)


def item_summary(item: Item, blob: Blob, current: SourceVersion) -> ItemSummary:
    """An item as lists show it, with the newest version of its source and, where that is another, the first."""
    return ItemSummary(
        id=item.id,
        case=item.case_id,
        original_name=item.original_name,
        sha256=blob.sha256,
        sha512=blob.sha512,
        size=blob.size,
        received_at=item.received_at,
        received_by=item.received_by,
        source=current.record,
        source_version=current.number,
        source_at_deposit=None if current.number == 1 else json.loads(item.source),
    )


def item_shown(services: Services, who: Principal, item: Item, blob: Blob) -> ItemShown:
    """An item in full."""
    current = services.sources.current_of([item])[item.id]
    checks = services.checks.of(item.id)
    made = services.evidence.derivatives(item.id)
    jobs = services.work.of_item(item.id)
    return ItemShown(
        **item_summary(item, blob, current).model_dump(),
        analysis=analysis_shown(services.analysis.latest(item.id), services.analysis.given_up(item.id)),
        worked_off=all(job.state in {DONE, DEAD} for job in jobs),
        work=[JobShown.model_validate(job_record(job)) for job in jobs],
        duplicate_of=services.evidence.same_bytes(who, item),
        sealed=services.evidence.receipt(item.id) is not None,
        previews=[one.media_type for one in made if one.role == "preview"],
        derivatives=[derivative_shown(services, one) for one in made],
        proxy=proxy_shown(services.proxies.view(item.id)),
        timestamps=stamps_shown(services.timestamps.states(receipt_subject(item.id))),
        relations=[relation_shown(one) for one in services.relations.of(who, item.id)],
        checks=[check_shown(check) for check in checks],
        failed_checks=sum(check.verdict == "failed" for check in checks),
    )


def relation_shown(related: Related) -> RelationShown:
    """A relation as one of its items sees it."""
    row = related.relation
    return RelationShown(
        id=row.id,
        item=related.item,
        direction=related.direction,
        kind=row.kind,
        basis=row.basis,
        created_at=row.created_at,
        created_by=row.created_by,
    )


def version_shown(version: SourceVersion) -> SourceVersionShown:
    """A version of a source."""
    return SourceVersionShown.model_validate(version.as_json())


def check_shown(check: RecordedCheck) -> CheckShown:
    """A check of a collector's hash, signature or time stamp; never without who computed it."""
    return CheckShown(
        id=check.id,
        number=check.number,
        kind=check.kind,
        verdict=check.verdict,
        checked_by=check.checked_by,
        wording=WORDING[check.checked_by],
        details=check.details,
        created_at=check.created_at,
    )


def derivative_shown(services: Services, made: Derivative) -> DerivativeShown:
    """A working copy."""
    try:
        size = services.archive.blobs.size(made.sha256)
    except EvidenceStoreError:
        size = None
    fields = {name: getattr(made, name) for name in ("media_type", "width", "height", "sha256", "created_at")}
    return DerivativeShown.model_validate({**fields, "role": made.role, "size": size})


def proxy_shown(view: ProxyView | None) -> ProxyShown | None:
    """How far a proxy has come; what is missing is said of the copy that is handed out."""
    if view is None:
        return None
    run = view.source
    times = (None, None, None) if run is None else (run.covered_ms, run.claimed_ms, run.origin_ms)
    seconds, of_seconds, origin = (None if ms is None else ms / 1000 for ms in times)
    return ProxyShown.model_validate(
        {
            "state": view.state,
            "sha256": view.made.sha256 if view.made else None,
            "seconds": seconds,
            "of_seconds": of_seconds,
            "origin_seconds": origin,
            "missing": json.loads(run.missing) if run else [],
            "failure_code": view.code,
            "failure_detail": view.detail,
        }
    )


def analysis_shown(run: AnalysisRun | None, given_up: str | None = None) -> AnalysisShown:
    """How far the analysis has come; what was given up is not pending."""
    if run is None and given_up is not None:
        return AnalysisShown(state="failed", failure_code="work_given_up", failure_detail=given_up)
    if run is None:
        return AnalysisShown(state="pending")
    return AnalysisShown(
        state="failed" if run.state == "failed" else "done",
        run=run.number,
        media_type=run.media_type,
        kind=run.kind,
        captured_at=run.captured_at,
        lat=run.lat,
        lon=run.lon,
        failure_code=run.failure_code,
        failure_detail=run.failure_detail,
    )


def stamps_shown(states: list[StampState]) -> list[Stamp]:
    """Time stamps as what they are over shows them."""
    return [Stamp.model_validate({"tsa": one.tsa, "state": one.state, "gen_time": one.gen_time}) for one in states]


def stamp_full(state: StampState) -> StampShown:
    """A time stamp in full; of its trouble only the code, the rest is the operator's business."""
    code = state.trouble.partition(":")[0] if state.trouble else None
    fields = {name: getattr(state, name) for name in StampShown.model_fields if name != "trouble"}
    return StampShown.model_validate({**fields, "trouble": code})


def receipt_shown(services: Services, receipt: Receipt) -> ReceiptShown:
    """A receipt; its statement is parsed for reading, the exact bytes stand beside it."""
    statement = json.loads(receipt.statement)
    return ReceiptShown(
        statement=statement,
        statement_base64=base64.b64encode(receipt.statement).decode(),
        p7s_base64=base64.b64encode(stamped_seal(services.timestamps, receipt)).decode(),
        position=LogPosition(
            log=statement["archive"]["log"],
            leaf_index=statement["leaf_index"],
            event_id=statement["event_id"],
            event_sha256=statement["event_sha256"],
        ),
        created_at=receipt.created_at,
        timestamps=stamps_shown(services.timestamps.states(receipt_subject(receipt.item_id))),
    )


def event_shown(row: EventRow) -> EventShown:
    """An event, from its canonical bytes; the columns are only projections."""
    return EventShown(leaf_index=row.leaf_index, event_sha256=row.event_sha256, event=json.loads(row.canonical))


def provision_summary(view: ProvisionView) -> ProvisionSummary:
    """A provision as lists show it."""
    fields = view.provision.model_dump(include=set(ProvisionSummary.model_fields))
    return ProvisionSummary(**fields, catalogue_version=view.catalogue_version, status=view.status)


def review_shown(review: LinkReview) -> ReviewShown:
    """A review."""
    return ReviewShown(
        id=review.id,
        link=review.link_id,
        number=review.number,
        decision=review.decision,
        comment=review.comment,
        reviewer=review.reviewer_id,
        created_at=review.created_at,
    )


def link_shown(link: ProvisionLink, state: str, reviews: list[LinkReview]) -> LinkShown:
    """A link with its reviews."""
    return LinkShown(
        id=link.id,
        item=link.item_id,
        provision=link.provision_id,
        element=link.element_id,
        direction=link.direction,
        rationale=link.rationale,
        catalogue_version=link.catalogue_version,
        author=link.author_id,
        created_at=link.created_at,
        state=state,
        reviews=[review_shown(review) for review in reviews if review.link_id == link.id],
    )


def user_shown(user: User) -> UserShown:
    """A user."""
    return UserShown(
        id=user.id,
        name=user.name,
        display_name=user.display_name,
        role=user.role,
        created_at=user.created_at,
        disabled_at=user.disabled_at,
    )


def token_shown(token: Token) -> TokenShown:
    """A token; the digest of its secret stays inside."""
    return TokenShown(
        id=token.id,
        user_id=token.user_id,
        label=token.label,
        created_at=token.created_at,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
    )


def quota_shown(usage: Usage) -> QuotaShown:
    """How much of a quota is taken."""
    return QuotaShown(
        items=usage.items,
        bytes=usage.bytes,
        promised=usage.promised,
        max_bytes=usage.limit,
        decided=usage.decided,
    )
