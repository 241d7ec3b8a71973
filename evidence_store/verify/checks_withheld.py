"""What a bundle keeps back: is it stated, does it keep its place, and is a later disclosure what was committed to?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from evidence_store.bundle.events import CustodyEvent, parse_event
from evidence_store.bundle.manifest import Manifest
from evidence_store.bundle.withheld import PARTLY, WITHHELD, Disclosure, Opening, WithheldItem, WithheldObject
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.context import Verification
from evidence_store.verify.facts import NOT_PROVEN, Claim

MAX_STUBS = 250_000
"""Stubs of events that are kept in memory: 2,500 items with a hundred each, some 200 MiB."""

_INGESTION = "ingestion"
_SAME = ("log", "event_id", "object", "object_seq", "prev", "type", "time")


def take_stub(run: Verification, event: CustodyEvent) -> bool:
    """Keep the stub of an event; returns whether there was room for it."""
    if len(run.withheld_events) >= MAX_STUBS:
        return False
    run.withheld_events[event.digest] = event
    if event.type == _INGESTION:
        run.withheld_ingestions.setdefault(event.object, event)
    return True


def withheld_ingestion(run: Verification, item: str) -> CustodyEvent | None:
    """The stub of an item's ingestion event; None when the event is here, or not even its stub is."""
    return run.withheld_ingestions.get(f"item:{item}")


@dataclass(frozen=True)
class _Here:
    """What a bundle holds: items, the object of each file by its path, and these objects."""

    items: frozenset[str]
    files: Mapping[str, str | None]
    objects: frozenset[str | None]

    @classmethod
    def of(cls, manifest: Manifest) -> _Here:
        files = {file.path: file.object for file in manifest.files}
        return cls(frozenset(item.item for item in manifest.items), files, frozenset(files.values()))


def check_withheld(run: Verification) -> None:
    """What is kept back is stated, stands in its place, and is not here; openings are those that were committed to."""
    disclosure = run.manifest.disclosure if run.manifest is not None else None
    stated = {f"item:{entry.item}" for entry in disclosure.items} if disclosure is not None else set()
    stated |= {entry.object for entry in disclosure.objects} if disclosure is not None else set()
    for event in run.withheld_events.values():
        run.report.count("events kept back")
        if event.object not in stated:
            subject = f"event {event.event_id} ({event.object})"
            run.report.finding("withheld_not_stated", subject, "Only a stub is here.")
    if run.manifest is not None and disclosure is not None:
        _check_places(run, disclosure)
        here = _Here.of(run.manifest)
        for entry in disclosure.items:
            _check_item(run, here, entry)
        for one in disclosure.objects:
            _check_object(run, here, one)
    if run.openings is not None:
        _check_openings(run, disclosure)


def _check_places(run: Verification, disclosure: Disclosure) -> None:
    for name, values in (
        ("place", [str(entry.place) for entry in disclosure.items]),
        ("item", [entry.item for entry in disclosure.items]),
        ("object", [entry.object for entry in disclosure.objects]),
    ):
        for value in sorted({one for one in values if values.count(one) > 1}) if len(set(values)) < len(values) else ():
            run.report.finding("withheld_contradicts", f"{name} {value}", "It is stated more than once.")


def _check_item(run: Verification, here: _Here, entry: WithheldItem) -> None:
    run.report.count("items kept back" if entry.state == WITHHELD else "items partly kept back")
    about = f"item:{entry.item}"
    faults = _faults(run, here, about, entry.commitments, entry.shown)
    if entry.state == WITHHELD:
        if entry.item in here.items:
            faults.append("its original is here")
        if about in here.objects:
            faults.append("files of it are here")
        if entry.shown:
            faults.append("values of it are here")
    _tell(run, entry.item, faults, f"{entry.state}: {len(entry.commitments) - len(entry.shown)} value(s)")


def _check_object(run: Verification, here: _Here, entry: WithheldObject) -> None:
    run.report.count("entries of a dossier partly kept back")
    faults = _faults(run, here, entry.object, entry.commitments, entry.shown)
    if entry.object.startswith("item:"):
        faults.append("it is an item")
    records = sum(name.startswith(f"{entry.object}/file/") for name in entry.commitments)
    _tell(run, entry.object, faults, f"{records} record(s) kept back")


