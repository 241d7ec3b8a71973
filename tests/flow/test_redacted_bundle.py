"""A redacted bundle: nothing withheld can be recovered, and it verifies; what is disclosed later can be checked.

The values to hide are looked for in every byte by a search of this test's own, and the commitments are attacked by
guessing.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.access.service import Principal
from app.api.services import Services
from app.disclosure.rules import Decision, Recipient, Wishes, parse_parts
from app.errors import ConflictError, InvalidInputError
from app.evidence.models import Case
from app.export.models import ExportRow
from app.wiring import make_worker
from evidence_store.canonical import canonical_bytes
from evidence_store.verify.checks import verify_bundle
from schemas.records.v1.source import SourceContext
from tests.archives import close_archive, make_archive, person
from tests.checks import assert_clean

COURT = Recipient("Example Court, chamber 2", "court")
COLLECTOR, CAPTION, NAME = "Оксана Collector-Secret", "Caption: «seen from the mill»", "mill-street-17.jpg"
NOTE = 'She said: "go by the river"\nand <left>'
LATITUDE = "48.5432"


def photo(seed: int, artist: str = "") -> bytes:
    """A JPEG with its position and, maybe, an artist in EXIF."""
    picture = Image.effect_noise((64, 48), 40 + seed)
    exif = Image.Exif()
    if artist:
        exif[0x013B] = artist
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 32.0, 35.52), 3: "E", 4: (35.0, 1.0, 2.25)})
    out = io.BytesIO()
    picture.convert("RGB").save(out, "JPEG", exif=exif)
    return out.getvalue()


class Stage:
    """An archive with three photos: one under restrictions, two that are open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.services: Services = make_archive(folder)
        self.admin: Principal = self.services.access.local_operator()
        self.case: Case = self.services.evidence.create_case(self.admin, "T1")
        self.lawyer = person(self.services, "lawyer", "legal", self.case)
        self.second = person(self.services, "second", "legal", self.case)
        self.depositor = person(self.services, "depositor-of-the-photo", "investigator", self.case)
        self.first = self.put(photo(1), "open-1.jpg", SourceContext())
        hidden = SourceContext(
            collector=COLLECTOR,
            caption=CAPTION,
            note=NOTE,
            url="https://example.org/secret-post/918273",
            handling=("protect_source",),
            consent="given",
        )
        self.hidden_data = photo(2)
        self.hidden = self.put(self.hidden_data, NAME, hidden)
        self.last = self.put(photo(3), "open-2.jpg", SourceContext())
        make_worker(self.services).drain(wait_s=20)

    def put(self, data: bytes, name: str, source: SourceContext) -> str:
        return self.services.intake.deposit_bytes(self.depositor, self.case, [data], name, source).item.id

    def export(self, wishes: Wishes | None = None, **scope: Any) -> ExportRow:
        return self.services.exports.create(
            self.lawyer, purpose="Request 17", wishes=wishes, **(scope or {"case_ref": "T1"})
        )

    def path(self, row: ExportRow) -> Path:
        return self.services.archive.settings.exports / f"{row.id}.zip"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    assert_clean(made.services)
    close_archive(made.services)


def spellings(value: str) -> Iterator[bytes]:
    plain = value.encode()
    yield from (plain, value.encode("utf-16-le"), value.encode("utf-16-be"), plain.hex().encode())
    yield from (json.dumps(value)[1:-1].encode(), json.dumps(value, ensure_ascii=False)[1:-1].encode())
    for lead in range(3):
        yield base64.b64encode(b"\0" * lead + plain)[(0, 2, 3)[lead] : -4]
    if re.fullmatch(r"[0-9a-f]{64}|[0-9a-f]{128}", value):
        raw = bytes.fromhex(value)
        yield raw
        for lead in range(3):
            yield base64.b64encode(b"\0" * lead + raw)[(0, 2, 3)[lead] : -4]


