"""Bundles of another archive: refused whole, or taken in whole, with what is theirs shown as theirs."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from sqlmodel import Session, func, select

from app.access.service import Principal
from app.api.gate import MAX_JSON_BYTES
from app.api.services import Services
from app.custody.models import EventRow
from app.disclosure.rules import Recipient, Wishes
from app.errors import ConflictError, InvalidInputError
from app.evidence.models import Blob, Case, Item
from app.receiving.models import ReceivedBundle, ReceivedItem
from app.receiving.service import DONE, RECEIVING, Received, Receiving, told_of
from app.wiring import make_worker
from evidence_store.verify.trust import Trust
from schemas.records.v1.source import SourceContext
from tests.apis import CASE, OTHER_CASE, Api
from tests.archives import close_archive, deposit, events_of, make_archive
from tests.bundles import SampleArchive, sample_archive
from tests.checks import assert_clean, audit, errors_of
from tests.commands import Cli
from tests.databases import BACKENDS, fresh_database
from tests.flow.test_link_review_export import photo


@dataclass
class Here:
    services: Services
    who: Principal
    case: Case

    def receive(self, data: bytes, trust: Trust | None = None, case: Case | None = None) -> Received:
        receiving = self.services.receiving
        with receiving.spool() as spool:
            spool.fill([data])
            verdict = spool.check(trust)
            return receiving.receive(self.who, case or self.case, spool, verdict)

    def counts(self) -> list[int]:
        """Rows of every table that a bundle could add to, and files of the store and the spool."""
        with self.services.archive.db.read() as session:
            rows = [_count(session, table) for table in (Item, Blob, ReceivedBundle, ReceivedItem, EventRow)]
        spool = self.services.archive.settings.data / "receiving"
        left = len(list(spool.iterdir())) if spool.is_dir() else 0
        return [*rows, len(list(self.services.archive.blobs.list())), left]


def _count(session: Session, table: type) -> int:
    return session.exec(select(func.count()).select_from(table)).one()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    services = make_archive(tmp_path)
    who = services.access.local_operator()
    yield Here(services, who, services.evidence.create_case(who, "T1"))
    close_archive(services)


@pytest.fixture(scope="module")
def partner() -> SampleArchive:
    return sample_archive("partner")


# -- over HTTP: who may ------------------------------------------------------------------------------------------


def test_a_bundle_comes_in_over_http_from_those_who_may_and_from_nobody_else(api: Api, partner: SampleArchive) -> None:
    data = partner.bundle()
    assert api.post(None, f"/bundles?case={CASE}", content=data).status_code == 401
    assert api.post("aud", f"/bundles?case={CASE}", content=data).status_code == 403
    assert api.post("leo", f"/bundles?case={CASE}", content=data).status_code == 403
    assert api.post("outsider", f"/bundles?case={CASE}", content=data).status_code == 404
    for path in ("/bundles", "/bundles/5f1d7c1e-6c0f-4a53-9b0e-0f5cf1f6a001"):
        assert api.get(None, path).status_code == 401
    assert api.get("aud", "/bundles").status_code == 403

    answer = api.post("ana", f"/bundles?case={CASE}", content=data)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["state"], len(body["items"]), body["repeated"]) == ("done", 2, False)
    assert [each["code"] for each in body["not_proven"]] == ["trust_not_anchored", "trust_not_anchored"][
        : len(body["not_proven"])
    ]
    assert api.post("ana", f"/bundles?case={CASE}", content=data).json()["repeated"] is True

    shown = api.get("leo", answer.headers["Location"].removeprefix("/api/v1"))
    assert shown.json()["items"] == body["items"]
    assert api.get("outsider", f"/bundles/{body['id']}").status_code == 404
    assert api.get("aud", f"/bundles/{body['id']}").status_code == 403
    assert [one["id"] for one in api.get("leo", "/bundles").json()["bundles"]] == [body["id"]]
    assert api.get("outsider", "/bundles").json()["bundles"] == []

    theirs = body["items"][0]["partner_item"]
    word = f"/bundles/{body['id']}/items/{theirs}"
    assert api.get(None, word).status_code == 401
    assert api.get("aud", word).status_code == 403
    assert api.get("outsider", word).status_code == 404
    told = api.get("leo", word).json()
    assert told["status"] == "said by the partner, not reviewed here"
    assert [json.loads(line)["event_id"] for line in partner.events[f"item:{theirs}"]] == [
        event["event_id"] for event in told["events"]
    ]
    assert api.get("leo", f"/bundles/{body['id']}/items/{body['id']}").status_code == 404
    assert api.post("ana", f"/bundles?case={OTHER_CASE}", content=data).status_code == 404
    assert_clean(api.services)


def test_a_bundle_larger_than_any_json_body_comes_in_over_http(api: Api) -> None:
    large = sample_archive("large")
    large.deposit("VIDEO.MP4", bytes(MAX_JSON_BYTES + 1))
    assert api.post("ana", f"/bundles?case={CASE}", content=large.bundle()).status_code == 201
    assert_clean(api.services)


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04 and no more", b"{}" * 100])
def test_what_is_no_bundle_is_refused_over_http(api: Api, body: bytes) -> None:
    answer = api.post("ana", f"/bundles?case={CASE}", content=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] in {"empty_file", "bundle_refused"}
    assert str(api.services.archive.settings.data) not in answer.text
    assert api.get("ana", "/bundles").json()["bundles"] == []


# -- attacks: nothing is written ---------------------------------------------------------------------------------


def _rezipped(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        files = {name: source.read(name) for name in source.namelist()}
    change(files)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return out.getvalue()


def _bomb(files: dict[str, bytes]) -> None:
    files["data/originals/bomb.bin"] = bytes(200 << 20)


def _traversal(files: dict[str, bytes]) -> None:
    files["../../etc/cron.d/x"] = b"* * * * * root id"


def _nothing(_files: dict[str, bytes]) -> None:
    """Only zipped again."""


@pytest.mark.parametrize("attack", [_bomb, _traversal, _nothing])
def test_bombs_traversal_and_bundles_zipped_again_are_refused_and_leave_nothing(
    here: Here, partner: SampleArchive, tmp_path: Path, attack: Callable[[dict[str, bytes]], None]
) -> None:
    before = here.counts()
    with pytest.raises(InvalidInputError) as refused:
        here.receive(_rezipped(partner.bundle(), attack))
    assert refused.value.code == "bundle_refused"
    assert here.counts() == before
    assert not list(tmp_path.rglob("cron.d"))
    assert_clean(here.services)


def test_one_wrong_bit_anywhere_refuses_the_whole_bundle(here: Here, partner: SampleArchive) -> None:
    data = partner.bundle()
    before = here.counts()
    for at in range(40, len(data), len(data) // 12):
        bad = bytearray(data)
        bad[at] ^= 1
        with pytest.raises(InvalidInputError) as refused:
            here.receive(bytes(bad))
        assert refused.value.code == "bundle_refused", at
    assert here.counts() == before


def test_a_bundle_under_other_keys_than_those_that_are_known_is_refused(here: Here, partner: SampleArchive) -> None:
    before = here.counts()
    with pytest.raises(InvalidInputError) as refused:
        here.receive(partner.bundle(), sample_archive("another-partner").trust)
    assert refused.value.code == "bundle_refused"
    assert here.counts() == before


def test_a_bundle_that_is_too_large_is_refused_while_it_comes(here: Here, partner: SampleArchive) -> None:
    before = here.counts()
    limit = here.services.archive.settings.max_upload_bytes
    with here.services.receiving.spool() as spool, pytest.raises(Exception, match="at most"):
        spool.fill(bytes(1 << 20) for _ in range((limit >> 20) + 1))
    assert here.counts() == before


# -- what comes in -----------------------------------------------------------------------------------------------


def test_receiving_twice_adds_nothing(here: Here, partner: SampleArchive) -> None:
    data = partner.bundle()
    first = here.receive(data)
    make_worker(here.services).drain()
    before = here.counts()
    second = here.receive(data)
    assert second.repeated
    assert (second.bundle.id, [one.id for one in second.items]) == (first.bundle.id, [one.id for one in first.items])
    assert here.counts() == before
    assert_clean(here.services)


def test_what_the_case_holds_already_is_matched_and_makes_no_second_item(here: Here, partner: SampleArchive) -> None:
    first = partner.items[0]
    mine = deposit(here.services, here.who, here.case, b"".join(first.chunks()), "mine.jpg").item
    received = here.receive(partner.bundle())
    matched = {one.partner_item: one for one in received.items}
    assert (matched[first.item].item_id, matched[first.item].matched) == (mine.id, 1)
    assert sum(one.matched for one in received.items) == 1
    (event,) = [one for one in events_of(here.services, f"item:{mine.id}") if one.type == "accession"]
    assert event.details["outcome"] == "matched"
    assert_clean(here.services)


def test_restrictions_of_a_partner_bind_the_item_that_was_here_before(here: Here) -> None:
    theirs = sample_archive("restricted-source")
    first = theirs.items[0]
    stated = {"number": 2, "source": {"handling": ["protect_source"], "consent": "withdrawn"}}
    theirs.derive(first.item, "source version", f"data/sources/{first.item}.2.json", json.dumps(stated).encode())
    source = SourceContext(handling=("minors",), consent="given", caption="Mine")
    mine = here.services.intake.deposit_bytes(here.who, here.case, first.chunks(), "mine.jpg", source).item
    for _ in range(2):  # what is there already is not added again
        here.receive(theirs.bundle())
        now = here.services.sources.history(here.who, mine.id)
        assert [one.number for one in now] == [1, 2]
        assert sorted(cast("list[str]", now[-1].record["handling"])) == [
            "consult_collector",
            "minors",
            "protect_source",
        ]
        assert (now[-1].record["consent"], now[-1].record["caption"]) == ("given", "Mine")
        assert "partner" in str(now[-1].reason)
    assert_clean(here.services)


@pytest.mark.parametrize("record", [b"{", b"[]", b'{"number":"x","source":{}}', b'{"number":2}', b"[" * 100_000])
def test_a_source_record_that_nobody_can_read_refuses_the_bundle_and_leaves_nothing(here: Here, record: bytes) -> None:
    theirs = sample_archive("odd-source")
    item = theirs.items[0].item
    theirs.derive(item, "source version", f"data/sources/{item}.2.json", record)
    before = here.counts()
    with pytest.raises(InvalidInputError) as refused:
        here.receive(theirs.bundle())
    assert refused.value.code == "bundle_unreadable"
    assert here.counts() == before


def test_restrictions_in_words_of_another_version_keep_an_item_from_going_on(here: Here) -> None:
    theirs = sample_archive("later-source")
    item = theirs.items[0].item
    record = json.dumps({"number": 2, "source": {"handling": ["protect_source", "a word of later"]}}).encode()
    theirs.derive(item, "source version", f"data/sources/{item}.2.json", record)
    theirs.derive(item, "link", f"data/links/{item}.json", b"no JSON")
    received = here.receive(theirs.bundle())
    (mine,) = [one for one in received.items if one.partner_item == item]
    (event,) = [one for one in events_of(here.services, f"item:{mine.item_id}") if one.type == "accession"]
    assert cast("dict[str, Any]", event.details["partner"])["handling"] == ["consult_collector"]
    word = here.services.receiving.partners_word(here.who, received.bundle.id, item)
    assert None in [one["record"] for one in word["records"]]
    assert_clean(here.services)


def test_another_case_gets_items_of_its_own(here: Here, partner: SampleArchive) -> None:
    here.receive(partner.bundle())
    other = here.services.evidence.create_case(here.who, "T2")
    received = here.receive(partner.bundle(), case=other)
    assert not received.repeated
    assert not any(one.matched for one in received.items)
    assert_clean(here.services)


def test_keys_that_are_known_are_told_and_so_are_those_that_are_not(here: Here, partner: SampleArchive) -> None:
    other = here.services.evidence.create_case(here.who, "T2")
    trusted = told_of(here.receive(partner.bundle(), partner.trust).bundle)
    alone = told_of(here.receive(partner.bundle(), case=other).bundle)
    assert trusted["verdict"] != alone["verdict"]
    assert any(one["code"] == "trust_not_anchored" for one in alone["findings"])
    assert not any(one["code"] == "trust_not_anchored" for one in trusted["findings"])


def test_an_interrupted_import_goes_on_and_makes_nothing_twice(
    here: Here, partner: SampleArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, taken = partner.bundle(), Receiving._take
    seen: list[str] = []

    def dies(self: Receiving, *args: object) -> object:
        if seen:
            raise ConflictError("killed", "the power went")
        seen.append("one")
        return taken(self, *args)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Receiving, "_take", dies)
        with pytest.raises(ConflictError):
            here.receive(data)
    (row,) = here.services.receiving.list(here.who)
    assert row.state == RECEIVING
    assert_clean(here.services)
    received = here.receive(data)
    assert (received.bundle.state, received.bundle.id, received.repeated) == (DONE, row.id, False)
    assert not any(one.matched for one in received.items)
    with here.services.archive.db.read() as session:
        assert _count(session, Item) == len(partner.items)
    assert_clean(here.services)


def test_an_edited_row_of_a_received_bundle_is_named_by_the_audit(here: Here, partner: SampleArchive) -> None:
    received = here.receive(partner.bundle())
    for statement, finding in (
        ("UPDATE received_bundle SET told = '{}'", ("row_altered", f"received_bundle {received.bundle.id}")),
        ("DELETE FROM received_item WHERE matched = 0", ("row_missing", f"received_item {received.items[0].id}")),
    ):
        with here.services.archive.db.engine.begin() as connection:
            connection.exec_driver_sql(statement)
        assert finding in errors_of(audit(here.services))


# -- two archives ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_round_trip_between_two_archives_keeps_every_digest_event_and_relation(tmp_path: Path, backend: str) -> None:
    there = make_archive(tmp_path / "there")
    admin = there.access.local_operator()
    case = there.evidence.create_case(admin, "T1")
    source = SourceContext(caption="صورة", collector="Оксана", handling=("protect_witness",))
    first = there.intake.deposit_bytes(admin, case, [photo()], "../Удар.jpg", source).item
    second = deposit(there, admin, case, photo(), "copy.jpg").item
    make_worker(there).drain()
    link = there.law.create_link(admin, first.id, "ap1-art62", "supports", "знак", "ap1-art62-e1")
    wishes = Wishes(Recipient("Partner", "partner"), release={first.id: "They protect the witness as we do."})
    row = there.exports.create(admin, case_ref="T1", purpose="for a partner", wishes=wishes)
    data = there.exports.open_bundle(admin, row.id)[1].read_bytes()
    theirs = {one.id: (one.received_at, events_of(there, f"item:{one.id}")) for one in (first, second)}
    close_archive(there)

    url = fresh_database(backend, tmp_path) if backend != "sqlite" else None
    services = make_archive(tmp_path / "here", url, fresh=backend == "sqlite")
    who = services.access.local_operator()
    stage = Here(services, who, services.evidence.create_case(who, "IN"))
    received = stage.receive(data)
    make_worker(services).drain()
    assert [one.matched for one in received.items].count(1) == 1  # the copy has the same bytes

    with services.archive.blobs.open(received.bundle.sha256) as stream:
        assert stream.read() == data
    for each in received.items:
        word = services.receiving.partners_word(who, received.bundle.id, each.partner_item)
        received_at, events = theirs[each.partner_item]
        assert word["received_at"] == received_at
        exported = [event for event in events if event.event_id in {one["event_id"] for one in word["events"]}]
        assert [one.model_dump(mode="json") for one in exported] == word["events"]
        assert len(exported) >= 5
        item, blob = services.evidence.find_item(who, each.item_id)
        assert word["sha256"] == blob.sha256 == hashlib.sha256(photo()).hexdigest()
        assert item.received_at > received_at
        (told,) = [one for one in word["records"] if one["role"] == "matches"]
        assert {one["item"] for one in told["record"]["matches"]} == set(theirs) - {each.partner_item}
    word = services.receiving.partners_word(who, received.bundle.id, first.id)
    assert [one["record"]["link"] for one in word["records"] if one["role"] == "link"] == [link.id]
    (mine,) = {each.item_id for each in received.items}
    assert services.law.links_of(who, mine) == []  # the partner's links are no work of ours
    stated = services.sources.current_of([services.evidence.find_item(who, mine)[0]])[mine]
    assert "protect_witness" in json.dumps(stated.record)
    told = [event.details for event in events_of(services, f"item:{mine}") if event.type == "accession"]
    assert [one["partner"]["handling"] for one in told if one["partner"]["item"] == first.id] == [["protect_witness"]]
    assert_clean(services)
    close_archive(services)


def test_the_command_takes_a_bundle_in_and_refuses_a_bad_one(
    bare_cli: Cli, tmp_path: Path, partner: SampleArchive
) -> None:
    good, bad = tmp_path / "good.zip", tmp_path / "bad.zip"
    good.write_bytes(partner.bundle())
    changed = bytearray(good.read_bytes())
    changed[200] ^= 1
    bad.write_bytes(changed)
    bare_cli("import", bad, "--case", "NEW", code=2).refused("bundle_refused")
    assert bare_cli.json("cases", "list")["cases"] == []
    taken = bare_cli.json("import", good, "--case", "NEW")
    assert (taken["state"], len(taken["items"])) == ("done", 2)
    assert bare_cli.json("import", good, "--case", "NEW")["repeated"] is True
    assert "nothing was added" in bare_cli("import", good, "--case", "NEW").out
    assert [one["id"] for one in bare_cli.json("bundles", "list")["bundles"]] == [taken["id"]]
    theirs = taken["items"][0]["partner_item"]
    assert bare_cli.json("bundles", "show", taken["id"], "--item", theirs)["partner_item"] == theirs
    assert theirs in bare_cli("bundles", "show", taken["id"]).out
    bare_cli("import", tmp_path / "none.zip", "--case", "NEW", code=2).refused("no_such_file")
    bare_cli("bundles", "show", "nothing", code=2).refused("unknown_bundle")
    bare_cli("users", "add", "lena", "--role", "legal")
    bare_cli("import", good, "--case", "NEW", "--as", "lena", code=2).refused("not_allowed")
    assert bare_cli.json("audit")["ok"]
