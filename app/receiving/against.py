"""What partners' bundles say against, and from which of them an item came: told wherever an item of theirs goes on.

A bundle is kept as it came and never changes, so it is read once. What cannot be read may speak against, and counts so:
to tell one thing too many harms nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from app.archive import Archive
from app.assessment.records import ROLES
from app.disclosure.exculpatory import (
    ASSESSMENT,
    DISSENT,
    ELEMENT_LINK,
    FINDINGS,
    LINK,
    PANEL,
    POSSIBLE_DENIAL,
    REVIEW,
    STATE,
    LeftOut,
    kind_of,
)
from app.incidents.statement_kinds import why_along
from app.receiving.models import ReceivedBundle, ReceivedItem
from app.receiving.partner import SAID_ROLES, PartnerBundle, opened, partner_of
from app.verification.store import REVIEW_ROLE as VERIFICATION_REVIEW
from evidence_store.bundle.shapes import is_uuid
from evidence_store.canonical import JsonInput

_BY_PARTNER = "{} of a partner"
_ASSESSED = {ROLES["link"]: ELEMENT_LINK, ROLES["state"]: STATE, ROLES["panel"]: PANEL, ROLES["assessment"]: ASSESSMENT}
_AGAINST = {ELEMENT_LINK: ("direction", frozenset({"contradicts"})), **FINDINGS}
LEFT_OUT_THERE = "what a partner left out"
_Read = tuple[str, dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Said:
    """What people say in one bundle.

    Attributes:
        partner: what the bundle says of itself.
        records: how many of each role.
        against: kind (see `LeftOut`) and UUID of each that speaks against.
        left_out: how many things that speak against are not in it, by its own word.
        own_cases: UUIDs of the cases of this very archive that it is of; empty for a bundle of another one.
    """

    partner: dict[str, Any]
    records: dict[str, int]
    against: tuple[tuple[str, str], ...]
    left_out: int
    own_cases: frozenset[str]


class Partners:
    """What the received bundles of one archive say, for its exports."""

    def __init__(self, archive: Archive) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._known: dict[str, Said] = {}

    def against(self, session: Session, cases: Sequence[str]) -> list[LeftOut]:
        """What partners said against in the bundles that came into some cases; no bundle of ours takes it along.

        Raises:
            InvalidInputError: `bundle_unreadable`.
            EvidenceStoreError: `blob_missing` and others of the store.
        """
        found: dict[tuple[str, str], LeftOut] = {}
        rows = session.exec(select(ReceivedBundle).where(col(ReceivedBundle.case_id).in_(list(cases))))
        for bundle in sorted(rows, key=lambda row: (row.received_at, row.id)):
            said = self._said(bundle.sha256)
            if bundle.case_id in said.own_cases:  # these are the case's own records, and counted as such
                continue
            for kind, identity in said.against:
                left = LeftOut(_BY_PARTNER.format(kind), identity, f"received:{bundle.id}")
                found.setdefault((left.kind, left.id), left)  # two bundles of one partner may hold the same record
            if said.left_out:
                left = LeftOut(LEFT_OUT_THERE, bundle.id, f"received:{bundle.id}")
                found[left.kind, left.id] = left
        return list(found.values())

    def came(self, session: Session, items: Sequence[str]) -> dict[str, list[JsonInput]]:
        """By item, the received bundles that it came in, oldest first; items of our own deposits are not in it.

        Raises:
            InvalidInputError, EvidenceStoreError: as `against`.
        """
        wanted = select(ReceivedItem, ReceivedBundle).join(
            ReceivedBundle, col(ReceivedItem.bundle_id) == col(ReceivedBundle.id)
        )
        rows = session.exec(wanted.where(col(ReceivedItem.item_id).in_(list(items)))).all()
        found: dict[str, list[JsonInput]] = {}
        for row, bundle in sorted(rows, key=lambda pair: (pair[1].received_at, pair[0].partner_item)):
            said = self._said(bundle.sha256)
            found.setdefault(row.item_id, []).append(
                {
                    "received": bundle.id,
                    "received_at": bundle.received_at,
                    "bundle_sha256": bundle.sha256,
                    "bundle_id": said.partner["bundle_id"],
                    "archive": said.partner["archive"],
                    "partner_item": row.partner_item,
                    "outcome": "matched" if row.matched else "taken in",
                    "said_there": {**said.records},
                    "against_there": {**Counter(kind for kind, _ in said.against)},
                    "left_out_there": said.left_out,
                }
            )
        return found

    def _said(self, sha256: str) -> Said:
        if sha256 not in self._known:
            with self._archive.blobs.open(sha256) as stream, opened(stream) as partner:
                manifest = partner.manifest
                ours = manifest.archive.id == self._archive.identity.id
                self._known[sha256] = Said(
                    partner_of(partner),
                    dict(sorted(Counter(each["role"] for each in _records(partner)).items())),
                    tuple(sorted(set(speaking_against(partner)))),
                    _left_out(partner),
                    frozenset(item.case for item in manifest.items) if ours else frozenset(),
                )
        return self._known[sha256]


def speaking_against(partner: PartnerBundle) -> Iterator[tuple[str, str]]:
    """Kind and UUID of each record of a bundle that speaks against, or may; the path instead of a UUID that is missing.

    These are links that contradict, standing rejections and dissent, what stands against in an assessment (links to
    elements on the side against, contested elements, answers to panels, standards not reached), and statements that are
    or may be denials, or contradict, in any version. The side of a link to an element is that of the partner's matrix.
    """
    by_role: dict[str, list[_Read]] = {}
    for each in _records(partner):
        record = each["record"] if isinstance(each["record"], dict) else None
        by_role.setdefault(each["role"], []).append((each["path"], record))
    for path, record in by_role.get("link", ()):
        if record is None or record.get("direction") == "contradicts":
            yield LINK, _id(record, "link", path)
    yield from _decided(by_role.get("review", ()), REVIEW, ("reject",))
    yield from _decided(by_role.get(VERIFICATION_REVIEW, ()), DISSENT, ("reject", "dissent"))
    yield from _assessed(by_role)
    yield from _denials(by_role.get("entry", ()))


def _left_out(partner: PartnerBundle) -> int:
    disclosure = partner.manifest.disclosure
    counts = {} if disclosure is None else disclosure.exculpatory["left_out"]
    return sum(number for number in counts.values() if isinstance(number, int) and number > 0)


def _decided(reviews: Sequence[_Read], kind: str, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Reviews that decide so and that their author did not replace."""
    replaced = {str(record.get("supersedes")) for _, record in reviews if record is not None}
    for path, record in reviews:
        review = _id(record, "review", path)
        if record is None or (record.get("decision") in words and review not in replaced):
            yield kind, review


