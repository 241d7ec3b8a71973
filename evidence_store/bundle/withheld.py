"""What a bundle keeps back, in a form that can be checked later: commitments, stubs of events, and openings.

1. A commitment is SHA-256 over the RFC 8785 bytes of `[salt, name, value]` with 32 random bytes of salt, the disclosure
   of SD-JWT (RFC 9901) in canonical form. Without the salt no value can be guessed from it, however few there are.
2. An event is its own commitment: 32 random bytes of salt stand in it. A stub keeps its place in its object's chain, so
   that the chain and the proof of its head hold without its text.
3. Nothing is told of what is kept back but its name, and of an event its place, kind and time.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from evidence_store.bundle import shapes
from evidence_store.bundle.events import CustodyEvent, parse_event
from evidence_store.canonical import JsonInput, canonical_bytes, parse_canonical
from evidence_store.errors import EvidenceStoreError

OPENING_TYPE = "catena opening"
MAX_OPENING_BYTES = 16 << 20
WITHHELD, PARTLY = "withheld", "partly withheld"

_STUB: shapes.Shape = {
    "v": shapes.equals(1),
    "withheld": shapes.equals("event"),
    "log": shapes.is_name,
    "event_id": shapes.is_uuid,
    "object": shapes.is_object_id,
    "object_seq": shapes.is_count,
    "prev": shapes.optional(shapes.is_sha256),
    "sha256": shapes.is_sha256,
    "type": shapes.is_name,
    "time": shapes.is_time,
}
_COMMITMENT: shapes.Shape = {"name": shapes.is_name, "sha256": shapes.is_sha256}
_ITEM: shapes.Shape = {
    "place": shapes.is_count,
    "item": shapes.is_uuid,
    "state": shapes.matches(f"{WITHHELD}|{PARTLY}"),
    "commitments": shapes.list_of(shapes.record(_COMMITMENT)),
    "shown": shapes.is_list,
}
_OBJECT: shapes.Shape = {
    "object": shapes.is_object_id,
    "commitments": shapes.list_of(shapes.record(_COMMITMENT)),
    "shown": shapes.is_list,
}
_DISCLOSURE: shapes.Shape = {
    "recipient": shapes.record({"name": shapes.is_name, "kind": shapes.is_name}),
    "items": shapes.is_list,
    "left_out_roles": shapes.list_of(shapes.is_name),
    "exculpatory": shapes.record({"left_out": shapes.is_mapping, "acknowledged": shapes.optional(shapes.is_text)}),
}
_OPENING: shapes.Shape = {
    "v": shapes.equals(1),
    "type": shapes.equals(OPENING_TYPE),
    "bundle_id": shapes.is_uuid,
    "openings": shapes.is_list,
    "events": shapes.list_of(shapes.is_text),
    "files": shapes.list_of(shapes.record({"name": shapes.is_name, "base64": shapes.is_text})),
}
_PREFIX = b'{"event_id":'  # of every event in canonical form comes "actor" first; of a stub, this


@dataclass(frozen=True, slots=True)
class Opening:
    """One value with the salt that its commitment was made with.

    Attributes:
        salt: 32 random bytes, hex.
        name: what it is, such as "item:UUID/source.collector".
        value: any JSON value without floats.
    """

    salt: str
    name: str
    value: JsonInput

    @property
    def commitment(self) -> str:
        """SHA-256 of `[salt, name, value]`, hex."""
        return hashlib.sha256(canonical_bytes(self.as_json())).hexdigest()

    def as_json(self) -> list[JsonInput]:
        """`[salt, name, value]`."""
        return [self.salt, self.name, self.value]


def commit(name: str, value: JsonInput) -> Opening:
    """Commit to a value with a fresh salt."""
    return Opening(secrets.token_hex(32), name, value)


def read_opening(value: object) -> Opening:
    """An opening of untrusted JSON.

    Raises:
        EvidenceStoreError: `opening_malformed`.
    """
    if not (isinstance(value, list) and len(value) == 3 and shapes.is_sha256(value[0]) and shapes.is_name(value[1])):  # noqa: PLR2004
        raise EvidenceStoreError("opening_malformed", "an opening is [salt of 64 hex digits, name, value]")
    return Opening(value[0], value[1], value[2])


# -- events ------------------------------------------------------------------------------------------


def stub_of(line: bytes) -> bytes:
    """What stands in the place of an event that is withheld.

    Args:
        line: the event's canonical bytes.

    Raises:
        EvidenceStoreError: as `parse_event`.
    """
    event = parse_event(line)
    return canonical_bytes(
        {
            "v": 1,
            "withheld": "event",
            "log": event.log,
            "event_id": event.event_id,
            "object": event.object,
            "object_seq": event.object_seq,
            "prev": event.prev,
            "sha256": event.digest,
            "type": event.type,
            "time": event.time,
        }
    )


def parse_line(line: bytes) -> tuple[CustodyEvent, bool]:
    """An event of a bundle, or the stub of one.

    Returns:
        The event, and whether it is withheld. A withheld one has the digest that its stub states, and neither digests
        of a file nor details; nothing of it but its place in the chain is shown by the log.

    Raises:
        EvidenceStoreError: as `parse_event`.
    """
    if not line.startswith(_PREFIX):
        return parse_event(line), False
    try:
        value = parse_canonical(line)
    except EvidenceStoreError as error:
        raise EvidenceStoreError("event_not_canonical", f"{error.code}: {error.detail}") from error
    problems = shapes.shape_problems(value, _STUB, exact=True)
    if problems:
        raise EvidenceStoreError("event_shape", "; ".join(problems))
    stub = cast("dict[str, Any]", value)
    same = {key: stub[key] for key in ("log", "event_id", "object", "object_seq", "prev", "type", "time")}
    return CustodyEvent(digest=stub["sha256"], sha256=None, sha512=None, size=None, details={}, **same), True


# -- the statement in manifest.json ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WithheldItem:
    """An item of which something is withheld.

    Attributes:
        place: its number among the items of the selection, from 0: a withheld item keeps its place.
        item: UUID.
        state: `WITHHELD`: nothing of it but its chain is here; `PARTLY`.
        commitments: SHA-256 of each opening, by name.
        shown: openings of what is shown all the same.
    """

    place: int
    item: str
    state: str
    commitments: Mapping[str, str]
    shown: Sequence[Opening]

    def as_json(self) -> dict[str, JsonInput]:
        """As manifest.json has it."""
        return {
            "place": self.place,
            "item": self.item,
            "state": self.state,
            **_committed(self.commitments, self.shown),
        }


@dataclass(frozen=True, slots=True)
class WithheldObject:
    """An entry of a dossier of which records are withheld.

    Attributes:
        object: as the log names it, such as "incident:UUID".
        commitments: SHA-256 of each opening, by name.
        shown: openings of what is shown all the same.
    """

    object: str
    commitments: Mapping[str, str]
    shown: Sequence[Opening]

    def as_json(self) -> dict[str, JsonInput]:
        """As manifest.json has it."""
        return {"object": self.object, **_committed(self.commitments, self.shown)}


def _committed(commitments: Mapping[str, str], shown: Sequence[Opening]) -> dict[str, JsonInput]:
    return {
        "commitments": [{"name": name, "sha256": digest} for name, digest in sorted(commitments.items())],
        "shown": [opening.as_json() for opening in sorted(shown, key=lambda one: one.name)],
    }


@dataclass(frozen=True, slots=True)
class Disclosure:
    """For whom a bundle was made, and what it keeps back; `disclosure` of manifest.json, read.

    Attributes:
        recipient: `name` and `kind`.
        items: those of which something is withheld.
        left_out_roles: roles of files that no bundle with something withheld has.
        exculpatory: `left_out`: how many by kind; `acknowledged`: why, by the exporter.
        objects: entries of the dossier of which something is withheld; none in bundles of before there were any.
    """

    recipient: Mapping[str, str]
    items: Sequence[WithheldItem]
    left_out_roles: Sequence[str]
    exculpatory: Mapping[str, Any]
    objects: Sequence[WithheldObject] = ()

    def as_json(self) -> dict[str, JsonInput]:
        """As manifest.json has it."""
        return {
            "recipient": dict(self.recipient),
            "items": [item.as_json() for item in self.items],
            "left_out_roles": sorted(self.left_out_roles),
            "exculpatory": dict(self.exculpatory),
            **({"objects": [one.as_json() for one in self.objects]} if self.objects else {}),
        }


def read_disclosure(value: object) -> tuple[Disclosure | None, list[str]]:
    """Read `disclosure` of an untrusted manifest.json.

    Returns:
        It, without malformed entries, or None when it is malformed itself; and what was wrong.
    """
    shape = {**_DISCLOSURE, **({"objects": shapes.is_list} if isinstance(value, dict) and "objects" in value else {})}
    problems = shapes.shape_problems(value, shape, exact=True)
    if problems:
        return None, problems
    record = cast("dict[str, Any]", value)
    items = [
        WithheldItem(entry["place"], entry["item"], entry["state"], commitments, shown)
        for entry, commitments, shown in _entries(record["items"], "items", _ITEM, problems)
    ]
    objects = [
        WithheldObject(entry["object"], commitments, shown)
        for entry, commitments, shown in _entries(record.get("objects", []), "objects", _OBJECT, problems)
    ]
    disclosure = Disclosure(record["recipient"], items, record["left_out_roles"], record["exculpatory"], objects)
    return disclosure, problems


def _entries(
    entries: list[Any], key: str, shape: shapes.Shape, problems: list[str]
) -> Iterator[tuple[dict[str, Any], dict[str, str], list[Opening]]]:
    """Each well-formed entry with its commitments by name and what is shown of it."""
    for number, entry in enumerate(entries):
        found = shapes.shape_problems(entry, shape, exact=True)
        try:
            shown = [read_opening(one) for one in entry["shown"]] if not found else []
        except EvidenceStoreError as error:
            found = [error.detail]
        if found:
            problems += [f"{key}[{number}]: {detail}" for detail in found]
            continue
        commitments = {one["name"]: one["sha256"] for one in entry["commitments"]}
        if len(commitments) != len(entry["commitments"]):
            problems.append(f"{key}[{number}]: a name is committed to twice")
        yield entry, commitments, shown


_NOTICE = """\
SOMETHING IS KEPT BACK of {items} item(s){objects}: "disclosure" in manifest.json
names each, an item's place, and a commitment to every value. Lines of custody/events.jsonl with "withheld":"event"
stand for events that are not shown; their "sha256" is the digest that step 4 is about. Such items may have neither
original nor receipt here. What the archive shows later can be checked against this bundle: catena verify BUNDLE
--opening FILE.

