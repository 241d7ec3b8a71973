"""What a request says of a disclosure, checked."""

from __future__ import annotations

from app.api.deps import known_id
from app.disclosure.rules import Wishes, parse_wishes
from schemas.api.disclosures import DisclosureGiven


def wishes_of(given: DisclosureGiven | None) -> Wishes:
    """What an exporter asks for.

    Raises:
        NotFoundError: `unknown_item`.
        InvalidInputError: as `parse_wishes`.
    """
    if given is None:
        return Wishes()
    recipient = None if given.recipient is None else (given.recipient.name, given.recipient.kind)
    return parse_wishes(
        recipient,
        given.restricted,
        [(known_id(one.item, "item"), one.parts) for one in given.withhold],
        [(known_id(one.item, "item"), one.reason) for one in given.release],
        given.acknowledge,
    )
