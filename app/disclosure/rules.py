"""What may go to whom: pure.

1. A restriction that stands is obeyed: what may not go is withheld, or the export is refused. Nothing is let through in
   silence; who lets something through says why, and it stands in the register.
2. Terms are read strictly: a condition that only a person can judge (an embargo, consent with conditions) withholds.
3. What protects a person withholds the original as well: a face, a voice, a serial number or a place names people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from app.errors import ConflictError, InvalidInputError
from app.intake.defaults import RESTRICTING
from app.law.rules import clean_text
from evidence_store.canonical import JsonInput
from schemas.records.v1.source import SourceRecord

RecipientKind = Literal["court", "prosecution", "defence", "investigation", "expert", "partner", "public", "other"]
KINDS: tuple[RecipientKind, ...] = get_args(RecipientKind)
Part = Literal["item", "original", "source", "links", "reviews"]
PARTS: tuple[Part, ...] = get_args(Part)
Restricted = Literal["refuse", "withhold"]
MAX_NAME, MAX_REASON = 300, 2_000
WHOLE = "whole"

_ITEM: frozenset[Part] = frozenset({"item"})
_ORIGINAL: frozenset[Part] = frozenset({"original"})
_PERSON: frozenset[Part] = frozenset({"original", "source"})
_HANDLING: dict[str, frozenset[Part]] = {
    "consult_collector": _ITEM,
    "do_not_share": _ITEM,
    "embargo": _ITEM,
    "lead_only": _ITEM,
    "legal_privilege": _ITEM,
    "minors": _ORIGINAL,
    "protect_source": _PERSON,
    "protect_witness": _PERSON,
    "sexual_violence": _PERSON,
}
_CONSENT: dict[str, frozenset[Part]] = dict.fromkeys(RESTRICTING, _ITEM)
_PUBLIC_ONLY: dict[str, frozenset[Part]] = {"do_not_publish": _ITEM, "distressing": _ORIGINAL}
_NAME = re.compile(r"[^\x00-\x1f\x7f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is to get it: a name, and what kind of recipient that is."""

    name: str
    kind: str

    def as_json(self) -> dict[str, str]:
        """For records and interfaces."""
        return {"name": self.name, "kind": self.kind}


NOBODY = Recipient("not named", "other")


