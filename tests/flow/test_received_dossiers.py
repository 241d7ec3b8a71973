"""What a partner said for and against: readable here, named and counted when an item of theirs goes on."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.access.service import Principal
from app.api.services import Services
from app.disclosure.exculpatory import ASSESSMENT, DISSENT, PANEL, STATE
from app.disclosure.rules import Recipient, Wishes
from app.errors import ConflictError
from app.receiving.against import speaking_against
from app.receiving.partner import opened as opened_bundle
from app.receiving.service import DONE, Received, Receiving
from app.wiring import make_worker
from evidence_store.verify.checks import verify_bundle
from tests.apis import CASE, OTHER_CASE, Api, opened, refused
from tests.archives import close_archive, deposit, events_of, make_archive
from tests.assessing import LOSS, Desk
from tests.bundles import sample_archive
from tests.checks import assert_clean
from tests.commands import Cli
from tests.flow.test_link_review_export import photo
from tests.incident_samples import REF
from tests.rich_cases import files_of

REASON = "The partner was asked for the rest."


@dataclass(frozen=True)
class Theirs:
    """A partner's bundle of an incident, and what of it speaks against, by kind."""

    data: bytes
    item: str
    against: dict[str, set[str]]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Theirs:
    """An item that supports one element, contradicts it, and shows a loss of protection; a denial; rejected links."""
    with opened(tmp_path_factory.mktemp("partner"), "sqlite") as api:
        desk = Desk.of(api)
        desk.link()
        against = desk.link(direction="contradicts")["entry"]
        assert desk.review("liz", against, "approve", "read").status_code == 201
        lost = desk.link(element=LOSS)["entry"]
        gone = desk.link(direction="contradicts")["entry"]
        api.post("ana", f"/assessment-entries/{gone}/withdrawal", json={"reason": "seen twice"})
        body = {"provision": "ap1-art62", "direction": "contradicts", "rationale": "no sign on it"}
        link = desk.made("ana", f"/items/{desk.item}/links", body)["id"]
        made = api.post("leo", "/exports", json={"incident": REF})
        assert made.status_code == 201, made.text
        data = api.get("leo", f"/exports/{made.json()['id']}/bundle").content
    files = files_of(data)
    entries = [json.loads(files[name]) for name in files if name.startswith("data/incidents/") and "claims" not in name]
    denials = {one["entry"] for one in entries if one["kind"] == "statement" and one["body"].get("kind") == "denial"}
    assert len(denials) == 1
    return Theirs(
        data,
        desk.item,
        {"contradicting element link": {against, lost}, "contradicting link": {link}, "denial": denials},
    )


@dataclass
class Here:
    """Another archive that took the bundle in."""

    services: Services
    who: Principal
    received: Received

    @property
    def item(self) -> str:
        return self.received.items[0].item_id


def receive(services: Services, who: Principal, data: bytes, case: str = CASE) -> Received:
    found = services.evidence.case_or_none(case) or services.evidence.create_case(who, case)
    with services.receiving.spool() as spool:
        spool.fill([data])
        return services.receiving.receive(who, found, spool, spool.check())


@pytest.fixture
def here(tmp_path: Path, theirs: Theirs) -> Iterator[Here]:
    services = make_archive(tmp_path / "here", fresh=True)
    who = services.access.local_operator()
    yield Here(services, who, receive(services, who, theirs.data))
    assert_clean(services)
    close_archive(services)


# -- who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["dossier", "file"])
def test_nobody_reads_a_partners_dossier_or_zip_without_the_right(api: Api, theirs: Theirs, part: str) -> None:
    answer = api.post("ana", f"/bundles?case={CASE}", content=theirs.data)
    assert answer.status_code == 201, answer.text
    path = f"/bundles/{answer.json()['id']}/{part}"
    refused(api.get(None, path), 401, "token_required")
    refused(api.get("aud", path), 403, "not_allowed")
    refused(api.get("outsider", path), 404, "unknown_bundle")
    refused(api.get("outlaw", path), 404, "unknown_bundle")
    refused(api.get("leo", f"/bundles/{theirs.item}/{part}"), 404, "unknown_bundle")
    if part == "file":
        refused(api.get("ana", path), 403, "not_allowed")
    about = f"received:{answer.json()['id']}"
    assert [one.type for one in events_of(api.services, about)].count("access") == 0
    assert_clean(api.services)


