"""The report inside a bundle: nothing that others wrote is markup, nothing is from outside, the bytes are the same."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.disclosure.rules import Recipient, Wishes
from app.export.report import html, pdf, pictures
from app.export.report.document import Block, Document, Facts, Para, Said, Section
from app.export.report.fonts import settable
from app.export.report.making import report_document, report_files, with_report
from app.export.report.matrix import matrix
from app.export.report.words import moment, visible
from app.wiring import make_worker
from evidence_store.bundle.plan import BundlePlan, ExtraFile
from evidence_store.canonical import JsonInput, canonical_bytes
from evidence_store.verify.checks import verify_bundle
from schemas.records.v1.source import SourceContext
from tests.archives import close_archive, make_archive, person
from tests.bundles import SampleArchive, sample_archive, unzip, write_plan
from tests.checks import assert_clean

HOSTILE = "<script>alert(1)</script>\"><img src='https://evil.example/x' onerror=go()>\u202egpj.exe"
TAGS = frozenset(
    """html head meta title style body a header p h1 h2 h3 h4 h5 h6 bdi table caption colgroup col thead tbody tr th td
    code figure figcaption img svg path nav ol ul li main section footer""".split()  # noqa: SIM905 (a list of words)
)


class Page(HTMLParser):
    """What a page holds: tags with their attributes, levels of headings, identifiers, and its text."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def archive() -> SampleArchive:
    return sample_archive("report")


def hostile_plan(archive: SampleArchive) -> BundlePlan:
    """A plan in which everything that people write is an attack."""
    plan = archive.plan()
    item = replace(plan.items[0], original_name=HOSTILE)
    about = f"item:{item.item}"
    author: dict[str, JsonInput] = {"id": "x", "name": HOSTILE, "auth": "token"}
    link: dict[str, JsonInput] = {
        "link": "l",
        "direction": "contradicts",
        "provision": {"id": "p", "instrument": HOSTILE, "article": "1"},
        "catalogue": {"version": 1},
        "author": author,
        "rationale": HOSTILE,
        "created_at": plan.created_at,
    }
    finding: dict[str, JsonInput] = {"code": HOSTILE, "severity": "warning", "text": HOSTILE}
    metadata: dict[str, JsonInput] = {
        "findings": [finding],
        "position": {"lat": {"value": HOSTILE, "certainty": HOSTILE, "raw": HOSTILE}},
    }
    extra = [
        ExtraFile("data/links/l.json", canonical_bytes(link), "link", about),
        ExtraFile(f"data/metadata/{item.item}.json", canonical_bytes(metadata), "metadata", about),
    ]
    return replace(plan, items=[item, *plan.items[1:]], purpose=HOSTILE, extra_files=extra)


def bundle_page(plan: BundlePlan) -> Page:
    return Page(html.render(report_document(plan)))


# -- attacks ------------------------------------------------------------------------------------------------------


def test_nothing_that_others_wrote_becomes_markup_or_a_request(archive: SampleArchive) -> None:
    page = bundle_page(hostile_plan(archive))
    assert {tag for tag, _ in page.tags} <= TAGS
    assert not any(name.startswith("on") or name == "srcset" for _, held in page.tags for name in held)
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert all(str(link["href"]).startswith("#") for link in page.all("a"))
    assert "default-src 'none'" in str(page.all("meta"))
    assert page.text.count("<script>alert(1)</script>") >= 5


def test_a_name_that_turns_the_direction_is_shown_as_it_is_and_turns_nothing(archive: SampleArchive) -> None:
    data = html.render(report_document(hostile_plan(archive))).decode()
    assert "\u202e" not in data
    assert "(U+202E)gpj.exe" in data


def test_hostile_texts_do_not_break_the_pdf(archive: SampleArchive) -> None:
    data = pdf.render(report_document(hostile_plan(archive)))
    assert data.startswith(b"%PDF-")
    assert data.rstrip().endswith(b"%%EOF")
    assert b"/JavaScript" not in data
    assert b"/URI" not in data


@settings(max_examples=15, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_set_in_both_forms(text: str) -> None:
    blocks: list[Block] = [Para(Said(text)), Facts("Facts", [("Label", Said(text))])]
    document = Document("T", "2026-01-01T00:00:00.000000Z", text, Section("cover", Said(text), blocks), [], "F")
    page = Page(html.render(document))
    assert {tag for tag, _ in page.tags} <= TAGS
    assert visible(text) in page.text.replace("\r", "")
    assert pdf.render(document).startswith(b"%PDF-")


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"<svg onload='x'/>", b"GIF89a" + bytes(100)])
def test_a_preview_that_is_no_picture_is_left_out(data: bytes) -> None:
    assert pictures.small(data, 400, "alt", "caption") is None


