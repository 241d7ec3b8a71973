"""A dossier in a bundle that keeps an item back: what touches the item is shown as withheld, all else goes out whole.

What must not go out is looked for in every byte, commitments are attacked by guessing, and what is opened later is
checked against the bundle.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.access.service import Principal
from app.assessment.links import LinkGiven
from app.disclosure.models import DisclosureItem
from app.disclosure.rules import Wishes, parse_parts
from app.errors import ConflictError
from app.incidents.dossier import read_file
from evidence_store.bundle.withheld import parse_opening_file
from evidence_store.canonical import canonical_bytes
from evidence_store.verify.checks import verify_bundle
from tests.archives import close_archive, make_archive
from tests.assessing import LOSS, E, P
from tests.checks import assert_clean
from tests.disclosing import COLLECTOR, COURT, NAME, Stage, assert_nowhere, errors, manifest_of
from tests.incident_samples import REF, document

SAID = "The mill wheel stood still at noon"
SEEN = "A crane with a yellow arm is to be seen"
ARGUED = "The yellow arm was gone an hour before"
DENIED = "We were nowhere near the wheel"
OPEN = "The livery is legible."
WITHHELD = Wishes(COURT, "withhold", acknowledge="The source is to be protected.")


class Dossier:
    """A stage with an incident: records that name the item that is kept back, and others."""

    def __init__(self, folder: Path) -> None:
        self.stage = stage = Stage(folder)
        self.services, who = stage.services, stage.depositor
        given = document()
        given["incidents"][0] |= {"items": [stage.hidden, stage.first], "remark": f"By way of {COLLECTOR}"}
        given["statements"] += [
            {"id": "ST-HIDDEN", "speaker": "Ministry B", "summary": DENIED, "kind": "denial", "item": stage.hidden}
        ]
        self.services.incident_files.take_in(who, stage.case, read_file(json.dumps(given).encode()))
        self.claims = {ref: self._claim(ref, speaker, text) for ref, speaker, text in (
            ("C-OPEN", "Service A", "The vehicle was hit."), ("C-SAID", COLLECTOR, SAID),
        )}  # fmt: skip
        self._claim("C-SEEN", "ana", SEEN, kind="observation", rests_on=[{"kind": "item", "ref": stage.hidden}])
        incidents = self.services.incidents
        self.revised = incidents.add(who, stage.case, "INC-C", {"title": "The third", "remark": "first words"}).entry.id
        incidents.revise(who, "INC-C", {"title": "The third", "items": [stage.hidden]}, "a photo came in", 1)
        self.open = self._link(who, stage.first, OPEN)
        self.against = self._link(who, stage.hidden, ARGUED, direction="contradicts")
        self.lost = self._link(who, stage.hidden, ARGUED + ", too", element=LOSS)
        judged = self.services.assessments.judgements
        for panel in ("contradicting", "loss_of_protection"):
            judged.answer(stage.lawyer, REF, P, panel, "answered", "Looked at.")
        self.assessment = judged.assess(stage.lawyer, REF, P, "reasonable_basis", "not_reached", "Too little.").id
        self.services.assessments.reviews.review(stage.second, self.assessment, "approve", "read")
        self._link(who, stage.last, "A second view of it.", direction="neutral")  # the assessment's basis has changed
        stage.work()

    def _claim(self, ref: str, speaker: str, text: str, **more: Any) -> str:  # noqa: ANN401 - fields
        given = {"ref": ref, "speaker": speaker, "text": text, **more}
        return self.services.incidents.claim(self.stage.depositor, REF, given).claim

    def _link(self, who: Principal, item: str, why: str, **changed: Any) -> str:  # noqa: ANN401 - fields
        given = LinkGiven(
            source="item", ref=item, segment=None, direction="supports", weight="direct", reasoning=why,
            provision=P, element=E,
        )  # fmt: skip
        return self.services.assessments.links.add(who, REF, replace(given, **changed)).id

    def incident(self) -> str:
        """Its UUID."""
        return self.services.incidents.get(self.stage.admin, REF).entry.id


@pytest.fixture(scope="module")
def dossier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dossier]:
    made = Dossier(tmp_path_factory.mktemp("dossier"))
    yield made
    assert_clean(made.services)
    close_archive(made.services)


@pytest.fixture(scope="module")
def bundle(dossier: Dossier) -> Path:
    return dossier.stage.bundle(WITHHELD)


def files_in(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def stated(bundle: Path, about: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in manifest_of(bundle)["disclosure"]["objects"] if one["object"] == about)
    return found


def shown(bundle: Path, about: str) -> dict[str, Any]:
    return {name.partition("/")[2]: value for _, name, value in stated(bundle, about)["shown"]}


def marks(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if value.get("withheld") is True:
            yield value
        for inner in value.values():
            yield from marks(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from marks(inner)


def test_what_touches_nothing_goes_out_as_it_is_and_the_bundle_verifies(dossier: Dossier, bundle: Path) -> None:
    assert errors(bundle) == []
    files = files_in(bundle)
    assert f"data/incidents/claims/{dossier.claims['C-OPEN']}.json" in files
    assert f"data/assessments/{dossier.open}.json" in files
    events = [json.loads(line) for line in files["custody/events.jsonl"].splitlines()]
    named = {output["sha256"] for one in events for output in one.get("details", {}).get("outputs", [])}
    records = [data for path, data in files.items() if path.startswith(("data/incidents/", "data/assessments/"))]
    assert len(records) > 5
    assert all(hashlib.sha256(data).hexdigest() in named for data in records), "each is the record that the log names"
    taken = read_file(files["incidents.json"])
    refs = {one.ref for one in taken.entries}
    assert {"INC-B", "ST-DENIAL", "ST-OTHER"} <= refs
    assert not {REF, "INC-C", "ST-HIDDEN"} & refs
    assert not [path for path in files if f"data/incidents/{dossier.revised}" in path], "older versions stay, too"
    assert "data/matrices/" in " ".join(files)


def test_no_withheld_record_is_in_any_byte_nor_its_digest(dossier: Dossier, bundle: Path) -> None:
    services, admin = dossier.services, dossier.stage.admin
    gone = [
        data
        for _, identity, data in services.assessments.records(admin, REF)
        if identity in {dossier.against, dossier.lost, dossier.assessment}
    ]
    assert len(gone) == 3
    digests = [hashlib.sha256(data).hexdigest() for data in gone]
    digests.append(services.incidents.get(admin, REF).sha256)
    assert_nowhere(bundle, [SAID, SEEN, ARGUED, DENIED, COLLECTOR, NAME, "Ministry B", "Too little.", *digests])
    files = files_in(bundle)
    for path in ("incidents.json", "report.html", *(one for one in files if one.startswith("data/"))):
        allowed = path == "report.html"  # its page on what is withheld names the item, as manifest.json does
        assert allowed or dossier.stage.hidden.encode() not in files[path], path


def test_no_text_of_a_withheld_record_is_left_but_what_is_shown_on_purpose(dossier: Dossier, bundle: Path) -> None:
    whole = files_in(dossier.stage.bundle(Wishes(COURT, release={dossier.stage.hidden: "agreed"})))
    files = files_in(bundle)
    records = {path: data for path, data in whole.items() if path.startswith(("data/incidents/", "data/assessments/"))}
    gone = [json.loads(data) for path, data in records.items() if path not in files and path.endswith(".json")]
    here = [json.loads(data) for path, data in records.items() if path in files and path.endswith(".json")]
    objects = manifest_of(bundle)["disclosure"]["objects"]
    told = {text for one in objects for _, name, value in one["shown"] for text in (*name.split("/"), *texts(value))}
    known = {text for one in here for text in texts(one)} | told | {dossier.stage.hidden}
    known |= {
        part for one in objects for name in one["commitments"] for part in name["name"].replace(".", "/").split("/")
    }
    known |= {hashlib.sha256(data).hexdigest() for data in files.values()}
    for one in gone:  # the catalogue's own words are in every matrix
        for name in ("provision", "element", "catalogue"):
            one.pop(name, None)
    secret = {text for one in gone for text in texts(one) if len(text) > 8} - known
    assert len(secret) > 20
    left = {text: [path for path, data in files.items() if text.encode() in data] for text in secret}
    assert {text: paths for text, paths in left.items() if paths} == {}


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(inner)


def test_both_sides_stay_visible_in_manifest_matrix_and_report(dossier: Dossier, bundle: Path) -> None:
    told = shown(bundle, f"incident:{dossier.incident()}")
    assert told[f"element link/{dossier.against}"] == {
        "direction": "contradicts", "provision": P, "element": E, "withdrawn": False,
    }  # fmt: skip
    assert told[f"assessment/{dossier.assessment}"]["outcome"] == "not_reached"
    assert told["entry/1/body/title"] == "Petrol station, then fire engine"
    assert not {"entry/1/body/items", "entry/1/body/remark"} & told.keys()
    files = files_in(bundle)
    document = json.loads(files[f"data/matrices/{dossier.incident()}.json"])
    marked = {one.get("entry"): one for one in marks(document)}
    assert marked[dossier.against]["direction"] == "contradicts"
    assert marked[dossier.lost]["side"] == "against"
    assert dossier.assessment in marked
    assert dossier.open in json.dumps(document)
    gaps = [gap for one in document["provisions"] for gap in one["gaps"] if gap["code"] == "basis_changed"]
    assert [(gap["text"], gap["about"]) for gap in gaps] == [("withheld", {})], (
        "it names the author of what is withheld"
    )
    rules = [document["suggestions"], *(one["suggestion"] for one in document["provisions"])]
    assert rules == [{"withheld": True}] * len(rules), "what rules make of withheld facts would tell them"
    hidden = next(
        one
        for one in manifest_of(bundle)["disclosure"]["objects"]
        if shown(bundle, one["object"]).get("entry/1", {}).get("goes_along")
    )
    assert any(one.get("statement") == hidden["object"].partition(":")[2] for one in marks(document))
    page = files["report.html"].decode()
    assert "withheld from this bundle" in page
    assert OPEN in page


def test_every_record_that_is_missing_has_a_commitment(dossier: Dossier, bundle: Path) -> None:
    whole = dossier.stage.bundle(Wishes(COURT, release={dossier.stage.hidden: "agreed"}))
    places = ("data/incidents/", "data/assessments/")
    missing = {path for path in files_in(whole).keys() - files_in(bundle).keys() if path.startswith(places)}
    assert missing
    objects = manifest_of(bundle)["disclosure"]["objects"]
    committed = {one["name"].partition("/file/")[2] for entry in objects for one in entry["commitments"]}
    assert missing <= committed
    assert sorted(name.partition("/")[2] for name in files_in(whole) if "matrices" in name) == sorted(
        name.partition("/")[2] for name in files_in(bundle) if "matrices" in name
    )


def test_low_entropy_fields_cannot_be_guessed(dossier: Dossier, bundle: Path) -> None:
    about = f"incident:{dossier.incident()}"
    committed = {one["name"]: one["sha256"] for one in stated(bundle, about)["commitments"]}
    items = f"{about}/entry/1/body/items"
    assert items in committed
    true = [dossier.stage.hidden, dossier.stage.first]
    for guess in (true, [items, true], ["", items, true], ["0" * 64, items, true]):
        assert hashlib.sha256(canonical_bytes(guess)).hexdigest() not in committed.values()
    again = dossier.stage.bundle(WITHHELD)
    assert not set(committed.values()) & {one["sha256"] for one in stated(again, about)["commitments"]}
    raw = b"".join(files_in(bundle).values())
    for _, _, data in dossier.services.assessments.records(dossier.stage.admin, REF):  # whoever guesses a whole record
        here = f'"{hashlib.sha256(data).hexdigest()}"'.encode() in raw
        assert here == (data in raw)


def test_what_speaks_against_and_is_withheld_is_told_before_anything_is_signed(dossier: Dossier) -> None:
    stage, services = dossier.stage, dossier.services
    before = {one.id for one in services.exports.list(stage.admin)}
    with pytest.raises(ConflictError) as refused:
        stage.export(Wishes(COURT, "withhold"))
    assert refused.value.code == "exculpatory_left_out"
    for one in (dossier.against, dossier.lost, "denial"):
        assert one in refused.value.detail
    assert {one.id for one in services.exports.list(stage.admin)} == before


def test_the_bundle_counts_what_was_left_out_against(bundle: Path) -> None:
    told = manifest_of(bundle)["disclosure"]["exculpatory"]
    assert told["left_out"]["contradicting element link"] == 2
    assert told["left_out"]["denial"] == 1
    assert told["left_out"]["record withheld with others"] >= 1  # the assessment that rests on them: not reached
    assert told["acknowledged"] == WITHHELD.acknowledge
    report = verify_bundle(bundle)
    (limit,) = [one["text"] for one in report.claims if one["code"] == "limit_withheld"]
    assert "of the dossier" in limit


def test_a_later_opening_is_checked_and_a_false_one_named(dossier: Dossier, bundle: Path) -> None:
    stage, openings = dossier.stage, dossier.services.openings
    with pytest.raises(ConflictError) as refused:
        openings.disclose(stage.lawyer, bundle.stem, COURT, "Order 4", items=[dossier.incident()])
    assert refused.value.code == "restricted_items"
    made = openings.disclose(stage.lawyer, bundle.stem, COURT, "Order 4", items=[dossier.incident()], release="Agreed")
    with dossier.services.archive.db.read() as session:
        marked = session.exec(select(DisclosureItem).where(DisclosureItem.disclosure_id == made.id)).all()
    assert [(one.item_id, one.released) for one in marked] == [(stage.hidden, "Agreed")], "the register shows why"
    assert made.files >= 4
    assert made.events >= 4
    opened = parse_opening_file(made.data)
    assert ARGUED.encode() in b"".join(opened.files.values())
    assert COLLECTOR.encode() in made.data
    report = verify_bundle(bundle, openings=opened)
    assert report.ok, report.as_text()
    name, data = max(opened.files.items())
    value = next(one for one in opened.openings if one.name.endswith("/entry/1/body/remark"))
    for bad in (
        replace(opened, files={name: data + b" "}),
        replace(opened, openings=[replace(value, value="By nobody")]),
        replace(opened, openings=[replace(value, salt="0" * 64)]),
        replace(opened, events=[opened.events[0].replace(b"Z", b"Y", 1)]),
    ):
        assert "opening_wrong" in {one.code for one in verify_bundle(bundle, openings=bad).findings}
    part = openings.disclose(
        stage.lawyer, bundle.stem, COURT, "Order 5", items=[dossier.incident()], names=["entry/1/body/items"],
        release="Agreed",
    )  # fmt: skip
    assert (part.values, part.events, part.files) == (1, 0, 0)
    everything = openings.disclose(stage.lawyer, bundle.stem, COURT, "Order 6", release="Agreed")
    assert verify_bundle(bundle, openings=parse_opening_file(everything.data)).ok
    assert SAID.encode() in b"".join(parse_opening_file(everything.data).files.values())


def test_the_single_file_verifier_accepts_it_and_names_a_changed_commitment(bundle: Path, tmp_path: Path) -> None:
    files = files_in(bundle)
    tool = tmp_path / "verify.py"
    tool.write_bytes(files["tools/catena_verify.py"])
    for name, changed in (("good", False), ("bad", True)):
        folder = tmp_path / name
        for path, data in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        if changed:
            manifest = json.loads(files["manifest.json"])
            manifest["disclosure"]["objects"][0]["commitments"][0]["sha256"] = "0" * 64
            (folder / "manifest.json").write_bytes(canonical_bytes(manifest))
        ran = subprocess.run([sys.executable, tool, folder], capture_output=True, text=True, check=False)
        assert (ran.returncode == 0) is not changed, ran.stdout
        assert ("manifest.json" in ran.stdout and "file_digest_mismatch" in ran.stdout) is changed


def test_links_that_an_exporter_withholds_take_those_of_the_dossier_along(dossier: Dossier) -> None:
    stage = dossier.stage
    wishes = replace(WITHHELD, withhold={stage.first: parse_parts(["links"])})
    made = stage.bundle(wishes)
    assert errors(made) == []
    assert_nowhere(made, [OPEN])
    assert f"element link/{dossier.open}" in shown(made, f"incident:{dossier.incident()}")


def test_a_partner_takes_it_in_and_reads_what_is_shown(bundle: Path, tmp_path: Path) -> None:
    services = make_archive(tmp_path)
    who = services.access.local_operator()
    with services.receiving.spool() as spool:
        spool.fill([bundle.read_bytes()])
        taken = services.receiving.receive(who, services.evidence.create_case(who, "P1"), spool, spool.check(None))
    assert len(taken.items) == 2
    assert_clean(services)
    close_archive(services)