@dataclass(frozen=True)
class Wishes:
    """What an exporter asks for, besides the scope.

    Attributes:
        recipient: None when he names none; then the rules are those for "other", and whatever is restricted refuses.
        restricted: what becomes of restricted items.
        withhold: parts to keep back by item, of his own accord.
        release: by item, why it goes out although it is restricted.
        acknowledge: why material that speaks against is left out.
    """

    recipient: Recipient | None = None
    restricted: Restricted = "refuse"
    withhold: Mapping[str, frozenset[Part]] = field(default_factory=dict)
    release: Mapping[str, str] = field(default_factory=dict)
    acknowledge: str = ""

    def as_json(self) -> dict[str, JsonInput]:
        """To be kept with a request, and read by `read_wishes`."""
        return {
            "recipient": None if self.recipient is None else [self.recipient.name, self.recipient.kind],
            "restricted": self.restricted,
            "withhold": {item: sorted(parts) for item, parts in self.withhold.items()},
            "release": dict(self.release),
            "acknowledge": self.acknowledge,
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one item.

    Attributes:
        place: its number in the selection, from 0.
        item: UUID.
        parts: what is kept back; empty: nothing.
        terms: the restrictions that stand, such as "handling minors".
        released: why it goes out all the same; None when it does not.
    """

    place: int
    item: str
    parts: frozenset[Part]
    terms: tuple[str, ...]
    released: str | None

    @property
    def state(self) -> str:
        """`whole`, `partly withheld` or `withheld`."""
        if not self.parts:
            return WHOLE
        return "withheld" if "item" in self.parts else "partly withheld"


def parse_recipient(name: str, kind: str) -> Recipient:
    """A recipient.

    Raises:
        InvalidInputError: `bad_recipient`.
    """
    clean = name.strip()
    if not clean or len(clean) > MAX_NAME or not _NAME.fullmatch(clean):
        raise InvalidInputError("bad_recipient", f"name the recipient on one line, at most {MAX_NAME} characters")
    if kind not in KINDS:
        raise InvalidInputError("bad_recipient", f"'{kind}' is none of {', '.join(KINDS)}")
    return Recipient(clean, kind)


def parse_parts(given: Iterable[str]) -> frozenset[Part]:
    """Parts of an item to keep back; none named means all of it.

    Raises:
        InvalidInputError: `bad_part`.
    """
    parts = frozenset(given)
    if strange := sorted(parts - set(PARTS)):
        raise InvalidInputError("bad_part", f"'{strange[0]}' is none of {', '.join(PARTS)}")
    known: frozenset[Part] = frozenset(part for part in PARTS if part in parts)
    return known or _ITEM


def parse_reason(text: str, what: str) -> str:
    """A reason that is needed.

    Raises:
        InvalidInputError: `reason_required`, `text_too_long`, `bad_text`.
    """
    reason = clean_text(text, MAX_REASON, what)
    if not reason.strip():
        raise InvalidInputError("reason_required", f"say why: {what}")
    return reason


def restrictions_of(source: SourceRecord, recipient: Recipient) -> dict[str, frozenset[Part]]:
    """The terms of a source that stand against a recipient, and what each keeps back.

    Args:
        source: the newest statement of the item's source.
        recipient: who is to get it.
    """
    found: dict[str, frozenset[Part]] = {}
    handling = source.get("handling")
    for term in handling if isinstance(handling, list) else []:
        parts = _HANDLING.get(str(term)) or (_PUBLIC_ONLY.get(str(term)) if recipient.kind in _OPEN else None)
        if parts is not None:
            found[f"handling {term}"] = parts
    if (parts := _CONSENT.get(str(source.get("consent")))) is not None:
        found[f"consent {source['consent']}"] = parts
    return found


_OPEN = frozenset({"public", "other"})
"""Whoever is of these may pass it on to everybody."""


def decide(place: int, item: str, source: SourceRecord, wishes: Wishes) -> Decision:
    """What becomes of an item."""
    standing = restrictions_of(source, wishes.recipient or NOBODY)
    released = wishes.release.get(item) if standing else None
    parts: frozenset[Part] = wishes.withhold.get(item, frozenset())
    if released is None:
        parts = parts.union(*standing.values())
    return Decision(place, item, _ITEM if "item" in parts else parts, tuple(sorted(standing)), released)


def require_known(wishes: Wishes, items: Iterable[str]) -> None:
    """Refuse wishes about items that are not in the export: a slip of the pen must not let something through.

    Raises:
        InvalidInputError: `not_in_the_export`.
    """
    if strange := sorted({*wishes.withhold, *wishes.release} - set(items)):
        raise InvalidInputError("not_in_the_export", f"{strange[0]} is not among the items of this export")


def require_unrestricted(decisions: Iterable[Decision], wishes: Wishes) -> None:
    """Refuse the export when a restriction stands and nobody asked to withhold what it is about.

    Raises:
        ConflictError: `restricted_items`.
    """
    standing = [one for one in decisions if one.terms and one.released is None]
    if not standing or (wishes.restricted == "withhold" and wishes.recipient is not None):
        return
    told = "; ".join(f"{one.item}: {', '.join(one.terms)}" for one in standing[:10])
    more = f" and {len(standing) - 10} more" if len(standing) > 10 else ""  # noqa: PLR2004
    whom = wishes.recipient.name if wishes.recipient is not None else "a recipient who is not named"
    raise ConflictError(
        "restricted_items",
        f"{len(standing)} item(s) may not go to {whom} ({told}{more}): name the recipient and have what is restricted "
        "withheld, leave the items out, or release each with a reason",
    )


def parse_wishes(
    recipient: tuple[str, str] | None,
    restricted: Restricted,
    withhold: Iterable[tuple[str, Iterable[str]]],
    release: Iterable[tuple[str, str]],
    acknowledge: str,
) -> Wishes:
    """What an exporter asks for, checked.

    Args:
        recipient: name and kind, or None.
        restricted: what becomes of restricted items; without a recipient they are refused.
        withhold: item and parts; of an item that is named twice all parts that are named.
        release: item and reason.
        acknowledge: why material that speaks against is left out.

    Raises:
        InvalidInputError: `bad_recipient`, `bad_part`, `reason_required`, `text_too_long`, `bad_text`,
            `recipient_required` when something is to be withheld from nobody.
    """
    parts: dict[str, frozenset[Part]] = {}
    for item, named in withhold:
        parts[item] = parts.get(item, frozenset()) | parse_parts(named)
    if parts and recipient is None:
        raise InvalidInputError("recipient_required", "say from whom it is withheld")
    return Wishes(
        recipient=None if recipient is None else parse_recipient(*recipient),
        restricted="refuse" if recipient is None else restricted,
        withhold=parts,
        release={item: parse_reason(reason, "reason of a release") for item, reason in release},
        acknowledge=clean_text(acknowledge, MAX_REASON, "acknowledgement"),
    )


def read_wishes(text: str | None) -> Wishes:
    """Wishes as a request kept them (`Wishes.as_json` as JSON); none were kept before there were any.

    Raises:
        InvalidInputError: `bad_wishes`, and as `parse_wishes`.
    """
    if text is None:
        return Wishes()
    try:
        kept = json.loads(text)
        recipient = None if kept["recipient"] is None else (str(kept["recipient"][0]), str(kept["recipient"][1]))
        restricted: Restricted = "withhold" if kept["restricted"] == "withhold" else "refuse"
        withhold, release = dict(kept["withhold"]), dict(kept["release"])
        acknowledge = str(kept["acknowledge"])
    except (KeyError, IndexError, TypeError, ValueError, RecursionError):
        raise InvalidInputError("bad_wishes", "what was asked for cannot be read") from None
    return parse_wishes(recipient, restricted, withhold.items(), release.items(), acknowledge)
