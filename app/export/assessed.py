"""What a record of an assessment says of items. Pure."""

from __future__ import annotations

from app.assessment.records import ROLES
from schemas.records.v1.assessment import ElementLinkRecord

LINK_ROLE = ROLES["link"]


def item_of(link: bytes) -> str | None:
    """The item that a link to an element is from; None when it is from a claim or a statement."""
    source = ElementLinkRecord.model_validate_json(link).source
    return source.id if source.kind == "item" else None