def every_byte(bundle: Path) -> Iterator[tuple[str, bytes]]:
    """The file itself, each entry, and whatever inflates anywhere in an entry."""
    yield "the file", bundle.read_bytes()
    with zipfile.ZipFile(bundle) as opened:
        for name in opened.namelist():
            data = opened.read(name)
            yield name, data
            for start in range(0, min(len(data), 200_000)):
                if data[start : start + 1] in (b"\x78", b"\x1f"):
                    with_header = zlib.decompressobj(47)
                    try:
                        yield f"{name} inflated", with_header.decompress(data[start:], 1 << 20)
                    except zlib.error:
                        continue


def assert_nowhere(bundle: Path, values: list[str]) -> None:
    places = list(every_byte(bundle))
    for value in values:
        for form in spellings(value):
            assert [place for place, data in places if form in data] == [], value


def manifest_of(bundle: Path) -> dict[str, Any]:
    with zipfile.ZipFile(bundle) as opened:
        found: dict[str, Any] = json.loads(opened.read("manifest.json"))
    return found


def errors(bundle: Path) -> list[str]:
    return [
        f"{one.code} {one.subject} {one.detail}" for one in verify_bundle(bundle).findings if one.severity == "error"
    ]


def test_a_restricted_item_is_refused_with_its_reason_when_nobody_says_what_to_do(stage: Stage) -> None:
    with pytest.raises(ConflictError, match=f"{stage.hidden}: handling protect_source") as refused:
        stage.export()
    assert refused.value.code == "restricted_items"
    with pytest.raises(ConflictError) as again:
        stage.export(Wishes(COURT))
    assert again.value.code == "restricted_items"
    assert stage.services.exports.list(stage.admin) == []


def test_nothing_withheld_is_in_any_byte_and_the_bundle_verifies(stage: Stage) -> None:
    item, _ = stage.services.evidence.find_item(stage.admin, stage.hidden)
    bundle = stage.path(stage.export(Wishes(COURT, "withhold")))
    assert errors(bundle) == []
    digests = hashlib.sha256(stage.hidden_data).hexdigest(), hashlib.sha512(stage.hidden_data).hexdigest()
    with zipfile.ZipFile(bundle) as opened:
        assert not [name for name in opened.namelist() if stage.hidden in name and "proofs" not in name]
    assert stage.hidden_data[200:] not in bundle.read_bytes()
    secrets = [COLLECTOR, CAPTION, NAME, NOTE, "https://example.org/secret-post/918273", *digests]
    assert_nowhere(bundle, secrets)
    assert item.sha256 == digests[0]
    entry = next(one for one in manifest_of(bundle)["disclosure"]["items"] if one["item"] == stage.hidden)
    assert (entry["place"], entry["state"]) == (1, "partly withheld")
    assert [one["item"] for one in manifest_of(bundle)["items"]] == sorted([stage.first, stage.last])


def test_low_entropy_values_cannot_be_guessed_from_commitments_or_stubs(stage: Stage) -> None:
    bundle = stage.path(stage.export(Wishes(COURT, "withhold")))
    entry = next(one for one in manifest_of(bundle)["disclosure"]["items"] if one["item"] == stage.hidden)
    committed = {one["name"]: one["sha256"] for one in entry["commitments"]}
    consent = f"item:{stage.hidden}/source.consent"
    assert consent in committed
    terms = ("given", "given_with_conditions", "not_sought", "refused", "withdrawn")
    for term in terms:
        for guess in (term, [consent, term], ["", consent, term], ["0" * 64, consent, term], {"consent": term}):
            data = guess.encode() if isinstance(guess, str) else canonical_bytes(guess)
            assert hashlib.sha256(data).hexdigest() not in committed.values()
    assert len(set(committed.values())) == len(committed)
    again = stage.path(stage.export(Wishes(COURT, "withhold")))  # the same values, other salts
    other = next(one for one in manifest_of(again)["disclosure"]["items"] if one["item"] == stage.hidden)
    assert not set(committed.values()) & {one["sha256"] for one in other["commitments"]}


