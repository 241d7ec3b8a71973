"""The history of an item and its proofs, checked as an outsider would: from the bytes alone."""

from __future__ import annotations

import base64
import hashlib

from evidence_store.canonical import canonical_bytes
from evidence_store.log import merkle
from evidence_store.log.note import format_vkey, open_checkpoint, parse_vkey
from evidence_store.log.proof import parse_proof
from evidence_store.log.tiles import (
    FULL_WIDTH,
    parse_entry_bundle,
    tile_path,
    tiles_for_size,
)
from evidence_store.seal import verify_seal
from tests.apis import Api, refused


def log_key(api: Api) -> str:
    key = api.services.archive.log_key()
    return format_vkey(key.name, key.public_key)


def test_events_chain_by_hash_and_are_read_page_by_page(api: Api) -> None:
    item = api.deposit(b"data")["item"]["id"]
    for _ in range(3):
        api.get("leo", f"/items/{item}/original")
    rows = []
    cursor = ""
    while True:
        page = api.get("aud", f"/items/{item}/custody?limit=2{cursor}").json()
        assert page["object"] == f"item:{item}"
        rows += page["events"]
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"
    assert [row["event"]["type"] for row in rows] == [
        "ingestion",
        "digital signature generation",
        "access",
        "access",
        "access",
    ]
    previous = None
    for number, row in enumerate(rows):
        assert row["event"]["object_seq"] == number
        assert row["event"]["prev"] == previous
        previous = hashlib.sha256(canonical_bytes(row["event"])).hexdigest()
        assert row["event_sha256"] == previous
    assert [row["leaf_index"] for row in rows] == sorted(row["leaf_index"] for row in rows)


def test_proof_ties_the_newest_event_to_a_signed_checkpoint(api: Api) -> None:
    item = api.deposit(b"data")["item"]["id"]
    answer = api.get("aud", f"/items/{item}/proof")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    proof = parse_proof(answer.content)
    checkpoint = open_checkpoint(proof.checkpoint, parse_vkey(log_key(api)))
    newest = api.get("aud", f"/items/{item}/custody").json()["events"][-1]
    entry = hashlib.sha256(canonical_bytes(newest["event"])).digest()
    assert proof.index == newest["leaf_index"]
    assert answer.headers["x-event-sha256"] == entry.hex()
    merkle.verify_inclusion(proof.index, checkpoint.size, merkle.leaf_hash(entry), proof.hashes, checkpoint.root)


def test_receipt_files_are_the_exact_signed_bytes(api: Api) -> None:
    item = api.deposit(b"data", X_Filename="a.jpg")["item"]["id"]
    shown = api.get("aud", f"/items/{item}/receipt").json()
    statement = api.get("aud", f"/items/{item}/receipt.json").content
    signature = api.get("aud", f"/items/{item}/receipt.p7s")
    assert base64.b64decode(shown["statement_base64"]) == statement
    assert base64.b64decode(shown["p7s_base64"]) == signature.content
    assert signature.headers["content-type"] == "application/pkcs7-signature"
    verify_seal(signature.content, statement, [api.services.archive.seal_key().authority])
    outputs = api.events(item)[1]["details"]["outputs"]
    assert [output["sha256"] for output in outputs] == [
        hashlib.sha256(statement).hexdigest(),
        hashlib.sha256(signature.content).hexdigest(),
    ]


def test_receipt_that_is_not_signed_yet_is_pending(lite: Api) -> None:
    from sqlmodel import select

    from app.evidence.models import Receipt
    from app.jobs.models import Job

    item = lite.deposit(b"data")["item"]["id"]
    with lite.services.archive.db.write() as session:
        session.delete(session.get_one(Receipt, item))
        session.exec(select(Job).where(Job.kind == "seal")).one().state = "ready"  # as a deposit that died before it
    refused(lite.get("aud", f"/items/{item}/receipt"), 404, "receipt_pending")
    lite.work()
    assert lite.get("aud", f"/items/{item}/receipt").status_code == 200