def test_the_dossier_holds_incident_matrix_both_sides_and_denial_as_the_partner_wrote_them(
    api: Api, theirs: Theirs
) -> None:
    made = api.post("ana", f"/bundles?case={CASE}", content=theirs.data).json()["id"]
    told = api.get("ana", f"/bundles/{made}/dossier").json()
    assert (told["status"], told["not_shown"]) == ("said by the partner, not reviewed here", 0)
    files = files_of(theirs.data)
    for each in told["records"]:
        assert json.loads(files[each["path"]]) == each["record"]
        assert hashlib.sha256(files[each["path"]]).hexdigest() == each["sha256"]
    roles = {each["role"] for each in told["records"]}
    assert {"entry", "matrix", "element link", "assessment review", "dossier"} <= roles
    entries = {each["record"]["entry"] for each in told["records"] if each["role"] in {"entry", "element link"}}
    assert theirs.against["contradicting element link"] | theirs.against["denial"] <= entries
    events = [one.details for one in events_of(api.services, f"received:{made}") if one.type == "access"]
    assert [one["part"] for one in events] == ["dossier"]
    assert api.get("ana", "/incidents?case=T1").json()["incidents"] == []  # none of it is ours


def test_the_zip_is_handed_out_as_it_came_whole_or_in_parts_and_each_read_is_recorded(api: Api, theirs: Theirs) -> None:
    made = api.post("ana", f"/bundles?case={CASE}", content=theirs.data).json()["id"]
    path = f"/bundles/{made}/file"
    assert api.call("leo", "HEAD", path).headers["content-length"] == str(len(theirs.data))
    assert api.get("leo", path).content == theirs.data
    piece = api.get("leo", path, headers={"Range": "bytes=100-299"})
    assert (piece.status_code, piece.content) == (206, theirs.data[100:300])
    assert api.get("leo", path, headers={"Range": f"bytes={len(theirs.data)}-"}).status_code == 416
    events = [one for one in events_of(api.services, f"received:{made}") if one.type == "access"]
    digest = hashlib.sha256(theirs.data).hexdigest()
    assert [one.details for one in events] == [{"part": "bundle", "sha256": digest}] * 2
    assert {one.actor.name for one in events} == {"leo"}
    assert_clean(api.services)


def test_a_record_that_is_too_large_is_counted_and_not_shown(tmp_path: Path) -> None:
    partner = sample_archive("large-dossier")
    partner.derive(partner.items[0].item, "entry", "data/incidents/x.1.json", b'"' + b"x" * (5 << 20) + b'"')
    partner.derive(partner.items[0].item, "entry", "data/incidents/y.1.json", b"no JSON")
    services = make_archive(tmp_path / "large")
    who = services.access.local_operator()
    told = services.receiving.dossier(who, receive(services, who, partner.bundle()).bundle.id)
    assert (told["not_shown"], [one["record"] for one in told["records"]]) == (1, [None])
    close_archive(services)


@pytest.mark.parametrize("record", [b"[" * 500 + b"]" * 500, b'["\\ud800"]', b"[NaN]", b"[" * 100_000, b"1" * 9_000])
def test_a_record_that_would_break_whoever_shows_it_is_shown_as_unreadable(api: Api, record: bytes) -> None:
    partner = sample_archive(f"odd-{len(record)}")
    partner.derive(partner.items[0].item, "matrix", "data/matrices/x.json", record)
    made = api.post("ana", f"/bundles?case={CASE}", content=partner.bundle()).json()["id"]
    answer = api.get("leo", f"/bundles/{made}/dossier")
    assert answer.status_code == 200, answer.text
    assert [one["record"] for one in answer.json()["records"]] == [None]
    preview = api.post("leo", "/exports/preview", json={"case": CASE})
    assert preview.status_code == 200, preview.text


# -- what speaks against ---------------------------------------------------------------------------------------------


