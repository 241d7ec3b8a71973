"""What may go to a recipient, decided and recorded: called by the export inside its own unit of work.

1. The decision is made while the log is locked, and stands in the event that announces the export: no later change of a
   source or a link slips between.
2. The salts are kept before the bundle has its name: what was kept back can always be opened.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue
from sqlmodel import Session

from app.access.service import Principal
from app.archive import Archive
from app.disclosure import exculpatory, rules
from app.disclosure.exculpatory import LeftOut
from app.disclosure.models import DisclosureItem, DisclosureOpenings, DisclosureRow
from app.disclosure.rules import NOBODY, WHOLE, Decision, Wishes
from app.disclosure.withholding import Redacted
from app.errors import ConflictError
from app.evidence.models import Item
from app.intake.sources import Sources
from app.law.versions import Catalogues
from evidence_store.bundle.shapes import UUID
from evidence_store.bundle.withheld import Disclosure
from evidence_store.canonical import JsonInput, canonical_bytes

BUNDLE, OPENING = "bundle", "opening"


@dataclass(frozen=True)
class Settled:
    """What was decided of an export.

    Attributes:
        wishes: as asked.
        decisions: by item, in the order of the selection.
        left_out: what speaks against and is not in the bundle.
        row: for the register; None for an export that names nobody, keeps nothing back and leaves nothing out.
        item_rows: for the items that are not whole, or were released.
    """

    wishes: Wishes
    decisions: Mapping[str, Decision]
    left_out: Sequence[LeftOut]
    row: DisclosureRow | None = None
    item_rows: Mapping[str, DisclosureItem] = field(default_factory=dict)

    @property
    def withholds(self) -> bool:
        """Whether anything is kept back."""
        return any(decision.parts for decision in self.decisions.values())

    @property
    def details(self) -> dict[str, JsonValue]:
        """What the export's event says of it."""
        if self.row is None:
            return {}
        told: dict[str, JsonValue] = {
            "recipient": {"name": self.row.recipient, "kind": self.row.recipient_kind},
            "withheld": sum(decision.state != WHOLE for decision in self.decisions.values()),
        }
        if self.left_out:
            told["exculpatory_left_out"] = dict(_plain(exculpatory.counts(self.left_out)))
        if self.row.acknowledged:  # also for what goes only because it rests on something withheld: known later
            told["acknowledged"] = self.row.acknowledged
        return told

    def item_details(self, item: str) -> dict[str, JsonValue]:
        """What an item's event says of it: its state, never why."""
        return {} if item not in self.item_rows else {"disclosed": self.decisions[item].state}

    @property
    def rows(self) -> list[DisclosureRow]:
        """The rows that the export's event binds."""
        return [] if self.row is None else [self.row]

    def rows_of(self, item: str) -> list[DisclosureItem]:
        """The row that an item's event binds."""
        return [self.item_rows[item]] if item in self.item_rows else []

    def as_json(self) -> dict[str, object]:
        """For interfaces."""
        try:
            rules.require_unrestricted(self.decisions.values(), self.wishes)
            exculpatory.require_acknowledged(list(self.left_out), self.wishes.acknowledge)
            refused = None
        except ConflictError as error:
            refused = f"{error.code}: {error.detail}"
        marked = [one for one in self.decisions.values() if one.parts or one.terms]
        return {
            "marked": [
                {
                    "item": one.item,
                    "place": one.place,
                    "state": one.state,
                    "parts": sorted(one.parts),
                    "terms": list(one.terms),
                    "released": one.released,
                }
                for one in marked
            ],
            "left_out": [one.as_json() for one in self.left_out],
            "refused": refused,
        }

    def statement(self, redacted: Redacted | None) -> Disclosure | None:
        """For manifest.json.

        Raises:
            ConflictError: `exculpatory_left_out` when withholding took something along that speaks against.
        """
        against = redacted.against if redacted is not None else set()
        if self.row is None:
            return None
        counted = exculpatory.counts(self.left_out)
        told = {one.id for one in self.left_out}
        more = [path for path in against if told.isdisjoint(re.findall(UUID, path))]
        if more and not self.row.acknowledged:
            raise ConflictError(
                "exculpatory_left_out",
                f"what is withheld takes {len(more)} record(s) along that speak against ({min(more)} ...): "
                "acknowledge that with a reason, which stands in the bundle",
            )
        if more:
            counted = {**counted, "record withheld with others": len(more)}
        acknowledged = self.row.acknowledged if counted else None
        return Disclosure(
            recipient={"name": self.row.recipient, "kind": self.row.recipient_kind},
            items=redacted.items if redacted is not None else [],
            objects=redacted.objects if redacted is not None else [],
            left_out_roles=sorted(redacted.left_out_roles) if redacted is not None else [],
            exculpatory={"left_out": counted, "acknowledged": acknowledged},
        )


