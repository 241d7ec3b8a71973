"""Which statements stand beside an incident's matrix: all denials, and what the incident or a link names. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from app.assessment.ledger import Ledger
from app.assessment.shown import Shown
from app.incidents.bodies import Body
from app.incidents.standing import is_denial
from app.incidents.store import EntryView


def bearing_on(incident: Body, statements: Sequence[EntryView], ledger: Ledger) -> list[Shown]:
    """Denials and counter-allegations of the case first, whether anybody linked them or not; then what is named.

    Args:
        incident: the incident's body; `statements` names some by their ids for people.
        statements: all of the case, in their order.
        ledger: links may rest on statements.
    """
    given = incident.get("statements")
    named = {one for one in given if isinstance(one, str)} if isinstance(given, list) else set()
    linked: dict[str, list[str]] = {}
    for line, record in ledger.links():
        if record.source.kind == "statement":
            linked.setdefault(record.source.id, []).append(line.row.id)
    found = [
        _statement(one, linked.get(one.entry.id, []))
        for one in statements
        if is_denial(one.record.body) or one.entry.ref in named or one.entry.id in linked
    ]
    return sorted(found, key=lambda one: not one["denial"])  # stable: the case's order within each


def _statement(view: EntryView, links: Sequence[str]) -> Shown:
    body, standing = view.record.body, view.record.standing
    return {
        "statement": view.entry.id,
        "ref": view.entry.ref,
        "version": view.record.number,
        "sha256": view.sha256,
        "speaker": body.get("speaker"),
        "kind": body.get("kind"),
        "summary": body.get("summary"),
        "denial": is_denial(body),
        "conditional": standing.get("conditional", False),
        "author": standing.get("author"),
        "authentication": standing.get("authentication"),
        "directions": standing.get("directions"),
        "links": [*links],
    }
