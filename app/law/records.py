"""Building the record of a link, and its row: the record's canonical bytes are authoritative."""

from __future__ import annotations

import uuid

from app.access.service import Principal
from app.evidence.models import Item
from app.law.models import ProvisionLink
from evidence_store.canonical import canonical_bytes
from schemas.records.v1.link import CitedElement, CitedProvision, Direction, LinkRecord, Person
from schemas.records.v1.provision import CatalogueReference, Element, Provision


def link_record(
    who: Principal,
    item: Item,
    provision: Provision,
    element: Element | None,
    direction: Direction,
    rationale: str,
    catalogue: CatalogueReference,
    now: str,
) -> LinkRecord:
    """A new link as a record; `now` is RFC 3339 UTC."""
    return LinkRecord(
        link=str(uuid.uuid4()),
        item=item.id,
        item_sha256=item.sha256,
        provision=CitedProvision(
            id=provision.id,
            instrument=provision.instrument,
            article=provision.article,
            confidence=provision.confidence,
            verified_scope=provision.verified_scope,
        ),
        element=None if element is None else CitedElement(id=element.id, text=element.text),
        direction=direction,
        rationale=rationale,
        catalogue=catalogue,
        author=Person(id=who.user_id, name=who.name, auth=who.auth),
        created_at=now,
    )


def link_row(record: LinkRecord) -> ProvisionLink:
    """The row of a link."""
    return ProvisionLink(
        id=record.link,
        item_id=record.item,
        provision_id=record.provision.id,
        element_id=None if record.element is None else record.element.id,
        direction=record.direction,
        rationale=record.rationale,
        catalogue_version=record.catalogue.version,
        author_id=record.author.id,
        record=canonical_bytes(record.model_dump(mode="json")),
        created_at=record.created_at,
    )