@dataclass(frozen=True)
class Selection:
    """What is asked for.

    Attributes:
        cases: UUIDs of the cases concerned.
        items: in their order.
        entries: UUIDs of the entries of incidents that would be in the bundle.
    """

    cases: Sequence[str]
    items: Sequence[Item]
    entries: frozenset[str] = frozenset()


OfPartners = Callable[[Session, Sequence[str]], Sequence[LeftOut]]


def _nothing(_session: Session, _cases: Sequence[str]) -> Sequence[LeftOut]:
    """No bundle came from anybody."""
    return ()


class Disclosures:
    """Decisions of one archive about who may get what."""

    def __init__(
        self, archive: Archive, sources: Sources, catalogues: Catalogues, of_partners: OfPartners = _nothing
    ) -> None:
        """Bind to an archive.

        Args:
            archive: see there.
            sources: what is stated of items.
            catalogues: of provisions.
            of_partners: what partners said against in the bundles that came into some cases.
        """
        self._of_partners = of_partners
        self._archive = archive
        self._sources = sources
        self._catalogues = catalogues

    def weigh(self, session: Session, selection: Selection, wishes: Wishes) -> Settled:
        """What would become of an export, without refusing it.

        Args:
            session: an open unit of work.
            selection: what is asked for.
            wishes: for whom, and what is asked.

        Raises:
            InvalidInputError: `not_in_the_export`.
        """
        items = selection.items
        rules.require_known(wishes, [item.id for item in items])
        current = self._sources.current_of(items)
        decisions = {
            item.id: rules.decide(place, item.id, current[item.id].record, wishes) for place, item in enumerate(items)
        }
        left_out = exculpatory.left_out(session, self._catalogues, selection.cases, decisions, selection.entries)
        left_out += self._of_partners(session, selection.cases)
        return Settled(wishes, decisions, left_out)

    def settle(
        self,
        session: Session,
        who: Principal,
        export_id: str,
        purpose: str,
        selection: Selection,
        wishes: Wishes,
    ) -> Settled:
        """Decide, or refuse; the caller holds the log's lock and writes the rows with its events.

        Raises:
            InvalidInputError: `not_in_the_export`.
            ConflictError: `restricted_items`, `exculpatory_left_out`.
        """
        weighed = self.weigh(session, selection, wishes)
        rules.require_unrestricted(weighed.decisions.values(), wishes)
        exculpatory.require_acknowledged(list(weighed.left_out), wishes.acknowledge)
        marked = {item: one for item, one in weighed.decisions.items() if one.parts or one.released is not None}
        if wishes.recipient is None and not marked and not weighed.left_out:
            return weighed
        row = self._row(session, who, export_id, purpose, weighed)
        rows = {item: _item_row(row, decision) for item, decision in marked.items()}
        return Settled(wishes, weighed.decisions, weighed.left_out, row, rows)

    def _row(self, session: Session, who: Principal, export_id: str, purpose: str, weighed: Settled) -> DisclosureRow:
        del session
        recipient = weighed.wishes.recipient or NOBODY
        states = [decision.state for decision in weighed.decisions.values()]
        decided: dict[str, JsonInput] = {state: states.count(state) for state in sorted(set(states))}
        return DisclosureRow(
            id=str(uuid.uuid4()),
            export_id=export_id,
            kind=BUNDLE,
            recipient=recipient.name,
            recipient_kind=recipient.kind,
            purpose=purpose,
            decided=canonical_bytes(decided).decode(),
            left_out=canonical_bytes([one.as_json() for one in weighed.left_out]).decode(),
            acknowledged=weighed.wishes.acknowledge.strip(),
            created_at=self._archive.custody.now(),
            created_by=who.user_id,
        )

    def openings_row(self, export_id: str, redacted: Redacted) -> DisclosureOpenings:
        """The salts of a bundle, to be kept."""
        record: JsonInput = {
            item: [opening.as_json() for opening in openings] for item, openings in redacted.openings.items()
        }
        return DisclosureOpenings(
            export_id=export_id, data=canonical_bytes(record), created_at=self._archive.custody.now()
        )


def _item_row(row: DisclosureRow, decision: Decision) -> DisclosureItem:
    return DisclosureItem(
        id=str(uuid.uuid4()),
        disclosure_id=row.id,
        item_id=decision.item,
        place=decision.place,
        state=decision.state,
        parts=json.dumps(sorted(decision.parts)),
        terms=json.dumps(list(decision.terms)),
        released=decision.released,
    )


def _plain(counted: Mapping[str, JsonInput]) -> dict[str, JsonValue]:
    return {kind: number for kind, number in counted.items() if isinstance(number, int)}