"""


def readme_notice(disclosure: Disclosure | None) -> str:
    """What README.txt says of what is kept back; nothing where nothing is."""
    if disclosure is None or not (disclosure.items or disclosure.objects):
        return ""
    objects = f" and {len(disclosure.objects)} entry(ies) of the dossier" if disclosure.objects else ""
    return _NOTICE.format(items=len(disclosure.items), objects=objects)


# -- opening files -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpeningFile:
    """What is disclosed later of what a bundle kept back.

    Attributes:
        bundle_id: of which bundle.
        openings: values with their salts.
        events: canonical bytes of events that were withheld.
        files: bytes of small files that were withheld, by the name of their opening.
    """

    bundle_id: str
    openings: Sequence[Opening]
    events: Sequence[bytes]
    files: Mapping[str, bytes]


def format_opening_file(
    bundle_id: str, openings: Iterable[Opening], events: Iterable[bytes], files: Mapping[str, bytes]
) -> bytes:
    """Write an opening file: canonical JSON."""
    return canonical_bytes(
        {
            "v": 1,
            "type": OPENING_TYPE,
            "bundle_id": bundle_id,
            "openings": [one.as_json() for one in sorted(openings, key=lambda one: one.name)],
            "events": [line.decode() for line in events],
            "files": [
                {"name": name, "base64": base64.b64encode(data).decode()} for name, data in sorted(files.items())
            ],
        }
    )


def parse_opening_file(data: bytes) -> OpeningFile:
    """Read an untrusted opening file.

    Raises:
        EvidenceStoreError: `opening_malformed`.
    """
    try:
        value = parse_canonical(data)
    except EvidenceStoreError as error:
        raise EvidenceStoreError("opening_malformed", f"{error.code}: {error.detail}") from error
    problems = shapes.shape_problems(value, _OPENING, exact=True)
    if problems:
        raise EvidenceStoreError("opening_malformed", "; ".join(problems))
    record = cast("dict[str, Any]", value)
    try:
        files = {one["name"]: base64.b64decode(one["base64"], validate=True) for one in record["files"]}
        events = [str(line).encode() for line in record["events"]]
    except ValueError as error:  # no base64; a lone surrogate
        raise EvidenceStoreError("opening_malformed", str(error)) from error
    return OpeningFile(record["bundle_id"], [read_opening(one) for one in record["openings"]], events, files)