def test_what_speaks_against_in_a_bundle_is_found_by_kind_and_what_was_withdrawn_is_not(theirs: Theirs) -> None:
    with opened_bundle(io.BytesIO(theirs.data)) as partner:
        found = list(speaking_against(partner))
    assert len(found) == len(set(found))
    for kind, wanted in theirs.against.items():
        assert {identity for each, identity in found if each == kind} == wanted, kind


@pytest.mark.parametrize(
    ("role", "path", "record", "kind"),
    [
        ("link", "data/links/x.json", b"{", "contradicting link"),
        ("review", "data/reviews/x.json", b'{"review":"r","decision":"reject"}', "rejecting review"),
        ("element link", "data/assessments/x.json", b"[]", "contradicting element link"),
        ("verification review", "data/verifications/reviews/x.json", b'{"review":"r","decision":"dissent"}', DISSENT),
        ("element state", "data/assessments/x.json", b'{"entry":"r","state":"contested"}', STATE),
        ("panel answer", "data/assessments/x.json", b'{"entry":"r","answer":"answered"}', PANEL),
        ("assessment", "data/assessments/x.json", b'{"entry":"r","outcome":"not_reached"}', ASSESSMENT),
        ("entry", "data/incidents/x.1.json", b"null", "statement of unknown kind"),
        ("entry", "data/incidents/x.1.json", b'{"kind":"statement","body":7}', "statement of unknown kind"),
    ],
)
def test_what_cannot_be_read_may_speak_against(role: str, path: str, record: bytes, kind: str) -> None:
    partner = sample_archive(f"odd-{role}-{len(record)}".replace(" ", "-"))
    partner.derive(partner.items[0].item, role, path, record)
    with opened_bundle(io.BytesIO(partner.bundle())) as bundle:
        found = [one for one in speaking_against(bundle) if one[1] in {path, "r"}]
    assert [one for one, _ in found] == [kind]


@pytest.mark.parametrize(
    ("role", "path", "record"),
    [
        ("element state", "data/assessments/x.json", b'{"entry":"r","state":"supported"}'),
        ("element state", "data/assessments/x.json", b'{"entry":"r","state":"contested","withdrawn":true}'),
        ("panel answer", "data/assessments/x.json", b'{"entry":"r","answer":"searched_none_found"}'),
        ("review", "data/reviews/x.json", b'{"review":"r","decision":"approve"}'),
        ("entry", "data/incidents/x.1.json", b'{"kind":"statement","entry":"r","body":{"kind":"witness"}}'),
    ],
)
def test_what_does_not_speak_against_is_not_counted(role: str, path: str, record: bytes) -> None:
    partner = sample_archive(f"plain-{role}-{len(record)}".replace(" ", "-"))
    partner.derive(partner.items[0].item, role, path, record)
    with opened_bundle(io.BytesIO(partner.bundle())) as bundle:
        assert [one for one in speaking_against(bundle) if one[1] in {path, "r"}] == []


def test_an_item_of_theirs_does_not_go_on_while_nobody_said_why_what_speaks_against_stays(
    here: Here, theirs: Theirs
) -> None:
    for asked in ({"case_ref": CASE}, {"item_ids": [here.item]}):
        with pytest.raises(ConflictError) as refusal:
            here.services.exports.create(here.who, **asked)
        assert refusal.value.code == "exculpatory_left_out"
        for kind, wanted in theirs.against.items():
            for identity in wanted:
                assert f"{kind} of a partner {identity} (received:{here.received.bundle.id})" in refusal.value.detail


