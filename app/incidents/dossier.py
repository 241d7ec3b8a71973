"""A dossier as one file: taking it apart into entries, and putting it together in the same shape. Pure.

What was imported and not changed is exported as it came. Parts of the file that are no entries of ours are kept whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pydantic import JsonValue

from app.errors import InvalidInputError
from app.incidents.bodies import Body, check_body, key_of
from schemas.records.v1.incident import EntryKind

MAX_FILE_BYTES = 256 * 1024 * 1024
CLAIMS, VERIFICATIONS, ELEMENT_ENTRIES = "claims", "verifications", "element_entries"
EARLIER = "earlier_statements"
_ELSEWHERE, _NAMED = "element_entry:", ("id", "incident", "sha256")
# part of the file, kind of its entries, and what names one
_LISTS: dict[str, tuple[EntryKind, str]] = {
    "incidents": ("incident", "id"),
    "aggregates": ("aggregate", "id"),
    "statements": ("statement", "id"),
    "organisations": ("organisation", "name"),
    "observations": ("observation", "id"),
    "internal_tensions": ("tension", "id"),
    "rule_base_cases": ("reading", "id"),
}
_SOURCE = "seed"
_EXPECTED = (
    'expected {"incidents": [{"id": "...", "title": "..."}, ...]} (the list may be empty), see docs/incidents.md'
)
_PART = {kind: part for part, (kind, _) in _LISTS.items()}


@dataclass(frozen=True, slots=True)
class Given:
    """An entry of a file."""

    kind: EntryKind
    ref: str
    body: Body


@dataclass(frozen=True, slots=True)
class File:
    """A file, taken apart; `earlier` are versions of statements before the newest, by id, oldest first."""

    entries: list[Given]
    claims: list[dict[str, JsonValue]]
    verifications: list[dict[str, JsonValue]] = field(default_factory=list)
    earlier: dict[str, list[Given]] = field(default_factory=dict)


def read_file(data: bytes) -> File:
    """A file of incidents.

    Raises:
        InvalidInputError: `bad_incident_file`, `bad_incident_entry`, `bad_incident_ref`, `entry_twice`.
    """
    if len(data) > MAX_FILE_BYTES:
        raise InvalidInputError("bad_incident_file", f"the file has more than {MAX_FILE_BYTES} bytes")
    try:
        document: object = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_each_once, parse_constant=_no_number)
    except InvalidInputError:
        raise
    except (ValueError, RecursionError):
        raise InvalidInputError("bad_incident_file", "the file is no JSON document in UTF-8") from None
    return take_apart(document)


def take_apart(document: object) -> File:
    """The entries of a document, each checked.

    Raises:
        InvalidInputError: as `read_file`.
    """
    if not isinstance(document, dict):
        raise InvalidInputError("bad_incident_file", f"the file holds no object: {_EXPECTED}")
    if "incidents" not in document:
        raise InvalidInputError("bad_incident_file", f"the file has no list `incidents`: {_EXPECTED}")
    made = File([], [])
    for part, content in document.items():
        _take_part(part, content, made)
    _refuse_twice(made.entries)
    if lost := made.earlier.keys() - {entry.ref for entry in made.entries if entry.kind == "statement"}:
        raise InvalidInputError("bad_incident_file", f"{EARLIER} has {min(lost)[:64]!r}, which is no statement of it")
    return made


def _take_part(part: str, content: object, into: File) -> None:
    if part == CLAIMS:
        into.claims.extend(_objects(CLAIMS, content))
    elif part == VERIFICATIONS:
        into.verifications.extend(_objects(VERIFICATIONS, content))
    elif part == EARLIER:
        for one in _list(part, content):
            given = _given("statement", "id", part, one)
            into.earlier.setdefault(given.ref, []).append(given)
    elif part == ELEMENT_ENTRIES:
        into.entries.extend(_element_entry(one) for one in _list(part, content))
    elif part in _LISTS:
        kind, key = _LISTS[part]
        into.entries.extend(_given(kind, key, part, one) for one in _list(part, content))
    elif part == _SOURCE:
        into.entries.append(Given("source", part, check_body("source", part, content)))
    else:
        into.entries.append(Given("other", part, check_body("other", part, {"content": content})))


def _refuse_twice(entries: Sequence[Given]) -> None:
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        if (entry.kind, entry.ref) in seen:
            raise InvalidInputError("entry_twice", f"{entry.kind} {entry.ref[:64]!r} is in the file twice")
        seen.add((entry.kind, entry.ref))


def put_together(
    entries: Iterable[Given],
    claims: Sequence[dict[str, JsonValue]],
    verifications: Sequence[JsonValue] = (),
    element_entries: Sequence[dict[str, JsonValue]] = (),
    earlier: Iterable[Given] = (),
) -> dict[str, JsonValue]:
    """A document of entries, in their order; what was linked elsewhere stands before what was linked here."""
    made: dict[str, Any] = {}
    linked: list[JsonValue] = []
    for entry in entries:
        if element_entry_of(entry) is not None:
            linked.append(entry.body["content"])
        elif entry.kind in _PART:
            made.setdefault(_PART[entry.kind], []).append(_with_key(entry))
        else:
            made[entry.ref] = entry.body["content"] if entry.kind == "other" else entry.body
    made.setdefault("incidents", [])
    if versions := [_with_key(entry) for entry in earlier]:
        made[EARLIER] = versions
    if claims:
        made[CLAIMS] = [*claims]
    if verifications:
        made[VERIFICATIONS] = [*verifications]
    if linked or element_entries:
        made[ELEMENT_ENTRIES] = [*linked, *element_entries]
    return made


def _with_key(entry: Given) -> dict[str, JsonValue]:
    return {key_of(entry.kind): entry.ref, **entry.body}  # what came in before version 0.2 may have none


def element_entry_of(entry: Given) -> dict[str, JsonValue] | None:
    """What was said by provision elsewhere and came with a file; None for any other entry."""
    content = entry.body.get("content") if entry.kind == "other" and entry.ref.startswith(_ELSEWHERE) else None
    return content if isinstance(content, dict) else None


def reading_of(entry: Given) -> str | None:
    """The ref of what a reading is about."""
    about = entry.body.get("incident") if entry.kind == "reading" else None
    return about if isinstance(about, str) else None


def _given(kind: EntryKind, key: str, part: str, body: object) -> Given:
    if not isinstance(body, dict) or not isinstance(body.get(key), str):
        raise InvalidInputError("bad_incident_file", f"an entry of {part} has no {key}")
    ref = str(body[key])
    return Given(kind, ref, check_body(kind, ref, body))


def _element_entry(content: object) -> Given:
    if not isinstance(content, dict) or not all(isinstance(content.get(name), str) for name in _NAMED):
        raise InvalidInputError("bad_incident_file", f"one of {ELEMENT_ENTRIES} lacks {', '.join(_NAMED)}")
    ref = f"{_ELSEWHERE}{content['id']}"
    return Given("other", ref, check_body("other", ref, {"content": content}))


def _objects(part: str, content: object) -> list[dict[str, JsonValue]]:
    given = _list(part, content)
    if not all(isinstance(one, dict) for one in given):
        raise InvalidInputError("bad_incident_file", f"one of {part} is no object")
    for one in given:
        check_body("other", part, one)  # before a database is asked for what it names
    return given


def _list(part: str, content: object) -> list[Any]:
    if not isinstance(content, list):
        raise InvalidInputError("bad_incident_file", f"{part} is no list")
    return content


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise InvalidInputError("bad_incident_file", "a name stands twice in one object")
    return made


def _no_number(text: str) -> NoReturn:
    raise InvalidInputError("bad_incident_file", f"{text} is no number of JSON")