def test_an_item_that_is_withheld_whole_keeps_its_place_and_its_chain(stage: Stage) -> None:
    wishes = Wishes(COURT, "withhold", {stage.first: parse_parts(()), stage.hidden: parse_parts(())})
    bundle = stage.path(stage.export(wishes))
    assert errors(bundle) == []
    entries = manifest_of(bundle)["disclosure"]["items"]
    assert [(one["place"], one["item"], one["state"]) for one in entries] == [
        (0, stage.first, "withheld"),
        (1, stage.hidden, "withheld"),
    ]
    assert all(one["shown"] == [] for one in entries)
    with zipfile.ZipFile(bundle) as opened:
        lines = [json.loads(line) for line in opened.read("custody/events.jsonl").splitlines()]
    of_first = [line for line in lines if line["object"] == f"item:{stage.first}"]
    assert of_first and all(line["withheld"] == "event" for line in of_first)
    everything = Wishes(COURT, "withhold", {item: parse_parts(()) for item in (stage.first, stage.hidden, stage.last)})
    assert errors(stage.path(stage.export(everything))) == []


def test_a_release_needs_its_reason_and_stands_in_the_log(stage: Stage) -> None:
    row = stage.export(Wishes(COURT, release={stage.hidden: "The source agreed in writing."}))
    assert errors(stage.path(row)) == []
    assert len(manifest_of(stage.path(row))["items"]) == 3
    with pytest.raises(InvalidInputError) as refused:
        stage.export(Wishes(COURT, release={"00000000-0000-4000-8000-000000000000": "x"}))
    assert refused.value.code == "not_in_the_export"


def test_the_words_of_the_request_must_not_tell_what_is_withheld(stage: Stage) -> None:
    with pytest.raises(ConflictError) as refused:
        stage.services.exports.create(
            stage.lawyer, case_ref="T1", purpose=f"About {COLLECTOR}", wishes=Wishes(COURT, "withhold")
        )
    assert refused.value.code == "withheld_value_leaks"


def test_an_original_that_says_what_is_withheld_does_not_go_out(stage: Stage) -> None:
    talking = stage.put(
        photo(4, artist="Secret Artist Name"), "talking.jpg", SourceContext(collector="Secret Artist Name")
    )
    make_worker(stage.services).drain(wait_s=20)
    wishes = {talking: parse_parts(["source"]), stage.hidden: parse_parts(())}
    with pytest.raises(ConflictError) as refused:
        stage.export(Wishes(COURT, "withhold", wishes))
    assert refused.value.code in {"original_not_looked_into", "withheld_value_leaks"}
    wishes[talking] = parse_parts(["source", "original"])
    bundle = stage.path(stage.export(Wishes(COURT, "withhold", wishes)))
    assert errors(bundle) == []
    assert_nowhere(bundle, ["Secret Artist Name", "talking.jpg"])


def test_only_the_source_is_withheld_and_the_receipt_still_binds_the_original(stage: Stage) -> None:
    quiet = stage.put(photo(5), "quiet.jpg", SourceContext(collector="Quiet Collector"))
    make_worker(stage.services).drain(wait_s=20)
    wishes = Wishes(COURT, "withhold", {quiet: parse_parts(["source"])})
    bundle = stage.path(stage.export(wishes, item_ids=[quiet]))
    report = verify_bundle(bundle)
    assert report.ok, report.as_text()
    codes = {(one.code, one.subject) for one in report.findings}
    assert {("ingestion_withheld", quiet), ("withheld", quiet)} <= codes
    assert_nowhere(bundle, ["Quiet Collector", "depositor-of-the-photo"])
    assert [one["item"] for one in manifest_of(bundle)["items"]] == [quiet]
    assert "limit_withheld" in {claim["code"] for claim in report.claims}


def test_decisions_name_their_state() -> None:
    assert Decision(0, "x", frozenset(), (), None).state == "whole"
