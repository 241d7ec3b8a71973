"""What an entry names that is not here, and dates that no rule understands or that contradict: warnings only. Pure.

A dossier is entered in any order and may be written against another version of the catalogue, so an id that leads
nowhere may be right. It is not passed over in silence, either: it may be a slip.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator
from dataclasses import asdict, dataclass

from pydantic import JsonValue

from app.incidents.bodies import Body, IncidentBody, read_body
from app.incidents.double_tap import misdated
from app.incidents.standing import days_of, is_stated
from schemas.records.v1.incident import EntryKind

_PROVISION = "provision"
_NAMES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "incident": (("statements", ("statement",)), ("candidate_provisions", (_PROVISION,))),
    "aggregate": (("includes", ("incident",)), ("includes_possible", ("incident",))),
    "observation": (("incident", ("incident",)),),
    "reading": (("incident", ("incident", "aggregate", "statement")),),  # of what facts are assumed
}
"""By kind of entry: its fields that name others, and of which kinds these may be."""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A warning.

    Attributes:
        code: `unknown_statement`, `unknown_provision`, `unknown_incident`, `date_not_understood`,
            `strike_outside_date`, `strikes_out_of_order`.
        entry: of which entry, as `kind:ref`.
        detail: what, in a sentence.
    """

    code: str
    entry: str
    detail: str

    def as_json(self) -> dict[str, JsonValue]:
        """For interfaces."""
        return asdict(self)


def named_in(kind: EntryKind, body: Body) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """What an entry names, each once: the field that does, of which kinds it may be, and its id."""
    for field, kinds in _NAMES.get(kind, ()):
        given = body.get(field)
        listed = given if isinstance(given, list) else [given]
        for one in dict.fromkeys(name for name in listed if isinstance(name, str)):
            yield field, kinds, one


def unresolved(
    kind: EntryKind, ref: str, body: Body, known: Container[tuple[str, str]], provisions: Collection[str] | None
) -> Iterator[Unresolved]:
    """The warnings about one entry.

    Args:
        kind: of the entry.
        ref: its id for people.
        body: checked.
        known: kind and id of each entry of the case.
        provisions: ids in the newest catalogue; None when it cannot be read, and then none is said to be unknown.
    """
    entry = f"{kind}:{ref}"
    for field, kinds, name in named_in(kind, body):
        of_law = _PROVISION in kinds
        there = provisions is None or name in provisions if of_law else any((one, name) in known for one in kinds)
        if not there:
            where = "the newest version of the catalogue" if of_law else "the case"
            yield Unresolved(f"unknown_{kinds[0]}", entry, f"{field} names {name[:64]!r}, which is not in {where}")
    if kind == "incident":
        when = read_body(kind, ref, body, IncidentBody).date
        if days_of(when) is None and is_stated(when):
            said = when.value or f"{when.earliest} to {when.latest}"
            yield Unresolved("date_not_understood", entry, f"its date {said[:64]!r} counts as unknown")
        for strike, other in misdated(ref, body):
            if other is None:
                detail = f"strike {strike} is timed outside of the incident's days, in every time zone"
                yield Unresolved("strike_outside_date", entry, detail)
            else:
                detail = f"strike {strike} is timed before strike {other}: their times and their order contradict"
                yield Unresolved("strikes_out_of_order", entry, detail)
