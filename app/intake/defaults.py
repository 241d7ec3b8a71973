"""What is stated of one file and what is stated of all of them, put together without making a false statement: pure.

What a collection says of a file counts before what a command line says of all. Fields that say something only together
come from one side, and restrictions come from both: neither side can take back what the other asked for.
"""

from __future__ import annotations

from typing import Final

from app.errors import InvalidInputError
from app.intake.statements import parse_source
from schemas.records.v1.source import MAX_SHORT_NOTE, SourceContext, SourceRecord

TOGETHER: Final = (
    ("tool", "tool_version"),
    ("caption", "caption_language"),
    ("legal_basis", "legal_basis_note"),
    ("consent", "consent_note"),
)
"""Fields of which one says something about the other: all of such a group come from the side that states the file."""

RESTRICTING: Final = frozenset({"given_with_conditions", "refused", "withdrawn"})
"""What is said of consent and keeps an item back from exports."""

NARROWING: Final = (
    (
        (("platform",), ("channel",), ("url", "post_id")),
        ("posted_at", "caption", "caption_language"),
    ),
    (
        (("collector",),),
        ("collected_at", "collecting_machine", "tool", "tool_version"),
    ),
)
"""Fields from the wide to the narrow, and what hangs on them: once the two sides name different things, what is
narrower belongs to the thing that the command line named, not to that of the file."""


def with_defaults(stated: SourceContext, otherwise: SourceContext) -> SourceContext:
    """What a collection states of one file; where it is silent, what the command line says of all files.

    1. `handling` is what either asks for, and `handling_note` both notes, a line each.
    2. A group of `TOGETHER` that the file's statement touches takes nothing from the command line.
    3. Where the two name different platforms, channels, addresses, posts or collectors, nothing narrower of the command
       line is taken (`NARROWING`).

    Raises:
        InvalidInputError: `bad_source` when the two notes on handling are too long together, or when the command line
            says of all files that consent is missing or bound to conditions, and the file's statement another thing.
    """
    own, rest = stated.as_record(), otherwise.as_record()
    if not rest:
        return stated
    _check_consent(own, rest)
    both = _restrictions(own, rest)
    for group in TOGETHER:
        if any(field in own for field in group):
            _drop(rest, group)
    for wide, hanging in NARROWING:
        _narrow(own, rest, wide, hanging)
    return parse_source({**rest, **own, **both})


def _restrictions(own: SourceRecord, rest: SourceRecord) -> dict[str, object]:
    """What is asked for by either; empty when nothing is."""
    sides = (own, rest)
    terms: set[str] = set()
    for side in sides:
        if isinstance(given := side.get("handling"), list):
            terms |= {str(term) for term in given}
    notes = list(dict.fromkeys(str(side["handling_note"]) for side in sides if "handling_note" in side))
    joined = "\n".join(notes)
    if len(joined) > MAX_SHORT_NOTE:
        raise InvalidInputError(
            "bad_source",
            f"handling_note: that of the collection and that of the command line have {len(joined)} characters "
            f"together, and {MAX_SHORT_NOTE} are taken",
        )
    return {**({"handling": sorted(terms)} if terms else {}), **({"handling_note": joined} if joined else {})}


def _check_consent(own: SourceRecord, rest: SourceRecord) -> None:
    """Exports obey consent: which of two statements holds is not for us to say."""
    touched = "consent" in own or "consent_note" in own
    differ = any(own.get(field) != rest.get(field) for field in ("consent", "consent_note"))
    if touched and differ and rest.get("consent") in RESTRICTING:
        raise InvalidInputError(
            "bad_source",
            f"consent: the command line says {rest['consent']!r} of all files, and the collection "
            f"{own.get('consent', 'only a note')!r} of this one, or with another note; state it in one place",
        )


def _narrow(own: SourceRecord, rest: SourceRecord, wide: tuple[tuple[str, ...], ...], hanging: tuple[str, ...]) -> None:
    """Take from `rest` what belongs to another thing than the file's own."""
    differs = False
    for level in wide:
        differs = differs or any(field in own and field in rest and own[field] != rest[field] for field in level)
        if differs:
            _drop(rest, level)
    if differs:
        _drop(rest, hanging)


def _drop(record: SourceRecord, fields: tuple[str, ...]) -> None:
    for field in fields:
        record.pop(field, None)
