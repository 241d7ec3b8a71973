"""What a partner's collector asks of whoever handles an item binds here too, also where the item was here before."""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from app.access.service import Principal
from app.disclosure.rules import NOBODY
from app.disclosure.rules import restrictions_of as standing
from app.errors import ConflictError
from app.evidence.models import Item
from app.intake.sources import Sources
from app.receiving.partner import PartnerBundle
from evidence_store.bundle.manifest import ManifestItem
from schemas.records.v1.source import SourceContext, SourceRecord

ASK_FIRST: Final = "consult_collector"
_TRIES: Final = 5


def restrictions_of(partner: PartnerBundle, theirs: ManifestItem) -> dict[str, JsonValue]:
    """What the partner's collector asks of whoever handles an item: they bind here too, so the log names them."""
    stated = partner.source_of(theirs).as_record()
    return {name: stated[name] for name in ("handling", "consent") if name in stated}


def take_over(sources: Sources, who: Principal, item: Item, theirs: SourceContext, bundle_id: str) -> None:
    """Add a partner's restrictions to an item that was here before, as a new version of what is stated of its source.

    Nothing that is stated here is taken away. A consent of theirs that restricts is no statement of our collector's, so
    it does not replace ours: the item then goes to nobody before the collector was asked.

    Raises:
        ConflictError: `source_changed` when others keep on changing it.
        DeniedError, NotFoundError: as `Sources.revise`.
    """
    for further in reversed(range(_TRIES)):
        current = sources.current_of([item])[item.id]
        wanted = joined(current.record, theirs.as_record())
        if wanted is None:
            return
        reason = f"Restrictions of a partner's collector, stated in the received bundle {bundle_id}"
        try:
            sources.revise(who, item.id, wanted, reason, current.number)
        except ConflictError:
            if not further:
                raise
        else:
            return


def joined(ours: SourceRecord, theirs: SourceRecord) -> SourceRecord | None:
    """What is stated here, with the restrictions of both; None when nothing is to be added."""
    handling, further = ours.get("handling"), theirs.get("handling")
    held = [str(term) for term in handling] if isinstance(handling, list) else []
    added = [str(term) for term in further] if isinstance(further, list) else []
    consent: SourceRecord = {"consent": theirs["consent"]} if "consent" in theirs else {}
    if consent and standing(consent, NOBODY) and theirs["consent"] != ours.get("consent"):
        added.append(ASK_FIRST)
    more = [term for term in dict.fromkeys(added) if term not in held]
    return {**ours, "handling": [*held, *more]} if more else None
