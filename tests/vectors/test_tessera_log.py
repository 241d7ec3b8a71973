"""A log that other software wrote (transparency-dev/tessera), read with our code."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle
from evidence_store.log.note import (
    Checkpoint,
    VerifierKey,
    checkpoint_text,
    format_vkey,
    open_checkpoint,
    open_note,
    parse_vkey,
)
from evidence_store.log.proof import TlogProof, format_proof, parse_proof
from evidence_store.log.tiles import (
    TileId,
    bundles_for_size,
    entry_bundle_bytes,
    parse_entry_bundle,
    parse_tile_path,
    tile_bytes,
    tile_path,
    tiles_for_size,
)

SIZE = 15


@pytest.fixture(scope="module")
def log(shared: Path) -> Path:
    folder = shared / "vectors" / "tessera"
    if not folder.is_dir():
        pytest.skip("the published log is not here")
    return folder


@pytest.fixture(scope="module")
def key(log: Path) -> VerifierKey:
    return parse_vkey((log / "KEY.txt").read_text().strip())


@pytest.fixture(scope="module")
def entries(log: Path) -> list[bytes]:
    return parse_entry_bundle((log / "tile/entries/000.p/15").read_bytes())


def _nodes(entries: list[bytes]) -> dict[tuple[int, int], bytes]:
    nodes: dict[tuple[int, int], bytes] = {}
    for index, entry in enumerate(entries):
        completed = merkle.nodes_completed_by(index, merkle.leaf_hash(entry), lambda level, i: nodes[level, i])
        nodes.update({(level, i): value for level, i, value in completed})
    return nodes


def _checkpoints(log: Path, key: VerifierKey) -> dict[int, Checkpoint]:
    return {n: open_checkpoint((log / f"checkpoint.{n}").read_bytes(), key) for n in range(SIZE + 1)}


def test_the_published_key_is_read_and_written_back(log: Path, key: VerifierKey) -> None:
    assert key.name == "example.com/log/testdata"
    assert format_vkey(key.name, key.public_key) == (log / "KEY.txt").read_text().strip()


def test_every_published_checkpoint_is_signed_by_the_published_key(log: Path, key: VerifierKey) -> None:
    for size, checkpoint in _checkpoints(log, key).items():
        assert checkpoint.size == size
        assert checkpoint_text(checkpoint) == open_note((log / f"checkpoint.{size}").read_bytes(), [key])
    assert open_checkpoint((log / "checkpoint").read_bytes(), key) == _checkpoints(log, key)[SIZE]


def test_a_published_checkpoint_with_another_size_is_refused(log: Path, key: VerifierKey) -> None:
    note = (log / "checkpoint").read_bytes()
    with pytest.raises(EvidenceStoreError) as refusal:
        open_checkpoint(note.replace(b"\n15\n", b"\n14\n"), key)
    assert refusal.value.code == "note_signature"


def test_the_published_entries_lead_to_every_published_root(log: Path, key: VerifierKey, entries: list[bytes]) -> None:
    assert len(entries) == SIZE
    nodes = _nodes(entries)
    for size, checkpoint in _checkpoints(log, key).items():
        assert merkle.root_at(size, lambda level, i: nodes[level, i]) == checkpoint.root


def test_our_tiles_and_bundles_are_byte_for_byte_the_published_ones(log: Path, entries: list[bytes]) -> None:
    nodes = _nodes(entries)
    for size in range(1, SIZE + 1):
        [tile] = tiles_for_size(size)
        [bundle] = bundles_for_size(size)
        assert tile == TileId(0, 0, size)
        published = log / tile_path(tile.level, tile.index, tile.width)
        assert published.read_bytes() == tile_bytes(tile, lambda level, i: nodes[level, i])
        published = log / tile_path(bundle.level, bundle.index, bundle.width)
        assert published.read_bytes() == entry_bundle_bytes(entries[:size])


def test_every_published_tile_path_is_read_back(log: Path) -> None:
    paths = [path.relative_to(log).as_posix() for path in (log / "tile").rglob("*") if path.is_file()]
    assert len(paths) == 2 * SIZE
    for path in paths:
        tile = parse_tile_path(path)
        assert tile_path(tile.level, tile.index, tile.width) == path


def test_our_consistency_proofs_join_every_two_published_checkpoints(
    log: Path, key: VerifierKey, entries: list[bytes]
) -> None:
    nodes, checkpoints = _nodes(entries), _checkpoints(log, key)
    for new in range(1, SIZE + 1):
        for old in range(1, new + 1):
            proof = merkle.consistency_proof(old, new, lambda level, i: nodes[level, i])
            merkle.verify_consistency(old, new, checkpoints[old].root, checkpoints[new].root, proof)


def test_a_proof_file_of_each_published_entry_verifies_under_the_published_checkpoint(
    log: Path, key: VerifierKey, entries: list[bytes]
) -> None:
    nodes, note = _nodes(entries), (log / "checkpoint").read_bytes()
    for index, entry in enumerate(entries):
        hashes = merkle.inclusion_proof(index, SIZE, lambda level, i: nodes[level, i])
        proof = parse_proof(format_proof(TlogProof(index, tuple(hashes), note)))
        checkpoint = open_checkpoint(proof.checkpoint, key)
        leaf = merkle.leaf_hash(entry)
        merkle.verify_inclusion(proof.index, checkpoint.size, leaf, proof.hashes, checkpoint.root)
