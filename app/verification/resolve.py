"""What a body refers to, found in the archive: everything that it names must be of its own case.

The body comes back with entries named by their id for people and items by UUID. Beside it: what the archive computes,
so that whoever reads the record later sees what its author had before him.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue
from sqlmodel import Session

from app.errors import InvalidInputError, NotFoundError
from app.evidence.models import Item
from app.evidence.service import item_or_none
from app.incidents import store as entries
from app.incidents.facts import Scope, Stated, parts_of
from app.incidents.models import IncidentEntry
from app.incidents.service import assessed_in, require_part
from app.intake.sources import captions_in
from app.law.incident_suggestions import check_facts, gathered
from app.verification import bodies
from app.verification.sun_check import computed as computed_sun
from schemas.records.v1.verification import Subject


@dataclass
class Resolved:
    """A body whose references are found.

    Attributes:
        subjects: what the record is about.
        body: to be stored.
        computed: to be stored beside it.
    """

    subjects: list[Subject] = field(default_factory=list)
    body: dict[str, Any] = field(default_factory=dict)
    computed: dict[str, JsonValue] = field(default_factory=dict)


def resolve(session: Session, case_id: str, parsed: bodies.AnyBody) -> Resolved:
    """Find everything that a body names.

    Raises:
        NotFoundError: `unknown_item`, `unknown_incident`, `unknown_entry`, `unknown_claim`, `unknown_strike`,
            `unknown_target`.
        InvalidInputError: `bad_place`, `bad_time`, `original_differs`, `value_not_stated`, and the codes of facts.
    """
    return _Resolving(session, case_id).of(parsed)


class _Resolving:
    def __init__(self, session: Session, case_id: str) -> None:
        self._session = session
        self._case = case_id
        self._items: dict[str, Item] = {}
        self._made = Resolved()

    def of(self, parsed: bodies.AnyBody) -> Resolved:
        made = self._made
        made.body = parsed.model_dump(mode="json", exclude_none=True)
        if isinstance(parsed, bodies.Decision):
            made.body["held"] = parsed.held  # null is an answer: none is held
        if isinstance(parsed, bodies.Geolocation | bodies.Chronolocation):
            self._located(parsed)
        elif isinstance(parsed, bodies.Corroboration):
            self._corroborated(parsed)
        elif isinstance(parsed, bodies.Translation):
            self._translated(parsed)
        elif isinstance(parsed, bodies.Attribution):
            self._attributed(parsed)
        elif isinstance(parsed, bodies.Decision):
            self._decided(parsed)
        else:
            self._about(parsed.about, ("item", "incident"))
        if self._items:
            cited: list[JsonValue] = [{"item": one.id, "sha256": one.sha256} for one in self._items.values()]
            made.computed["items"] = cited
        return made

    def _located(self, parsed: bodies.Geolocation | bodies.Chronolocation) -> None:
        self._about(parsed.about, ("item", "incident"))
        if parsed.about.kind == "item" and parsed.strike is not None:
            raise InvalidInputError("bad_verification", "a strike is one of an incident")
        for ref in [*(one.item for one in parsed.landmarks), *(one.item for one in parsed.imagery)]:
            if ref is not None:
                self._item(ref)
        if parsed.sun:
            self._made.computed["sun"] = computed_sun(parsed.sun)

    def _corroborated(self, parsed: bodies.Corroboration) -> None:
        for one in parsed.items:
            self._made.subjects.append(Subject(kind="item", id=self._item(one.item).id))
        if parsed.incident is not None:
            self._incident(parsed.incident)

    def _translated(self, parsed: bodies.Translation) -> None:
        found = self._about(parsed.about, bodies.ABOUT_KINDS)
        text = parsed.original.text
        if isinstance(found, Item):
            there = parsed.field == "caption" and text in captions_in(self._session, found)
        else:
            versions = entries.versions(self._session, found.id)
            there = any(entries.view(found, one).record.body.get(parsed.field) == text for one in versions)
        if not there:
            raise InvalidInputError("original_differs", f"no version of it has this text as its {parsed.field}")
        self._made.computed["original_sha256"] = hashlib.sha256(text.encode()).hexdigest()

    def _attributed(self, parsed: bodies.Attribution) -> None:
        self._incident(parsed.incident)
        for one in (*self._made.body["supports"], *self._made.body["contradicts"]):
            if one["kind"] == "item":
                self._item(one["ref"])
            elif one["kind"] in {"statement", "observation"}:
                one["ref"] = self._entry(one["kind"], one["ref"]).ref  # by which another case knows it, too
            elif one["kind"] == "claim":
                one["ref"] = self._claim(one["ref"])
        against = entries.speaking_against(self._session, self._case)
        statements = entries.entries_of(self._session, self._case, ["statement"])
        denials: list[JsonValue] = [
            one.ref for one in statements if one.id in against and against[one.id].why in {"denial", "earlier denial"}
        ]
        self._made.computed["denials_of_the_case"] = denials

    def _decided(self, parsed: bodies.Decision) -> None:
        incident = self._incident(parsed.incident)
        refs = [self._claim(one) for one in parsed.claims]
        if parsed.fact is None:
            if parsed.held is not None and parsed.held not in refs:
                raise InvalidInputError("value_not_stated", "what is held is one of the claims that differ, or null")
            self._made.body["claims"] = refs
            return
        check_facts({parsed.fact: parsed.held})
        found, scope = assessed_in(self._session, incident), Scope(parsed.strike, parsed.target)
        if scope not in parts_of(found.view.record.body, found.facts):
            require_part(found.view.record.body, scope)
        stated = [one for one in found.facts.of(scope) if one.fact == parsed.fact]
        known = [normal(one.fact, one.value) for one in stated]
        if parsed.held is not None and normal(parsed.fact, parsed.held) not in known:
            raise InvalidInputError(
                "value_not_stated", "nobody states that value: enter a claim that does, with its source"
            )
        values: list[JsonValue] = [{"value": one.value, "rests_on": one.rests_on} for one in stated]
        self._made.computed["values"] = values

    # -- finding ------------------------------------------------------------------------------

    def _about(self, about: bodies.About, kinds: tuple[str, ...]) -> Item | IncidentEntry:
        if about.kind not in kinds:
            raise InvalidInputError("bad_verification", f"this kind of record is about one of: {', '.join(kinds)}")
        found: Item | IncidentEntry
        if about.kind == "item":
            found = self._item(about.ref)
            ref = found.id
        else:
            found = self._entry(about.kind, about.ref)
            ref = found.ref
        self._made.subjects.append(Subject(kind=about.kind, id=found.id))
        self._made.body["about"] = {"kind": about.kind, "ref": ref}
        return found

    def _incident(self, ref: str) -> IncidentEntry:
        found = self._entry("incident", ref)
        self._made.subjects.append(Subject(kind="incident", id=found.id))
        self._made.body["incident"] = found.ref
        return found

    def _item(self, ref: str) -> Item:
        found = item_or_none(self._session, ref)
        if found is None or found[0].case_id != self._case:
            raise NotFoundError("unknown_item", "the case has no such item")
        self._items[ref] = found[0]
        return found[0]

    def _entry(self, kind: str, ref: str) -> IncidentEntry:
        found = entries.entry_of(self._session, self._case, kind, ref)
        if found is None:
            code = "unknown_incident" if kind == "incident" else "unknown_entry"
            raise NotFoundError(code, f"the case has no such {kind}")
        return found

    def _claim(self, ref: str) -> str:
        for subject in self._made.subjects:
            if subject.kind == "incident":
                found = entries.claim_of(self._session, subject.id, ref)
                found = found or entries.claim_named(self._session, subject.id, ref)
                if found is not None:
                    return found.ref
        raise NotFoundError("unknown_claim", "the incident has no such claim")


def normal(fact: str, value: JsonValue) -> str:
    """A fact's value as it is compared: decimal text and numbers alike, lists in the order of the vocabulary."""
    if value is None:
        return "none is held"
    (found,) = gathered([Stated(fact, value, {})]).get(fact, (None,))
    return repr(sorted(found) if isinstance(found, frozenset) else found)
