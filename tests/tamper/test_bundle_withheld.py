"""Attacks on bundles that keep something back: cut out, contradicted, opened with something else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evidence_store.bundle.events import parse_event
from evidence_store.bundle.plan import BundlePlan, ExtraFile
from evidence_store.bundle.withheld import (
    PARTLY,
    WITHHELD,
    Disclosure,
    Opening,
    OpeningFile,
    WithheldItem,
    WithheldObject,
    commit,
    parse_line,
    stub_of,
)
from evidence_store.canonical import canonical_bytes
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.checks import verify_bundle
from tests.bundles import SampleArchive, write_plan


class Sealed:
    """A sample archive of two items; the first one's ingestion event is kept back."""

    def __init__(self, folder: Path) -> None:
        self.archive = SampleArchive("withheld")
        self.item = self.archive.deposit("a.jpg", b"one")
        self.other = self.archive.deposit("b.jpg", b"two")
        self.about = f"item:{self.item}"
        self.dossier = f"incident:{self.archive.uuid()}"
        self.place = "data/incidents/one.1.json"
        digest = {"role": "entry", "sha256": hashlib.sha256(b"{}").hexdigest(), "size": 2}
        self.archive.record(self.dossier, "annotation", details={"outputs": [digest]})
        self.archive.extra_files.append(ExtraFile(self.place, b"{}", "entry", self.dossier))
        self.lines = self.archive.events[self.about]
        self.opening = commit(f"{self.about}/source.collector", "Ana")
        self.shown = commit(f"{self.about}/source.platform", "X")
        self._path = folder / "bundle.zip"

    def entry(self, **changes: object) -> WithheldItem:
        commitments = {one.name: one.commitment for one in (self.opening, self.shown)}
        return replace(WithheldItem(0, self.item, PARTLY, commitments, [self.shown]), **changes)  # type: ignore[arg-type]

    def disclosure(self, *entries: WithheldItem) -> Disclosure:
        recipient = {"name": "A court", "kind": "court"}
        return Disclosure(recipient, entries or [self.entry()], [], {"left_out": {}, "acknowledged": None})

    def plan(self, **changes: object) -> BundlePlan:
        plan = self.archive.plan()
        events = [stub_of(line) if line == self.lines[0] else line for line in plan.events]
        return replace(plan, **({"events": events, "disclosure": self.disclosure()} | changes))  # type: ignore[arg-type]

    def codes(self, plan: BundlePlan, openings: OpeningFile | None = None) -> set[tuple[str, str]]:
        self._path.write_bytes(write_plan(plan, self.archive.seal))
        report = verify_bundle(self._path, openings=openings)
        return {(one.code, one.severity) for one in report.findings if one.severity == "error"} | {
            (one.code, one.severity) for one in report.findings if "withheld" in one.code
        }


@pytest.fixture
def sealed(tmp_path: Path) -> Sealed:
    return Sealed(tmp_path)


def test_what_is_kept_back_honestly_is_told_and_no_error(sealed: Sealed) -> None:
    assert sealed.codes(sealed.plan()) == {("ingestion_withheld", "info"), ("withheld", "info")}


def test_a_stub_of_which_the_manifest_says_nothing_is_named(sealed: Sealed) -> None:
    for disclosure in (None, sealed.disclosure(sealed.entry(item=sealed.other, commitments={}, shown=[]))):
        assert ("withheld_not_stated", "error") in sealed.codes(sealed.plan(disclosure=disclosure))


@pytest.mark.parametrize(
    "contradict",
    [
        lambda one: (one.entry(state=WITHHELD, shown=[]),),  # its original is here
        lambda one: (one.entry(), one.entry(item=one.other, commitments={}, shown=[])),  # two in one place
        lambda one: (one.entry(), one.entry(place=1)),
        lambda one: (one.entry(shown=[Opening(one.shown.salt, one.shown.name, "Y")]),),
        lambda one: (one.entry(commitments={one.opening.name: one.opening.commitment}),),
        lambda one: (one.entry(commitments={"item:x/y": "0" * 64}, shown=[]),),
        lambda one: (one.entry(), one.entry(place=2, item="00000000-0000-4000-8000-000000000000")),
    ],
)
def test_a_statement_that_does_not_fit_what_is_here_is_named(
    sealed: Sealed, contradict: Callable[[Sealed], tuple[WithheldItem, ...]]
) -> None:
    disclosure = sealed.disclosure(*contradict(sealed))
    assert ("withheld_contradicts", "error") in sealed.codes(sealed.plan(disclosure=disclosure))