def test_a_bundle_with_an_item_of_theirs_names_them_and_counts_what_stays(
    here: Here, theirs: Theirs, tmp_path: Path
) -> None:
    wishes = Wishes(acknowledge=REASON)
    row = here.services.exports.create(here.who, case_ref=CASE, wishes=wishes, out=tmp_path / "out.zip")
    files = files_of((tmp_path / "out.zip").read_bytes())
    told = json.loads(files["received.json"])["items"]
    digest = hashlib.sha256(theirs.data).hexdigest()
    with opened_bundle(io.BytesIO(theirs.data)) as partner:
        archive, bundle_id = partner.manifest.archive, partner.manifest.bundle_id
    ((item, (came,)),) = told.items()
    assert item == here.item
    assert (came["archive"]["id"], came["archive"]["org"]) == (archive.id, archive.org)
    assert (came["bundle_id"], came["bundle_sha256"], came["partner_item"]) == (bundle_id, digest, theirs.item)
    assert came["received_at"] == here.received.bundle.received_at
    for kind, wanted in theirs.against.items():
        assert came["against_there"][kind] == len(wanted)
    events = [json.loads(line) for line in files["custody/events.jsonl"].splitlines()]
    (accession,) = [one for one in events if one["type"] == "accession" and one["object"] == f"item:{item}"]
    assert accession["details"]["partner"]["archive"] == {"id": archive.id, "org": archive.org}
    assert accession["details"]["partner"]["bundle_sha256"] == digest
    report = files["report.html"].decode()
    for word in (archive.id, archive.org, digest, bundle_id, "None of it is in this bundle"):
        assert word in report, word
    against = json.loads(files["manifest.json"])["disclosure"]["exculpatory"]
    assert (against["left_out"]["contradicting element link of a partner"], against["acknowledged"]) == (2, REASON)
    begun = next(one.details for one in events_of(here.services, f"export:{row.id}"))
    assert begun["exculpatory_left_out"] == against["left_out"]
    verdict = verify_bundle(tmp_path / "out.zip")
    assert verdict.ok, verdict.as_text()


def test_a_bundle_that_keeps_something_back_still_names_the_partner_and_counts_what_stays(
    here: Here, theirs: Theirs, tmp_path: Path
) -> None:
    case = here.services.evidence.find_case(here.who, CASE)
    mine = deposit(here.services, here.who, case, photo()).item
    make_worker(here.services).drain()
    wishes = Wishes(Recipient("Court", "court"), withhold={mine.id: frozenset({"links"})}, acknowledge=REASON)
    here.services.exports.create(here.who, case_ref=CASE, wishes=wishes, out=tmp_path / "out.zip")
    files = files_of((tmp_path / "out.zip").read_bytes())
    disclosure = json.loads(files["manifest.json"])["disclosure"]
    assert disclosure["exculpatory"]["left_out"]["denial of a partner"] == 1
    assert "received" in disclosure["left_out_roles"]
    assert hashlib.sha256(theirs.data).hexdigest().encode() in files["custody/events.jsonl"]
    assert verify_bundle(tmp_path / "out.zip").ok


def test_a_bundle_of_our_own_items_says_nothing_of_partners(tmp_path: Path) -> None:
    services = make_archive(tmp_path / "own")
    who = services.access.local_operator()
    case = services.evidence.create_case(who, CASE)
    deposit(services, who, case, b"own")
    services.exports.create(who, case_ref=CASE, out=tmp_path / "own.zip")
    files = files_of((tmp_path / "own.zip").read_bytes())
    assert "received.json" not in files
    assert b"another archive, which is kept" not in files["report.html"]
    close_archive(services)


def test_our_own_bundle_counts_as_a_partners_in_another_case_alone(api: Api) -> None:
    desk = Desk.of(api)
    desk.link(direction="contradicts")
    made = api.post("leo", "/exports", json={"incident": REF}).json()["id"]
    data = api.get("leo", f"/exports/{made}/bundle").content
    assert api.post("ana", f"/bundles?case={CASE}", content=data).json()["items"][0]["matched"]
    again = api.post("leo", "/exports", json={"case": CASE})
    assert again.status_code == 201, again.text  # its own records go along
    assert api.post("outsider", f"/bundles?case={OTHER_CASE}", content=data).status_code == 201
    body = refused(api.post("adm", "/exports", json={"case": OTHER_CASE}), 409, "exculpatory_left_out")
    assert "contradicting element link of a partner" in body["detail"]
    shown = api.post("adm", "/exports/preview", json={"case": OTHER_CASE}).json()["left_out"]
    assert "denial of a partner" in {one["kind"] for one in shown}


# -- the same bundle in another order --------------------------------------------------------------------------------


