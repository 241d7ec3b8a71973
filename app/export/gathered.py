"""What the database holds of the items of one bundle, read in a few queries for all of them instead of many for each.

Nobody's rights are asked for here: who collects asks for them once a case (`require_readable`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from app.access.service import Principal
from app.analysis.models import AnalysisRun
from app.evidence.models import Blob, CollectorCheck, Derivative, Item, SourceVersion
from app.evidence.service import Evidence
from app.export.choose import pages
from app.law.models import ProvisionLink
from app.review.models import LinkReview


@dataclass(frozen=True)
class Gathered:
    """Rows by UUID of their item, in the order in which the rooms that own them give them.

    Attributes:
        links: records of links to provisions, oldest first.
        reviews: record of each review of these links, by link and number.
        versions: records of what was stated of the source after the deposit, by number.
        checks: id and record of each collector's check, by number.
        runs: runs of analysis, by number.
        made: files made from the item, oldest first.
        blobs: the stored files of those, by SHA-256; held so that a session finds them again without a query.
    """

    links: Mapping[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    reviews: Mapping[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    versions: Mapping[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    checks: Mapping[str, list[tuple[str, bytes]]] = field(default_factory=lambda: defaultdict(list))
    runs: Mapping[str, list[AnalysisRun]] = field(default_factory=lambda: defaultdict(list))
    made: Mapping[str, list[Derivative]] = field(default_factory=lambda: defaultdict(list))
    blobs: dict[str, Blob] = field(default_factory=dict)


def gather(session: Session, items: Sequence[str]) -> Gathered:
    """Read what there is of some items.

    Args:
        session: an open snapshot.
        items: UUIDs.
    """
    found = Gathered()
    for ids in pages(items):
        _of_law(session, ids, found)
        _of_deposit(session, ids, found)
        _of_analysis(session, ids, found)
    return found


def require_readable(evidence: Evidence, who: Principal, items: Sequence[Item]) -> None:
    """Ask once a case whether the actor may read its items; a refusal is recorded. Outside of any unit of work.

    Raises:
        NotFoundError: `unknown_item`.
        DeniedError: `not_allowed`.
    """
    for first in {item.case_id: item.id for item in reversed(items)}.values():
        evidence.find_item(who, first)


def _of_law(session: Session, ids: Sequence[str], into: Gathered) -> None:
    links = select(ProvisionLink.item_id, ProvisionLink.record).where(col(ProvisionLink.item_id).in_(ids))
    for item, record in session.exec(links.order_by(col(ProvisionLink.created_at), col(ProvisionLink.id))):
        into.links[item].append(record)
    reviews = select(ProvisionLink.item_id, LinkReview.record).join(
        LinkReview, col(ProvisionLink.id) == col(LinkReview.link_id)
    )
    reviews = reviews.where(col(ProvisionLink.item_id).in_(ids))
    for item, record in session.exec(reviews.order_by(col(LinkReview.link_id), col(LinkReview.number))):
        into.reviews[item].append(record)


def _of_deposit(session: Session, ids: Sequence[str], into: Gathered) -> None:
    versions = select(SourceVersion.item_id, SourceVersion.record).where(col(SourceVersion.item_id).in_(ids))
    for item, text in session.exec(versions.order_by(col(SourceVersion.number))):
        into.versions[item].append(text.encode())
    checks = select(CollectorCheck.item_id, CollectorCheck.id, CollectorCheck.record)
    checks = checks.where(col(CollectorCheck.item_id).in_(ids))
    for item, check, text in session.exec(checks.order_by(col(CollectorCheck.number))):
        into.checks[item].append((check, text.encode()))


def _of_analysis(session: Session, ids: Sequence[str], into: Gathered) -> None:
    runs = select(AnalysisRun).where(col(AnalysisRun.item_id).in_(ids)).order_by(col(AnalysisRun.number))
    for run in session.exec(runs):
        into.runs[run.item_id].append(run)
    made = select(Derivative).where(col(Derivative.item_id).in_(ids)).order_by(col(Derivative.created_at))
    for one in session.exec(made):
        into.made[one.item_id].append(one)
    stored = select(Blob).join(Derivative, col(Derivative.sha256) == col(Blob.sha256))
    for blob in session.exec(stored.where(col(Derivative.item_id).in_(ids))):
        into.blobs[blob.sha256] = blob