def test_a_picture_of_too_many_pixels_is_not_decoded() -> None:
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    assert pictures.small(out.getvalue(), 400, "alt", "caption") is None


# -- what it says -------------------------------------------------------------------------------------------------


def test_a_page_can_be_read_by_those_who_do_not_see_it(archive: SampleArchive) -> None:
    page = bundle_page(hostile_plan(archive))
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert all(image.get("alt") for image in page.all("img"))
    assert all(head.get("scope") in {"col", "row"} for head in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    identifiers = [held["id"] for _, held in page.tags if "id" in held]
    assert len(identifiers) == len(set(identifiers))
    assert {str(link["href"])[1:] for link in page.all("a")} <= set(identifiers)


def test_the_digest_on_the_cover_is_that_of_the_list_in_the_bundle(archive: SampleArchive) -> None:
    files = unzip(write_plan(with_report(archive.plan()), archive.seal))
    page = Page(files["report.html"])
    for path in ("manifest-sha256.txt", "custody/events.jsonl", "custody/checkpoint"):
        assert hashlib.sha256(files[path]).hexdigest() in page.text, path
    assert json.loads(files["manifest.json"])["checkpoint"]["root"] in page.text
    assert files["report.pdf"].startswith(b"%PDF-")


def test_the_same_plan_gives_the_same_bytes_whatever_the_order_of_its_parts(archive: SampleArchive) -> None:
    plan = hostile_plan(archive)
    turned = replace(plan, items=plan.items[::-1], extra_files=plan.extra_files[::-1])
    assert report_files(plan) == report_files(plan) == report_files(turned)


def test_a_report_names_the_time_of_its_bundle_and_no_other(archive: SampleArchive) -> None:
    data = pdf.render(report_document(archive.plan()))
    stamp = re.search(rb"/CreationDate \(D:(\d{14})", data)
    assert stamp is not None
    assert stamp[1].decode() == re.sub(r"\D", "", archive.plan().created_at[:19])


def test_what_is_not_in_the_bundle_is_not_in_its_report(archive: SampleArchive) -> None:
    plan = archive.plan()
    other = plan.items[1].item
    events = [event for event in plan.events if other.encode() not in event]
    page = bundle_page(replace(plan, items=plan.items[:1], events=events, extra_files=[]))
    assert other not in page.text
    assert "There is no metadata record in this bundle" in page.text


def test_a_script_without_letters_in_the_pdf_is_named_and_not_set_wrongly() -> None:
    assert settable("Їжак, ґанок, м'ята № 12") == "Їжак, ґанок, м'ята № 12"
    assert settable("see صورة من الموقع now") == "see [14 character(s), Arabic: see report.html] now"
    assert settable("תמונה") == "[5 character(s), Hebrew: see report.html]"


def test_more_items_than_a_pdf_has_sheets_for_are_told_of(
    archive: SampleArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = len(pdf.render(report_document(archive.plan())))
    monkeypatch.setattr(pdf, "MAX_SHEETS", 1)
    document = report_document(archive.plan())
    assert len(pdf.render(document)) < whole
    assert len([section for section in document.sections if section.anchor.startswith("item-")]) == 2


def test_pictures_of_one_report_stay_within_bounds(archive: SampleArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    Image.effect_noise((900, 900), 90).convert("RGB").save(out, "JPEG")
    plan = archive.plan()
    extra = [
        ExtraFile(f"data/previews/{one.item}.jpg", out.getvalue(), "preview", f"item:{one.item}") for one in plan.items
    ]
    monkeypatch.setattr(pictures, "TOTAL_BYTES", 1)
    page = bundle_page(replace(plan, extra_files=extra))
    assert len(page.all("img")) == 1
    assert page.text.count("No preview is in this bundle.") == 1
    assert pictures.edge_for(900) < pictures.edge_for(1)


def test_a_time_that_is_none_stays_as_it_is() -> None:
    assert moment("2026-11-22T10:31:00.123456Z") == "2026-11-22 10:31:00 UTC"
    assert moment("yesterday") == "yesterday"


def test_what_is_withheld_is_named_and_its_silence_is_not_taken_for_nothing(archive: SampleArchive) -> None:
    plan = archive.plan()
    item = plan.items[0].item
    stub: dict[str, JsonInput] = {
        "withheld": "event",
        "object": f"item:{item}",
        "object_seq": 0,
        "type": "ingestion",
        "time": "2026-01-01",
    }
    events = [canonical_bytes(stub), *(event for event in plan.events if f"item:{item}".encode() not in event)]
    kept_back = {
        "recipient": {"name": "Суд", "kind": "court"},
        "items": [
            {
                "place": 0,
                "item": item,
                "state": "partly withheld",
                "commitments": [
                    {"name": f"x/{name}", "sha256": "ab"} for name in ("source", "link/1", "link/2", "link/3", "link/4")
                ],
                "shown": [
                    ["00", "x/link/1", {"direction": "contradicts"}],
                    ["00", "x/link/2", {"direction": "contradicts"}],
                    ["00", "x/link/3", {"direction": "neutral"}],
                ],
            }
        ],
        "exculpatory": {"left_out": {"links": 2}, "acknowledged": "повторно"},
    }
    said = SimpleNamespace(as_json=lambda: kept_back)
    shown = SimpleNamespace(**{name: getattr(plan, name) for name in plan.__dataclass_fields__})
    shown.disclosure = said
    shown.events = events
    page = Page(html.render(report_document(cast("BundlePlan", shown))))
    assert "#withheld" in {link["href"] for link in page.all("a")}
    assert len(report_files(cast("BundlePlan", shown))) == 2
    assert "No link to a provision was put on this side" not in page.text
    for text in (
        "0 / 0 (4 withheld)",
        "2 link(s) on this side are withheld",
        "1 link(s) on this side are withheld",
        "1 link(s) of this item are withheld; some may stand on this side",
        "Суд (court)",
        "partly withheld",
        "source is withheld",
        "only its place in the chain",
        "links: 2",
        "повторно",
    ):
        assert text in page.text, text


def test_both_sides_and_the_gaps_of_a_matrix_are_told() -> None:
    author = {"name": "Оксана"}
    link = {"source": {"kind": "item", "ref": "i1"}, "author": author, "reviews": []}
    element = {
        "text": "The element",
        "state": {"standing": "not_stated"},
        "supports": [link | {"reasoning": "reasons for"}],
        "contradicts": [link | {"reasoning": "reasons against", "source": {"ref": "elsewhere"}}],
    }
    gap = {"code": "nothing_reviewed", "element": "e1", "text": "no link was approved"}
    record: Mapping[str, Any] = {
        "type": "element matrix",
        "incident": {"ref": "INC-1", "title": "Назва"},
        "ladder": {"never": "beyond reasonable doubt"},
        "provisions": [{"instrument": "AP I", "article": "62", "groups": [{"elements": [element]}], "gaps": [gap]}],
    }
    section = matrix(dict(record), 1, {"i1": 3})
    page = Page(html.render(Document("T", "2026-01-01T00:00:00Z", "O", Section("cover", "C"), [section], "F")))
    for text in ("reasons for", "reasons against", "no link was approved", "beyond reasonable doubt", "Назва"):
        assert text in page.text, text
    assert "#item-3" in {link["href"] for link in page.all("a")}


# -- a whole archive ----------------------------------------------------------------------------------------------


def test_an_exported_case_holds_a_report_that_its_seal_covers(tmp_path: Path) -> None:
    services = make_archive(tmp_path)
    admin = services.access.local_operator()
    case = services.evidence.create_case(admin, "T1")
    lawyer = person(services, "lawyer", "legal", case)
    out = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(out, "JPEG")
    source = SourceContext(caption="صورة من الموقع", caption_language="ar", consent="refused")
    item = services.intake.deposit_bytes(admin, case, [out.getvalue()], "Удар.jpg", source).item.id
    make_worker(services).drain()
    link = services.law.create_link(lawyer, item, "ap1-art62", "supports", "знак видно", "ap1-art62-e1")
    services.law.create_link(admin, item, "ap1-art8", "contradicts", "crates")
    services.reviews.review_link(admin, link.id, "reject", "нечітко")
    wishes = Wishes(Recipient("Суд", "court"), release={item: "ordered"})
    row = services.exports.create(lawyer, case_ref="T1", purpose="Запит 12", wishes=wishes)
    path = services.exports.open_bundle(lawyer, row.id)[1]
    report = verify_bundle(path)
    assert report.ok, report.as_json()
    files = unzip(path.read_bytes())
    page = Page(files["report.html"])
    assert hashlib.sha256(files["manifest-sha256.txt"]).hexdigest() in page.text
    for text in ("Удар.jpg", "صورة من الموقع", "знак видно", "crates", "нечітко", "Запит 12", "rejected by", "refused"):
        assert text in page.text, text
    assert "No review of this link is in this bundle" in page.text
    assert len(page.all("img")) == 1
    entry = next(each for each in json.loads(files["manifest.json"])["files"] if each["path"] == "report.html")
    assert (entry["role"], entry["object"]) == ("report", None)
    assert_clean(services)
    close_archive(services)
