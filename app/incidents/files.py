"""Importing a file of incidents, once however often it is done; exporting in the same shape.

1. An entry is known by its kind and id. What an older version states already is unchanged.
2. What the file states differently is told and left alone: nothing resolves a conflict by itself. With a reason it
   becomes a further version.
3. All of a file, or nothing of it.
4. An export of an incident carries the statements that it or anything said of it names, those that bear on it, and
   every one of the case that is or may be a denial or counter-allegation, or contradicts, in any version, with what
   that version said; all claims on it and all links to elements, for and against, and what other sources say. It is
   recorded as a dissemination.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue
from sqlmodel import Session

from app.access.service import Access, Principal
from app.archive import Archive
from app.custody.outputs import output
from app.errors import InvalidInputError, NotFoundError
from app.evidence.models import Case
from app.incidents import store
from app.incidents.bodies import count_sources, key_of
from app.incidents.dossier import File, Given, element_entry_of, put_together, reading_of
from app.incidents.models import IncidentEntry
from app.incidents.records import body_digest
from app.incidents.service import CheckFacts, Incidents, checked_reason
from app.incidents.store import EntryView, Speaking
from app.incidents.unresolved import Unresolved, unresolved

FILE_ROLE = "incident file"
_ELSEWHERE = "stated anew where the file was written"
_OWN = ("v", "type", "claim", "incident", "author", "created_at")


@dataclass
class Imported:
    """What came of an import: entries and claims as `kind:ref`.

    Attributes:
        created: they are new.
        revised: they have a further version.
        unchanged: the archive has them as the file states them, or had.
        differs: the archive has them otherwise, and they were left alone.
        warnings: what they name that is not here, and dates that are not understood; they were taken in all the same.
    """

    created: list[str] = field(default_factory=list)
    revised: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    warnings: list[Unresolved] = field(default_factory=list)

    def as_json(self) -> dict[str, JsonValue]:
        """For interfaces."""
        return {
            "created": [*self.created],
            "revised": [*self.revised],
            "unchanged": [*self.unchanged],
            "differs": [*self.differs],
            "warnings": [one.as_json() for one in self.warnings],
        }


class Companion(Protocol):
    """What goes along with entries and comes in with them; it lies above this room, so it is handed in."""

    def export_part(self, session: Session, case_id: str, entries: Mapping[str, object] | None) -> list[JsonValue]:
        """What belongs to these entries and items, by UUID, or to the whole case."""
        ...

    def entries_named(self, session: Session, case_id: str, incidents: Collection[str]) -> set[str]:
        """UUIDs of the statements and observations that any version of what is said of these incidents names."""
        ...

    def import_part(
        self, session: Session, who: Principal, case_id: str, given: Sequence[object], done: Imported
    ) -> None:
        """Take in what a file holds of it; the log is locked, and the actor may write."""
        ...


class Linked(Protocol):
    """What people say of incidents by provision; it lies above this room, so it is handed in."""

    def export_part(self, session: Session, incidents: Mapping[str, str]) -> list[dict[str, JsonValue]]:
        """All of it for these incidents (their ids for people, by UUID), for and against."""
        ...

    def known(self, session: Session, case_id: str, identity: str, sha256: str) -> bool:
        """Whether this version was entered in this case, and is as it was."""
        ...


class IncidentFiles:
    """Files of incidents of one archive."""

    def __init__(
        self,
        archive: Archive,
        access: Access,
        incidents: Incidents,
        check_facts: CheckFacts,
        companion: Companion | None,
        linked: Linked,
    ) -> None:
        """Bind to an archive."""
        self._linked = linked
        self._archive = archive
        self._access = access
        self._incidents = incidents
        self._check_facts = check_facts
        self._companion = companion

    def take_in(self, who: Principal, case: Case, file: File, update: str | None = None) -> Imported:
        """Import a file into a case.

        Args:
            who: on whose behalf.
            case: into which case.
            file: taken apart.
            update: why what differs becomes a further version; None to leave it alone.

        Raises:
            NotFoundError: `unknown_case`, `unknown_incident` for a claim about none.
            DeniedError: `not_allowed`.
            InvalidInputError: `unknown_fact` and its like for a reading, `bad_claim`, `reason_required`.
        """
        self._access.require(who, "incident.write", case.id)
        reason = None if update is None else checked_reason(update)
        self._check_readings(file)
        done = Imported()
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)  # imported twice at once, it is there once
            here_now = self._put_entries(session, who, case, file, reason, done)
            refs: dict[str, str] = {}
            for given in file.claims:
                claim = given.get("claim")
                if isinstance(claim, str):
                    refs[claim] = str(given.get("ref"))
            for given in file.claims:
                self._put_claim(session, who, case, given, refs, done)
            _require_sources(session, case.id, file, done)
            if self._companion is not None:
                self._companion.import_part(session, who, case.id, file.verifications, done)
        provisions = self._incidents.provisions()
        for one in file.entries:
            done.warnings += unresolved(one.kind, one.ref, one.body, here_now, provisions)
        return done

    def _put_entries(
        self, session: Session, who: Principal, case: Case, file: File, reason: str | None, done: Imported
    ) -> set[tuple[str, str]]:
        """What the case holds then, by kind and id."""
        known = {(one.kind, one.ref): one for one in store.entries_of(session, case.id)}
        stated = store.body_digests(session, case.id)
        for entry in file.entries:
            here = known.get((entry.kind, entry.ref))
            said = element_entry_of(entry)
            earlier = file.earlier.get(entry.ref, []) if entry.kind == "statement" else []
            lacking = [one for one in earlier if here is None or not _digests(one) & stated[here.id]]
            if said is not None and self._linked.known(session, case.id, str(said["id"]), str(said["sha256"])):
                done.unchanged.append(f"{entry.kind}:{entry.ref}")  # it was linked here
            elif here is not None and not lacking and _digests(entry) & stated[here.id]:
                done.unchanged.append(f"{entry.kind}:{entry.ref}")
            else:
                self._put(session, who, case, [*lacking, entry], here, reason, done)
        return {*known, *((one.kind, one.ref) for one in file.entries)}

    def _check_readings(self, file: File) -> None:
        for entry in file.entries:
            facts = entry.body.get("facts")
            if entry.kind == "reading" and isinstance(facts, dict):
                self._check_facts(facts)

    def _put(
        self,
        session: Session,
        who: Principal,
        case: Case,
        versions: Sequence[Given],
        known: IncidentEntry | None,
        reason: str | None,
        done: Imported,
    ) -> None:
        given, custody = versions[-1], self._archive.custody
        name = f"{given.kind}:{given.ref}"
        if given.kind == "observation" and (known is None or reason is not None):
            store.require_item(session, case.id, given.body)
        if known is None:
            made = store.put_entry(session, custody, who, case.id, given.kind, given.ref, versions[0].body).entry
            for one in versions[1:]:
                store.put_version(session, custody, who, made, one.body, _ELSEWHERE)
            done.created.append(name)
        elif reason is None:
            done.differs.append(name)
        else:
            for one in versions:
                store.put_version(session, custody, who, known, one.body, reason)
            done.revised.append(name)

    def _put_claim(
        self,
        session: Session,
        who: Principal,
        case: Case,
        given: dict[str, JsonValue],
        refs: Mapping[str, str],
        done: Imported,
    ) -> None:
        about, ref = given.get("incident"), given.get("ref")
        if not isinstance(about, str) or not isinstance(ref, str):
            raise InvalidInputError("bad_claim", "a claim in a file names its incident and its ref")
        entry = store.entry_named(session, case.id, "incident", about)
        if entry is None:
            raise NotFoundError("unknown_incident", f"a claim is about {about[:64]!r}, which is not in the case")
        stated = {name: value for name, value in given.items() if name not in _OWN}
        earlier = given.get("supersedes")
        replaced = None
        if isinstance(earlier, str) and earlier in refs:
            replaced = store.claim_named(session, entry.id, refs[earlier])
        if replaced is not None:  # the file names it by the id that it had where the file was written
            stated["supersedes"] = replaced.claim
        same = store.claim_named(session, entry.id, ref)
        if same is not None:
            here = {name: value for name, value in same.model_dump(mode="json").items() if name in stated}
            (done.unchanged if here == stated else done.differs).append(f"claim:{ref}")
            return
        record = self._incidents.claim_in(session, who, entry, stated)
        store.put_claim(session, self._archive.custody, who, record)
        done.created.append(f"claim:{ref}")

    def give_out(self, who: Principal, case: Case, names: Sequence[str] = ()) -> bytes:
        """A case's incidents as a file, all or these, with what must go along; recorded as a dissemination.

        Args:
            who: to whom.
            case: of this case.
            names: UUIDs or ids for people; none means the whole dossier.

        Raises:
            NotFoundError: `unknown_case`, `unknown_incident`.
            DeniedError: `not_allowed`.
        """
        self._access.require(who, "export.create", case.id)
        chosen = {self._incidents.permitted(who, name, "incident.read", case.id).id for name in names}
        with self._archive.db.read() as session:
            everything = store.newest(session, store.entries_of(session, case.id))
            going = {one.entry.id: one.entry.ref for one in everything if one.entry.kind == "incident"}
            if chosen:
                going = {identity: ref for identity, ref in going.items() if identity in chosen}
            linked = self._linked.export_part(session, going)
            sources = [one["source"] for one in linked if isinstance(one.get("source"), dict)]
            pointed = {str(one["id"]) for one in sources if isinstance(one, dict)}
            against = store.speaking_against(session, case.id, {*going, *going.values()})
            cited = store.statements_cited(session, chosen)
            must = pointed | against.keys()
            if self._companion is not None and chosen:
                must |= self._companion.entries_named(session, case.id, chosen)
            kept = going_along(everything, chosen, must, cited) if chosen else everything
            earlier = _earlier(session, kept, against)
            claims = _claims(session, kept)
            along: list[JsonValue] = []
            if self._companion is not None:
                seen = [str(one.record.body["item"]) for one in kept if one.entry.kind == "observation"]
                for one in kept:
                    counted = count_sources(one.record.body) if one.entry.kind == "incident" else []
                    seen += [source.ref for source in counted if source.kind == "item"]
                named = {one.entry.id: one for one in kept} | dict.fromkeys(
                    [*_items_of(claims), *seen, *sorted(pointed)]
                )
                along = self._companion.export_part(session, case.id, named if chosen else None)
        document = put_together([_given(one) for one in kept], claims, along, linked, earlier)
        written = json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"
        incidents: list[JsonValue] = [one.entry.id for one in kept if one.entry.kind == "incident"]
        with self._archive.db.write() as session:
            self._archive.custody.record(
                session,
                f"case:{case.id}",
                "dissemination",
                who.actor,
                details={
                    "incidents": incidents[:500],
                    "incidents_in_all": len(incidents),
                    "outputs": [output(FILE_ROLE, written)],
                },
            )
        return written


def going_along(
    everything: Sequence[EntryView], chosen: set[str], must: Collection[str], cited: Collection[str]
) -> list[EntryView]:
    """The chosen incidents, and what no export may leave out; in the order of the case.

    Args:
        everything: the newest versions of a case's entries.
        chosen: UUIDs of incidents.
        must: UUIDs of what links to elements and records of verification point to, and of what speaks against.
        cited: statements on which claims about them rest, by their ids for people.
    """
    incidents = [one for one in everything if one.entry.id in chosen]
    refs = {one.entry.ref for one in incidents}
    said = {ref for one in incidents for ref in _texts(one.record.body.get("statements"))} | {*cited}
    for one in incidents:
        said |= {source.ref for source in count_sources(one.record.body) if source.kind == "statement"}
    kept = []
    for one in everything:
        kind, body = one.entry.kind, one.record.body
        if (
            one.entry.id in chosen
            or kind in {"source", "organisation", "tension"}
            or (kind == "statement" and one.entry.ref in said)
            or (kind in {"statement", "observation"} and one.entry.id in must)
            or (kind == "aggregate" and refs & {*_texts(body.get("includes")), *_texts(body.get("includes_possible"))})
            or (kind == "observation" and body.get("incident") in refs)
            or (kind == "reading" and reading_of(_given(one)) in refs)
            or (element_entry_of(_given(one)) or {}).get("incident") in refs
        ):
            kept.append(one)
    return kept


def _require_sources(session: Session, case_id: str, file: File, done: Imported) -> None:
    """What counts of dead and injured rest on may stand further on in the file, so it is looked for at the end."""
    made = {*done.created, *done.revised}
    for entry in file.entries:
        if entry.kind != "incident" or f"incident:{entry.ref}" not in made or not count_sources(entry.body):
            continue
        here = store.entry_named(session, case_id, "incident", entry.ref)
        if here is not None:
            store.require_sources(session, here, entry.body)


def _digests(given: Given) -> set[str]:
    """Of a body, with its id in it and without: what came in by itself was once kept without."""
    bare = {name: value for name, value in given.body.items() if name != key_of(given.kind)}
    return {body_digest(given.body), body_digest(bare)}


def _earlier(session: Session, kept: Sequence[EntryView], against: Mapping[str, Speaking]) -> list[Given]:
    """What statements said in earlier versions that are, or may be, denials, or contradict."""
    speaking = [(one.entry, against[one.entry.id]) for one in kept if one.entry.id in against]
    return [_given(version) for entry, why in speaking for version in store.said_earlier(session, entry, why)]


def _claims(session: Session, kept: Sequence[EntryView]) -> list[dict[str, JsonValue]]:
    return [
        {**claim.model_dump(mode="json"), "incident": one.entry.ref}
        for one in kept
        if one.entry.kind == "incident"
        for claim, _ in store.claims_of(session, one.entry.id)
    ]


def _items_of(claims: Sequence[Mapping[str, JsonValue]]) -> list[str]:
    found: list[str] = []
    for claim in claims:
        rests_on = claim.get("rests_on")
        for one in rests_on if isinstance(rests_on, list | tuple) else ():
            found += [str(one["ref"])] if isinstance(one, dict) and one.get("kind") == "item" else []
    return found


def _given(one: EntryView) -> Given:
    return Given(one.record.kind, one.entry.ref, one.record.body)


def _texts(value: JsonValue) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