def reordered(data: bytes) -> bytes:
    """The same ZIP with its last two entries exchanged, in place and in the directory; not one byte of them is new."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        offsets = [info.header_offset for info in source.infolist()]
        start = source.start_dir
    assert offsets == sorted(offsets)
    records, at = [], start
    for _ in offsets:
        name, extra, comment = struct.unpack_from("<3H", data, at + 28)
        records.append(bytearray(data[at : at + 46 + name + extra + comment]))
        at += len(records[-1])
    first, second = offsets[-2:]
    struct.pack_into("<I", records[-1], 42, first)
    struct.pack_into("<I", records[-2], 42, first + start - second)
    entries = data[:first] + data[second:start] + data[first:second]
    return entries + b"".join([*records[:-2], records[-1], records[-2]]) + data[at:]


def test_the_same_bundle_with_two_entries_exchanged_is_here_already(here: Here, theirs: Theirs) -> None:
    other = reordered(theirs.data)
    assert files_of(other) == files_of(theirs.data)
    assert other != theirs.data
    before = [one.event_id for one in events_of(here.services, f"item:{here.item}")]
    again = receive(here.services, here.who, other)
    assert (again.repeated, again.bundle.id) == (True, here.received.bundle.id)
    assert [one.event_id for one in events_of(here.services, f"item:{here.item}")] == before
    assert [one.id for one in here.services.receiving.list(here.who)] == [here.received.bundle.id]
    assert not here.services.archive.blobs.contains(hashlib.sha256(other).hexdigest())
    elsewhere = receive(here.services, here.who, other, "T2")
    assert not elsewhere.repeated  # another case has its own


def test_an_import_that_was_interrupted_goes_on_with_entries_in_another_order(
    tmp_path: Path, theirs: Theirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = make_archive(tmp_path / "interrupted")
    who = services.access.local_operator()

    def dies(*_: object) -> object:
        raise ConflictError("killed", "the power went")

    with monkeypatch.context() as patched:
        patched.setattr(Receiving, "_take", dies)
        with pytest.raises(ConflictError):
            receive(services, who, theirs.data)
    received = receive(services, who, reordered(theirs.data))
    assert (received.repeated, received.bundle.state) == (False, DONE)
    assert received.bundle.sha256 == hashlib.sha256(theirs.data).hexdigest()
    assert_clean(services)
    close_archive(services)


def test_a_bundle_of_another_id_or_list_is_another_one(here: Here) -> None:
    for seed in ("one", "two"):
        assert not receive(here.services, here.who, sample_archive(f"another-{seed}").bundle()).repeated
    assert len(here.services.receiving.list(here.who)) == 3


# -- commands --------------------------------------------------------------------------------------------------------


def test_commands_show_the_dossier_and_save_the_zip_for_those_who_may_export(
    bare_cli: Cli, tmp_path: Path, theirs: Theirs
) -> None:
    came, out = tmp_path / "came.zip", tmp_path / "out.zip"
    came.write_bytes(theirs.data)
    made = bare_cli.json("import", came, "--case", CASE)["id"]
    bare_cli("users", "add", "ivo", "--role", "investigator")
    bare_cli("cases", "add-member", CASE, "ivo")
    bare_cli("bundles", "save", made, "-o", out, "--as", "ivo", code=2).refused("not_allowed")
    assert not out.exists()
    told = bare_cli.json("bundles", "show", made, "--dossier", "--as", "ivo")
    assert any(one["role"] == "matrix" for one in told["records"])
    assert "Ministry A" in bare_cli("bundles", "show", made, "--dossier").out
    assert bare_cli.json("bundles", "save", made, "-o", out)["size"] == len(theirs.data)
    assert out.read_bytes() == theirs.data
    bare_cli("bundles", "save", made, "-o", out, code=2).refused("file_exists")
    bare_cli("bundles", "save", "nothing", "-o", tmp_path / "none.zip", code=2).refused("unknown_bundle")
    came.write_bytes(reordered(theirs.data))
    assert "already here" in bare_cli("import", came, "--case", CASE).out
    assert bare_cli.json("audit")["ok"]
