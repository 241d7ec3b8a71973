"""The log's monitoring prefix: open to everybody, cacheable as far as it cannot change, never beyond what is signed."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.custody.log_store import tree_size
from app.custody.models import CheckpointRow
from app.custody.service import SYSTEM
from evidence_store.log import merkle
from evidence_store.log.note import format_vkey, open_checkpoint, parse_vkey
from evidence_store.log.tiles import parse_entry_bundle
from tests.apis import Api, refused

PREFIXES = ("/log", "/api/v1/log")
FOREVER = "public, max-age=31536000, immutable"


def size_of(api: Api) -> int:
    vkey = api.client.get("/log/vkey").text.splitlines()[0]
    return open_checkpoint(api.client.get("/log/checkpoint").content, parse_vkey(vkey)).size


def grow_unsigned(api: Api, count: int) -> None:
    with api.services.archive.db.write() as session:
        for number in range(count):
            api.services.archive.custody.record(session, f"test:{number}", "annotation", SYSTEM)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_anonymous_caller_reads_checkpoint_keys_and_tiles_and_nothing_else(lite: Api, prefix: str) -> None:
    size = size_of(lite)
    for path in ("checkpoint", "vkey", f"tile/0/000.p/{size}", f"tile/entries/000.p/{size}"):
        answer = lite.client.get(f"{prefix}/{path}")
        assert answer.status_code == 200, path
        assert answer.content == lite.client.get(f"/log/{path}").content
        assert lite.client.post(f"{prefix}/{path}").status_code == 401
    for path in ("", "proof/inclusion?index=0&size=1", "proof/consistency?old=1&new=2", "tiles", "checkpoint/"):
        assert lite.client.get(f"{prefix}/{path}").status_code == 401, path


def test_published_entries_hash_to_the_published_tiles(api: Api) -> None:
    size = size_of(api)
    tile = api.client.get(f"/log/tile/0/000.p/{size}").content
    entries = parse_entry_bundle(api.client.get(f"/log/tile/entries/000.p/{size}").content)
    assert all(len(entry) == 32 for entry in entries)
    assert b"".join(merkle.leaf_hash(entry) for entry in entries) == tile


def test_full_tile_and_the_level_above_are_served_once_they_are_signed(api: Api) -> None:
    grow_unsigned(api, 300)
    refused(api.client.get("/log/tile/0/000"), 404, "unknown_tile")
    refused(api.client.get("/log/tile/1/000.p/1"), 404, "unknown_tile")
    assert size_of(api) > 300
    full = api.client.get("/log/tile/0/000").content
    assert len(full) == 256 * 32
    nodes = [full[start : start + 32] for start in range(0, len(full), 32)]
    while len(nodes) > 1:
        nodes = [merkle.node_hash(nodes[i], nodes[i + 1]) for i in range(0, len(nodes), 2)]
    assert api.client.get("/log/tile/1/000.p/1").content == nodes[0]
    assert api.client.get("/log/tile/0/000.p/17").content == full[: 17 * 32]


def test_what_is_not_signed_is_not_published_for_it_could_still_be_replaced(lite: Api) -> None:
    before = size_of(lite)
    grow_unsigned(lite, 1)
    refused(lite.client.get(f"/log/tile/0/000.p/{before + 1}"), 404, "unknown_tile")
    refused(lite.client.get(f"/log/tile/entries/000.p/{before + 1}"), 404, "unknown_tile")
    assert size_of(lite) == before + 1
    assert lite.client.get(f"/log/tile/0/000.p/{before + 1}").status_code == 200


@pytest.mark.parametrize(
    ("path", "caching", "media_type"),
    [
        ("checkpoint", "no-cache", "text/plain; charset=utf-8"),
        ("vkey", "no-cache", "text/plain; charset=utf-8"),
        ("tile/0/000.p/2", FOREVER, "application/octet-stream"),
        ("tile/entries/000.p/2", FOREVER, "application/octet-stream"),
    ],
)
def test_each_answer_says_how_long_it_holds(lite: Api, path: str, caching: str, media_type: str) -> None:
    answer = lite.client.get(f"/log/{path}")
    assert answer.headers["cache-control"] == caching
    assert answer.headers["content-type"] == media_type
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    again = lite.client.get(f"/log/{path}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == caching
    head = lite.client.head(f"/log/{path}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == answer.headers["etag"]
    assert head.headers["content-length"] == str(len(answer.content))


def test_checkpoint_gets_a_new_tag_when_the_log_has_grown(lite: Api) -> None:
    tag = lite.client.get("/log/checkpoint").headers["etag"]
    grow_unsigned(lite, 1)
    assert lite.client.get("/log/checkpoint", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("prefix", PREFIXES)
def test_checkpoint_that_somebody_put_into_the_database_is_not_handed_to_anybody(lite: Api, prefix: str) -> None:
    size_of(lite)
    grow_unsigned(lite, 1)
    with lite.services.archive.db.write() as session:
        size = tree_size(session)
        session.add(CheckpointRow(size=size, seq=99, note=b"trust me"))
    refused(lite.client.get(f"{prefix}/checkpoint"), 500, "checkpoint_damaged")
    grow_unsigned(lite, 1)
    assert size_of(lite) == size + 1


def test_keys_that_somebody_put_into_the_key_folder_are_not_published(lite: Api) -> None:
    before = lite.client.get("/log/vkey").text
    archive = lite.services.archive
    forged = format_vkey(archive.identity.log, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    (archive.settings.keys / "retired").mkdir()
    for name in ("log-zz.vkey", "retired/log-01234567.vkey"):
        (archive.settings.keys / name).write_text(f"{forged}\n")
    main = archive.settings.keys / "log.vkey"
    main.write_text(main.read_text() + f"{forged}\n")
    assert lite.client.get("/log/vkey").text == before