def _faults(
    run: Verification, here: _Here, about: str, commitments: Mapping[str, str], shown: Sequence[Opening]
) -> list[str]:
    """What is wrong with the statement on an object."""
    faults = [] if about in run.chains else ["none of its events has even a stub here"]
    faults += [
        f"{opening.name} is not what was committed to"
        for opening in shown
        if commitments.get(opening.name) != opening.commitment
    ]
    if strange := [name for name in commitments if not name.startswith(f"{about}/")]:
        faults.append(f"{strange[0]} is not of this {about.partition(':')[0]}")
    begins = f"{about}/file/"
    paths = [name.removeprefix(begins) for name in sorted(commitments) if name.startswith(begins)]
    faults += [f"{begins}{path} is here" for path in paths if here.files.get(path) == about]
    return faults


def _tell(run: Verification, subject: str, faults: Sequence[str], told: str) -> None:
    for fault in faults:
        run.report.finding("withheld_contradicts", subject, f"{fault[0].upper()}{fault[1:]}.")
    run.report.finding("withheld", subject, f"{told}, each committed to.")


def _check_openings(run: Verification, disclosure: Disclosure | None) -> None:
    given = run.openings
    if given is None:
        return
    if run.manifest is None or given.bundle_id != run.manifest.bundle_id:
        run.report.finding("opening_wrong", given.bundle_id, "It was made for another bundle.")
        return
    committed: dict[str, str] = {}
    if disclosure is not None:
        for stated in (
            *(one.commitments for one in disclosure.items),
            *(one.commitments for one in disclosure.objects),
        ):
            committed |= stated
    opened: dict[str, Opening] = {}
    for opening in given.openings:
        if committed.get(opening.name) != opening.commitment:
            run.report.finding("opening_wrong", opening.name, "The bundle committed to another value, or to none.")
        else:
            opened[opening.name] = opening
            run.report.count("values opened")
    for name, data in given.files.items():
        _check_file(run, name, data, opened.get(name))
    for line in given.events:
        _check_event(run, line, opened)


def _check_file(run: Verification, name: str, data: bytes, opening: Opening | None) -> None:
    value = opening.value if opening is not None and isinstance(opening.value, dict) else {}
    if (value.get("sha256"), value.get("size")) != (hashlib.sha256(data).hexdigest(), len(data)):
        run.report.finding("opening_wrong", name, "Its bytes are not those that the bundle committed to.")
    else:
        run.report.count("files opened")


def _check_event(run: Verification, line: bytes, opened: dict[str, Opening]) -> None:
    digest = hashlib.sha256(line).hexdigest()
    stub = run.withheld_events.get(digest)
    try:
        event = parse_event(line)
    except EvidenceStoreError as error:
        run.report.finding("opening_wrong", f"event of digest {digest}", f"{error.code}: {error.detail}.")
        return
    if stub is None or any(getattr(stub, name) != getattr(event, name) for name in _SAME):
        detail = "The bundle holds no stub of it, or one that says something else of it."
        run.report.finding("opening_wrong", f"event {event.event_id} ({event.object})", detail)
        return
    run.report.count("events opened")
    if event.type == _INGESTION:
        for name, value in _told(event).items():
            opening = opened.get(f"{event.object}/{name}")
            if opening is not None and opening.value != value:
                run.report.finding("opening_wrong", opening.name, f"Event {event.event_id} says something else.")


def _told(event: CustodyEvent) -> dict[str, Any]:
    """What an ingestion event says of values that a bundle commits to."""
    return {
        "original.sha256": event.sha256,
        "original.sha512": event.sha512,
        "original.size": event.size,
        "original.name": cast("Any", event.details.get("original_name")),
    }


def withheld_claims(run: Verification) -> list[Claim]:
    """That the bundle is not everything, when it says so itself."""
    disclosure = run.manifest.disclosure if run.manifest is not None else None
    if disclosure is None or not (disclosure.items or disclosure.objects or disclosure.exculpatory["left_out"]):
        return []
    whole = sum(entry.state == WITHHELD for entry in disclosure.items)
    parts = sum(entry.state == PARTLY for entry in disclosure.items)
    text = "That nothing was kept back is not shown."
    if disclosure.items or disclosure.objects:
        text = (
            f"Not shown: {whole} item(s) are kept back whole and {parts} in part; their places, their chains of custody"
            " and a commitment to each value are here. That nothing else was kept back is not shown."
        )
    if entries := len(disclosure.objects):
        text += f" Of {entries} entry(ies) of the dossier records are kept back in the same way."
    if left_out := disclosure.exculpatory["left_out"]:
        counts = ", ".join(f"{number} {kind}" for kind, number in sorted(left_out.items()))
        text += f" By the archive's own word, material that speaks against was left out: {counts}."
    return [Claim("limit_withheld", text, NOT_PROVEN)]
