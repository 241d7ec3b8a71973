"""Keeping parts of a bundle back: pure.

1. Whole records are kept back, never edited: an event becomes a stub, a file is left out, and a commitment stands for
   each. What is shown of a withheld record is a value with its own salt, under the seal.
2. Whatever names what is kept back is kept back too, until nothing does: a digest of a record is a way to guess it.
3. A bundle that keeps something back holds files of known kinds only, since nobody has looked at others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.disclosure import dossier
from app.disclosure.needles import Needles
from app.disclosure.rules import Decision, Part
from app.disclosure.values import (
    ItemMaterial,
    file_value,
    is_against,
    metadata_values,
    original_values,
    secrets_of,
    source_values,
    summary_of,
    told_by,
)
from app.errors import ConflictError
from evidence_store.bundle.events import parse_event
from evidence_store.bundle.plan import ExtraFile
from evidence_store.bundle.withheld import (
    PARTLY,
    WITHHELD,
    Opening,
    WithheldItem,
    WithheldObject,
    commit,
    stub_of,
)
from evidence_store.canonical import JsonInput, canonical_bytes

REDACTED = "redacted"
KNOWN_ROLES = frozenset(
    {"link", "review", "metadata", "preview", "matches", "source version", "collector check", "provisions", REDACTED}
    | dossier.RECORDS
    | dossier.VIEWS
)
_HARMLESS = frozenset({"link", "review", "dissemination", "access", "access denied", "redaction"})
"""Events that say nothing of an original or its source but by words that are looked for."""

_EVENTS_OF: dict[str, frozenset[str]] = {
    "source": frozenset({"ingestion", "metadata modification", "fixity check", "accession"}),
    "links": frozenset({"link", "review"}),
    "reviews": frozenset({"review"}),
}
_ROLES_OF: dict[str, frozenset[str]] = {
    "source": frozenset({"source version", "collector check"}),
    "links": frozenset({"link", "review"}),
    "reviews": frozenset({"review"}),
    "original": frozenset({"metadata", "preview", "matches", "collector check"}),
}
NOTHING: frozenset[Part] = frozenset()


@dataclass
class Parts:
    """The parts of a bundle in the making.

    Attributes:
        items: what is known of each item, in the order of the selection.
        events: canonical bytes by object.
        files: everything but originals and receipts.
    """

    items: list[ItemMaterial]
    events: dict[str, list[bytes]]
    files: list[ExtraFile]


@dataclass
class Redacted:
    """What is left to show.

    Attributes:
        shown: UUIDs of the items whose originals and receipts go out.
        stubbed: objects of which an event is kept back.
        items: the statement for manifest.json; `objects` is that on entries of the dossier.
        openings: every commitment's opening, by item or object: the archive keeps them.
        against: withheld records that speak against, by path.
        needles: what must stand nowhere.
    """

    events: dict[str, list[bytes]] = field(default_factory=dict)
    files: list[ExtraFile] = field(default_factory=list)
    shown: frozenset[str] = frozenset()
    stubbed: set[str] = field(default_factory=set)
    items: list[WithheldItem] = field(default_factory=list)
    objects: list[WithheldObject] = field(default_factory=list)
    openings: dict[str, list[Opening]] = field(default_factory=dict)
    left_out_roles: frozenset[str] = frozenset()
    against: set[str] = field(default_factory=set)
    needles: Needles = field(default_factory=lambda: Needles(()))


def withhold(parts: Parts, decisions: Mapping[str, Decision], public: frozenset[str]) -> Redacted:
    """Keep back what the decisions say, and everything that would tell it.

    Args:
        parts: of the whole bundle.
        decisions: by item.
        public: texts that stand in every bundle, such as the organisation's name, and therefore are no secret.

    Raises:
        ConflictError: `withheld_value_leaks` when an object that is no item tells it.
        EvidenceStoreError: an event cannot be read.
    """
    keep = {one.item: decisions[one.item].parts for one in parts.items}
    of_item = {one.about: one for one in parts.items}
    views = [file for file in parts.files if file.role in dossier.VIEWS]
    files = [file for file in parts.files if file.role in KNOWN_ROLES - dossier.VIEWS]
    named = Needles(item for item, withheld in keep.items() if withheld)  # no entry that goes out names them
    gone = {file.path for file in files if _file_goes(file, keep)}
    stubbed = {(about, number) for about, number, line in _events(parts) if _event_goes(of_item, keep, about, line)}
    secrets = _secrets(parts, keep, public)
    while True:
        known = _with_digests(secrets, (file for file in files if file.path in gone))
        needles = Needles(known)
        more_files = {file.path for file in files if file.path not in gone and _tells(file, needles, named)}
        more_files |= _of_the_same(files, gone | more_files)
        more_events = {
            (about, number)
            for about, number, line in _events(parts)
            if (about, number) not in stubbed
            and (needles.find(line) is not None or (dossier.is_entry(about) and named.find(line) is not None))
        }
        if not more_files and not more_events:
            break
        gone |= more_files
        stubbed |= more_events
        _require_of_items(files, more_files, more_events, of_item)
    places = {item: decision.place for item, decision in decisions.items()}
    result = _result(parts, keep, files, gone, stubbed, needles, places)
    _keep_dossier(result, files, views, gone, named)
    return result


def _tells(file: ExtraFile, needles: Needles, named: Needles) -> bool:
    """Whether a file says what is withheld; a record of the dossier does when it names the item."""
    if needles.find_in(file.pieces()) is not None:
        return True
    return file.role in dossier.RECORDS and named.find(file.data) is not None


def _of_the_same(files: list[ExtraFile], gone: set[str]) -> set[str]:
    """What goes because another version of the same entry does."""
    records = [file for file in files if file.role in dossier.RECORDS]
    lost = {dossier.together(file) for file in records if file.path in gone}
    return {file.path for file in records if file.path not in gone and dossier.together(file) in lost}


def _keep_dossier(
    result: Redacted, files: list[ExtraFile], views: list[ExtraFile], gone: set[str], named: Needles
) -> None:
    """State what of the dossier is kept back, and make its views again."""

    def clean(data: bytes) -> bool:
        return result.needles.find(data) is None and named.find(data) is None

    records = [file for file in files if file.role in dossier.RECORDS]
    result.files += dossier.views_without(records, views, gone, clean)
    against = dossier.against_in(view for view in views if view.role == dossier.MATRIX)
    lost: dict[str, list[ExtraFile]] = {about: [] for about in result.stubbed if dossier.is_entry(about)}
    for file in records:
        if file.path in gone:
            lost.setdefault(str(file.object), []).append(file)
    for about in sorted(lost):
        values, may_show = dict(map(file_value, lost[about])), dict[str, JsonInput]()
        for file in lost[about]:
            kept, shown = dossier.values_of(file)
            values |= kept
            may_show |= shown
            result.against |= {file.path} if dossier.is_against(file, against) else set()
        visible = {name for name, value in may_show.items() if clean(canonical_bytes([name, value]))}
        openings = _openings(about, may_show | values)
        result.openings[about] = openings
        committed = {one.name: one.commitment for one in openings}
        told = [one for one in openings if one.name.removeprefix(f"{about}/") in visible]
        result.objects.append(WithheldObject(about, committed, told))


def _openings(about: str, values: Mapping[str, JsonInput]) -> list[Opening]:
    return [commit(f"{about}/{name}", value) for name, value in sorted(values.items())]


def _events(parts: Parts) -> Iterable[tuple[str, int, bytes]]:
    return ((about, number, line) for about, lines in parts.events.items() for number, line in enumerate(lines))


def _file_goes(file: ExtraFile, keep: Mapping[str, frozenset[Part]]) -> bool:
    withheld = keep.get((file.object or "").removeprefix("item:"), NOTHING)
    if "item" in withheld or any(file.role in _ROLES_OF.get(part, ()) for part in withheld):
        return True
    # a match with an item that is kept back tells what that one shows
    hidden = (item for item, parts in keep.items() if parts & {"item", "original"})
    return file.role == "matches" and any(item.encode() in file.data for item in hidden)


def _event_goes(
    of_item: Mapping[str, ItemMaterial], keep: Mapping[str, frozenset[Part]], about: str, line: bytes
) -> bool:
    material = of_item.get(about)
    withheld = keep[material.item] if material is not None else NOTHING
    if material is None or not withheld:
        return False
    event = parse_event(line)
    if "item" in withheld or any(event.type in _EVENTS_OF.get(part, ()) for part in withheld):
        return True
    if event.type in _HARMLESS:
        return False
    told = str(material.depositor.get("id", "")).encode()
    return "original" in withheld or ("source" in withheld and bool(told) and told in line)


def _secrets(parts: Parts, keep: Mapping[str, frozenset[Part]], public: frozenset[str]) -> set[str]:
    """The texts that must stand nowhere: what an original that goes out tells of itself is none of them."""
    found, told = set(), set(public)
    files: dict[str, list[ExtraFile]] = {}
    for file in parts.files:
        files.setdefault(file.object or "", []).append(file)
    for material in parts.items:
        withheld, about = keep[material.item], files.get(material.about, [])
        if withheld:
            found |= set(secrets_of(material, withheld, about))
        if not withheld & {"item", "original"}:
            told |= set(told_by(material, about))
    return found - told


def _with_digests(secrets: set[str], gone: Iterable[ExtraFile]) -> set[str]:
    digests = [file.fixity() for file in gone]
    return secrets | {one.sha256 for one in digests} | {one.sha512 for one in digests}


def _require_of_items(
    files: list[ExtraFile], paths: set[str], events: set[tuple[str, int]], of_item: Mapping[str, ItemMaterial]
) -> None:
    strange = [about for about, _ in events if about not in of_item and not dossier.is_entry(about)]
    abouts = {file.path: file.object or "" for file in files if file.path in paths}
    strange += [path for path, about in abouts.items() if about not in of_item and not dossier.is_entry(about)]
    if strange:
        raise leaks(strange[0])


def leaks(where: str) -> ConflictError:
    """The error of a bundle that would tell what it withholds."""
    return ConflictError(
        "withheld_value_leaks",
        f"{where} says what is to be withheld: withhold that as well, or change the words that were asked for",
    )


def _result(
    parts: Parts,
    keep: Mapping[str, frozenset[Part]],
    files: list[ExtraFile],
    gone: set[str],
    stubbed: set[tuple[str, int]],
    needles: Needles,
    places: Mapping[str, int],
) -> Redacted:
    result = Redacted(needles=needles)
    result.files = [file for file in files if file.path not in gone]
    result.left_out_roles = frozenset(file.role for file in parts.files) - KNOWN_ROLES
    result.stubbed = {about for about, _ in stubbed}
    result.events = {
        about: [stub_of(line) if (about, number) in stubbed else line for number, line in enumerate(lines)]
        for about, lines in parts.events.items()
    }
    result.shown = frozenset(item for item, withheld in keep.items() if not withheld & {"item", "original"})
    for material in parts.items:
        lost = [file for file in files if file.path in gone and file.object == material.about]
        if keep[material.item] or lost or material.about in result.stubbed:
            _state(result, places[material.item], material, keep[material.item], lost)
    return result


def _state(
    result: Redacted, place: int, material: ItemMaterial, withheld: frozenset[Part], lost: list[ExtraFile]
) -> None:
    """Commit to everything of an item that is kept back, and show what may be shown of it."""
    every = "item" in withheld
    values: dict[str, JsonInput] = dict(file_value(file) for file in lost)
    may_show: dict[str, JsonInput] = {}
    if every or "original" in withheld:
        values |= original_values(material)
        values |= dict(file_value(ExtraFile(path, data, "receipt", None)) for path, data in material.receipt.items())
        for file in lost:
            values |= metadata_values(file.data) if file.role == "metadata" else {}
    if material.about in result.stubbed:
        (values if every or "source" in withheld else may_show).update(source_values(material))
    for file in lost:
        if (summary := summary_of(file)) is not None:
            hidden = every or "links" in withheld or (file.role == "review" and "reviews" in withheld)
            (values if hidden else may_show).update([summary])
            if hidden or result.needles.find(canonical_bytes(summary[1])) is not None:
                result.against |= {file.path} if is_against(file) else set()
    shown = {name for name, value in may_show.items() if result.needles.find(canonical_bytes([name, value])) is None}
    openings = _openings(material.about, may_show | values)
    visible = [one for one in openings if one.name.removeprefix(f"{material.about}/") in shown]
    result.openings[material.item] = openings
    result.items.append(
        WithheldItem(
            place=place,
            item=material.item,
            state=WITHHELD if every else PARTLY,
            commitments={one.name: one.commitment for one in openings},
            shown=visible,
        )
    )