def test_anybody_can_rebuild_the_log_from_its_public_tiles(api: Api) -> None:
    made = api.deposit(b"data")
    answer = api.get(None, "/log/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    checkpoint = open_checkpoint(answer.content, parse_vkey(log_key(api)))
    nodes: dict[tuple[int, int], bytes] = {}
    for tile in tiles_for_size(checkpoint.size):
        data = api.get(None, f"/log/{tile_path(tile.level, tile.index, tile.width)}").content
        assert len(data) == 32 * tile.width
        for number in range(tile.width):
            nodes[(8 * tile.level, FULL_WIDTH * tile.index + number)] = data[32 * number : 32 * number + 32]
    for level in range(1, 8):
        for index in range(checkpoint.size >> level):
            left, right = nodes[(level - 1, 2 * index)], nodes[(level - 1, 2 * index + 1)]
            nodes[(level, index)] = merkle.node_hash(left, right)
    assert merkle.root_at(checkpoint.size, lambda level, index: nodes[(level, index)]) == checkpoint.root
    bundle = api.get(None, f"/log/tile/entries/000.p/{checkpoint.size}")
    entries = parse_entry_bundle(bundle.content)
    assert [merkle.leaf_hash(entry) for entry in entries] == [nodes[(0, index)] for index in range(checkpoint.size)]
    position = made["receipt"]["position"]
    assert entries[position["leaf_index"]].hex() == position["event_sha256"]


def test_tiles_that_are_not_there_yet_or_never_are_unknown(lite: Api) -> None:
    size = open_checkpoint(lite.get(None, "/log/checkpoint").content, parse_vkey(log_key(lite))).size
    assert lite.get(None, f"/log/tile/0/000.p/{size}").status_code == 200
    assert lite.get(None, "/log/tile/0/000.p/1").status_code == 200
    for path in (f"0/000.p/{size + 1}", f"entries/000.p/{size + 1}", "0/000", "1/000.p/1", "0/001.p/1", "63/000"):
        refused(lite.get(None, f"/log/tile/{path}"), 404, "unknown_tile")
    for path in ("0/0", "0/000.p/0", "64/000", "0/x000/000", "entries", "0/000/", "0/000.p/256", "zero/000"):
        answer = lite.get(None, f"/log/tile/{path}")
        assert answer.status_code == 404, path
        assert answer.json()["code"] in {"tile_path", "tile_range", "unknown_tile"}


def test_an_altered_event_shows_in_the_published_entries(lite: Api) -> None:
    from sqlalchemy import text

    before = lite.get(None, "/log/tile/entries/000.p/3").content
    with lite.services.archive.db.write() as session:
        session.execute(text("UPDATE custody_event SET canonical = x'7b7d' WHERE leaf_index = 1"))
    after = lite.get(None, "/log/tile/entries/000.p/3").content
    assert parse_entry_bundle(before)[0] == parse_entry_bundle(after)[0]
    assert parse_entry_bundle(before)[1] != parse_entry_bundle(after)[1]


def test_log_proofs_verify_against_what_was_published_before(api: Api) -> None:
    vkey = parse_vkey(log_key(api))
    old = open_checkpoint(api.get(None, "/log/checkpoint").content, vkey)
    position = api.deposit(b"data")["receipt"]["position"]
    new = open_checkpoint(api.get(None, "/log/checkpoint").content, vkey)
    assert new.size > old.size
    grown = api.get("ana", f"/log/proof/consistency?old={old.size}&new={new.size}").json()
    path = [bytes.fromhex(node) for node in grown["hashes"]]
    merkle.verify_consistency(old.size, new.size, old.root, new.root, path)
    assert (grown["old_root"], grown["new_root"]) == (old.root.hex(), new.root.hex())
    found = api.get("ana", f"/log/proof/inclusion?index={position['leaf_index']}&size={new.size}").json()
    leaf = merkle.leaf_hash(bytes.fromhex(position["event_sha256"]))
    assert found["leaf_hash"] == leaf.hex()
    assert found["root"] == new.root.hex()
    merkle.verify_inclusion(
        position["leaf_index"], new.size, leaf, [bytes.fromhex(node) for node in found["hashes"]], new.root
    )
    refused(api.get("ana", f"/log/proof/inclusion?index=0&size={new.size + 100}"), 404, "unknown_tree_size")


def test_checkpoint_is_refused_when_an_older_database_was_put_in_place(lite: Api) -> None:
    from sqlalchemy import text

    assert lite.get(None, "/log/checkpoint").status_code == 200
    with lite.services.archive.db.write() as session:
        session.execute(text("UPDATE log_head SET size = size - 1"))
    refused(lite.get(None, "/log/checkpoint"), 503, "log_rolled_back")
