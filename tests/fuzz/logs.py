"""Harnesses of what a transparency log is read by: notes, proofs, tiles, keys, policies and a witness's requests."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import Final

from evidence_store.bundle import layout, renewals
from evidence_store.log import cosignature, keyfile, merkle, note, policy, proof, tiles
from evidence_store.timestamps import roots
from evidence_store.verify import trust as trust_file
from evidence_store.witness import request as witness_request
from evidence_store.witness import rules as witness_rules
from evidence_store.witness import state as witness_state
from tests.fuzz import samples
from tests.fuzz.harness import JSON, NOTE, PEM, Harness, coded, log, same, scratch, text_of


def _note(data: bytes) -> None:
    text, lines = note.split_note(data)
    keys = [note.parse_vkey(samples.archive().log_vkey)]
    coded(lambda whole: cosignature.verify_cosignatures(whole, [_witness()]), data)
    coded(lambda whole: cosignature.add_lines(whole, ["\N{EM DASH} a.example AAAA\n"] * (len(lines) > 0)), data)
    note.parse_checkpoint(text)
    note.open_checkpoint(data, keys[0])


def _cosignature(data: bytes) -> None:
    """Lines as a witness answers them, beside a log's own."""
    note_of_log = samples.archive().note()
    keys = [witness.key for witness in samples.archive().witnesses]
    whole = cosignature.add_lines(note_of_log, data.decode("utf-8", "surrogateescape").splitlines(keepends=True))
    if not whole.startswith(note_of_log):
        raise AssertionError("a witness changed the note")
    for found in cosignature.verify_cosignatures(whole, keys):
        if found.line.encode() not in whole:
            raise AssertionError("a line that nobody wrote")


def _cosignature_seeds() -> list[bytes]:
    text = note.split_note(samples.archive().note())[0]
    lines = [witness.line(text, 1_700_000_000).encode() for witness in samples.archive().witnesses]
    return [*lines, b"".join(lines)]


def _witness() -> cosignature.CosignerKey:
    return samples.archive().witnesses[0].key


def _checkpoint(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    found = note.parse_checkpoint(text)
    same(note.checkpoint_text(found).encode(), text.encode())


def _vkey(data: bytes) -> None:
    text = text_of(data)
    coded(lambda _: cosignature.parse_cosigner_vkey(text), data)
    coded(lambda _: policy.parse_log_vkey(text), data)
    found = note.parse_vkey(text)
    same(note.format_vkey(found.name, found.public_key).encode(), data)


def _key_lines(data: bytes) -> None:
    keyfile.parse_key_file(data)


def _proof(data: bytes) -> None:
    found = proof.parse_proof(data)
    same(proof.format_proof(found), data)
    checkpoint = note.parse_checkpoint(note.split_note(found.checkpoint)[0])
    merkle.verify_inclusion(found.index, checkpoint.size, _proven(), found.hashes, checkpoint.root)


def _consistency(data: bytes) -> None:
    old, hashes = proof.parse_consistency(data)
    same(proof.format_consistency(old, hashes), data)
    places = (f"{renewals.renewal_folder(1)}/{renewals.CHECKPOINT}", layout.CHECKPOINT)
    renewed, whole = (note.parse_checkpoint(note.split_note(samples.files()[place])[0]) for place in places)
    renewals.require_continued(renewed, whole, data)


@cache
def _proven() -> bytes:
    """The leaf that the first seed is about."""
    about = min(samples.archive().events)
    return merkle.leaf_hash(sha256(samples.archive().events[about][-1]).digest())


def _tile_path(data: bytes) -> None:
    tile = tiles.parse_tile_path(text_of(data))
    same(tiles.tile_path(tile.level, tile.index, tile.width).encode(), data)


def _entries(data: bytes) -> None:
    same(tiles.entry_bundle_bytes(tiles.parse_entry_bundle(data)), data)


def _policy(data: bytes) -> None:
    found = policy.parse_policy(policy.decode_policy(data))
    found.satisfied([_witness()])


def _witness_request(data: bytes) -> None:
    asked = witness_request.parse_request(data)
    same(witness_request.format_request(asked.old, asked.proof, asked.note), data)
    key = note.parse_vkey(log().vkey)
    witness_rules.require_signed(asked, [key])
    witness_rules.require_continued(asked, witness_rules.Seen(100, log().root(100), 0, b""))


def _witness_state(data: bytes) -> None:
    path = scratch() / "state"
    path.write_bytes(data)
    witness_state.StateFile(path).read()


def _trust(data: bytes) -> None:
    for read in (trust_file.parse_time_roots, trust_file.parse_policy_file, roots.parse_roots):
        coded(read, data)
    trust_file.parse_trust(data)


def _trust_seed() -> bytes:
    return samples.archive().ca_pem + b"# a comment\n" + samples.named("log.vkey")[0]


def _states() -> list[bytes]:
    state = witness_state.StateFile(scratch() / "seed-state")
    if not (scratch() / "seed-state").exists():
        state.create()
        state.write({"log.example": witness_rules.Seen(5, log().root(5), 1_700_000_000, log().note(5))})
    return [(scratch() / "seed-state").read_bytes()]


LOGS: Final[dict[str, Harness]] = {
    "checkpoint": Harness(_checkpoint, lambda: [samples.archive().note().split(b"\n\n")[0] + b"\n"], NOTE),
    "consistency": Harness(_consistency, lambda: samples.named("/consistency"), (b"old ", b"=\n")),
    "cosignature": Harness(_cosignature, _cosignature_seeds, NOTE),
    "entries": Harness(_entries, lambda: [tiles.entry_bundle_bytes([b"a" * 32, b"", b"b"])]),
    "keys": Harness(_key_lines, lambda: samples.named("log.vkey"), NOTE),
    "note": Harness(_note, lambda: samples.named("custody/checkpoint"), NOTE),
    "policy": Harness(
        _policy,
        lambda: samples.named("witnesses.policy"),
        (b"group ", b"witness ", b"quorum ", b"any", b"all", b"none"),
    ),
    "proof": Harness(_proof, lambda: samples.named(".tlog-proof"), (*NOTE, b"index ", b"extra ")),
    "tile-path": Harness(_tile_path, lambda: [b"tile/0/x001/234.p/5", b"tile/entries/000", b"tile/63/x999/x999/999"]),
    "trust": Harness(
        _trust, lambda: [_trust_seed(), *samples.named("tsa/first.pem", "witnesses.policy")], (*PEM, *NOTE)
    ),
    "vkey": Harness(_vkey, lambda: [line for data in samples.named("log.vkey") for line in data.splitlines()], NOTE),
    "witness-request": Harness(
        _witness_request, lambda: [log().request(100, 200), log().request(0, 5)], (*NOTE, b"old ")
    ),
    "witness-state": Harness(_witness_state, _states, JSON),
}