def _assessed(by_role: dict[str, list[_Read]]) -> Iterator[tuple[str, str]]:
    sided = {entry for _, record in by_role.get("matrix", ()) for entry in _on_side_against(record)}
    for role, kind in _ASSESSED.items():
        newest: dict[str, tuple[int, str, dict[str, Any]]] = {}
        for path, record in by_role.get(role, ()):
            if record is None:
                yield kind, path
                continue
            thread, number = _id(record, "thread", path), record.get("number")
            number = number if isinstance(number, int) else 0
            if thread not in newest or newest[thread][0] < number:
                newest[thread] = number, path, record
        for _, path, record in newest.values():
            entry = _id(record, "entry", path)
            if not record.get("withdrawn") and (entry in sided or _finds_against(kind, record)):
                yield kind, entry


def _finds_against(kind: str, record: dict[str, Any]) -> bool:
    """As `app.disclosure.exculpatory` has it of our own; a panel that was searched in vain finds nothing."""
    name, words = _AGAINST[kind]
    return record.get(name) in words


def _on_side_against(value: object) -> Iterator[str]:
    """UUIDs of the links that a matrix puts on the side against."""
    if isinstance(value, dict):
        if value.get("side") == "against" and isinstance(value.get("entry"), str):
            yield value["entry"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _on_side_against(inner)


def _denials(entries: Sequence[_Read]) -> Iterator[tuple[str, str]]:
    bodies: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for path, record in entries:
        if record is None:
            yield POSSIBLE_DENIAL, path
        elif record.get("kind") == "statement":
            number, body = record.get("number"), record.get("body")
            versions = bodies.setdefault(_id(record, "entry", path), [])
            said = body if isinstance(body, dict) else {"kind": "damaged"}
            versions.append((number if isinstance(number, int) else 0, said))
    for entry, versions in bodies.items():
        why = why_along([body for _, body in sorted(versions, key=lambda each: each[0])])
        if why is not None:
            yield kind_of(why), entry


def _records(partner: PartnerBundle) -> Iterator[dict[str, Any]]:
    return partner.records(SAID_ROLES)


def _id(record: dict[str, Any] | None, name: str, path: str) -> str:
    """A UUID, or else the path: other texts of a partner's would stand in our register."""
    value = (record or {}).get(name)
    return value if isinstance(value, str) and is_uuid(value) else path