@pytest.mark.parametrize(
    ("contradict", "told"),
    [
        (lambda one: [WithheldObject(f"incident:{one.item}", {}, [])], "of its events has"),
        (lambda one: [WithheldObject(f"item:{one.other}", {}, [])], "It is an item"),
        (lambda one: [WithheldObject(one.dossier, {"item:x/y": "0" * 64}, [])], "is not of this incident"),
        (lambda one: [WithheldObject(one.dossier, {}, [commit(f"{one.dossier}/entry/1/ref", "A")])], "committed to"),
        (lambda one: [WithheldObject(one.dossier, {}, [])] * 2, "more than once"),
        (lambda one: [WithheldObject(one.dossier, {f"{one.dossier}/file/{one.place}": "0" * 64}, [])], "is here"),
    ],
)
def test_a_statement_on_the_dossier_that_does_not_fit_is_named(
    sealed: Sealed, tmp_path: Path, contradict: Callable[[Sealed], list[WithheldObject]], told: str
) -> None:
    honest = replace(sealed.disclosure(), objects=[WithheldObject(sealed.dossier, {}, [])])
    assert sealed.codes(sealed.plan(disclosure=honest)) == {("ingestion_withheld", "info"), ("withheld", "info")}
    plan = sealed.plan(disclosure=replace(honest, objects=contradict(sealed)))
    assert ("withheld_contradicts", "error") in sealed.codes(plan)
    report = verify_bundle(tmp_path / "bundle.zip")
    assert told in " ".join(one.detail for one in report.findings if one.code == "withheld_contradicts")


def test_another_value_salt_or_event_opens_nothing(sealed: Sealed) -> None:
    plan, line = sealed.plan(), sealed.lines[0]
    good = OpeningFile(plan.bundle_id, [sealed.opening], [line], {})
    assert sealed.codes(plan, good) == {("ingestion_withheld", "info"), ("withheld", "info")}
    another = canonical_bytes({"a": 1})
    for bad in (
        replace(good, bundle_id="00000000-0000-4000-8000-000000000000"),
        replace(good, openings=[replace(sealed.opening, value="Olena")]),
        replace(good, openings=[replace(sealed.opening, salt="0" * 64)]),
        replace(good, openings=[replace(sealed.opening, name=sealed.shown.name)]),
        replace(good, events=[sealed.lines[1]]),
        replace(good, events=[another]),
        replace(good, files={sealed.opening.name: b"x"}),
        replace(good, openings=[commit(f"{sealed.about}/original.name", "other.jpg")]),
    ):
        assert ("opening_wrong", "error") in sealed.codes(plan, bad), bad


def test_an_opened_event_that_contradicts_an_opened_value_is_named(sealed: Sealed) -> None:
    lie = commit(f"{sealed.about}/original.name", "other.jpg")
    entry = sealed.entry(commitments={lie.name: lie.commitment}, shown=[])
    plan = sealed.plan(disclosure=sealed.disclosure(entry))
    assert ("opening_wrong", "error") not in sealed.codes(plan, OpeningFile(plan.bundle_id, [lie], [], {}))
    assert ("opening_wrong", "error") in sealed.codes(plan, OpeningFile(plan.bundle_id, [lie], [sealed.lines[0]], {}))


def test_a_stub_that_lies_about_its_place_breaks_the_chain_or_its_opening(sealed: Sealed) -> None:
    stub = parse_line(stub_of(sealed.lines[0]))[0]
    assert stub.digest == parse_event(sealed.lines[0]).digest
    for place, code in ((b'"object_seq":0', b'"object_seq":1'), (stub.digest.encode(), b"0" * 64)):
        events = [
            line.replace(place, code) if line.startswith(b'{"event_id"') else line for line in sealed.plan().events
        ]
        with pytest.raises(EvidenceStoreError):
            sealed.codes(sealed.plan(events=events))
    stub_line = stub_of(sealed.lines[0])
    other = stub_line.replace(b'"ingestion"', b'"migration"')
    renamed = [other if line == stub_line else line for line in sealed.plan().events]
    opened = OpeningFile(sealed.plan().bundle_id, [], [sealed.lines[0]], {})
    assert ("opening_wrong", "error") in sealed.codes(sealed.plan(events=renamed), opened)


def test_malformed_stubs_are_no_events(sealed: Sealed) -> None:
    stub = stub_of(sealed.lines[0])
    for bad in (stub[:-1], stub.replace(b'"v":1', b'"v":2'), stub.replace(b'"withheld":"event"', b'"withheld":"all"')):
        with pytest.raises(EvidenceStoreError):
            parse_line(bad)
