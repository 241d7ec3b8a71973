"""Checkpoints of public logs with the co-signatures of public witnesses, both algorithms, read with our code.

The files are what the logs published; the keys are those that the witnesses publish.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import (
    ED25519_COSIGNER,
    MLDSA44_COSIGNER,
    CosignerKey,
    add_lines,
    format_cosigner_vkey,
    parse_cosigner_vkey,
    verify_cosignatures,
)
from evidence_store.log.note import open_checkpoint, parse_vkey
from evidence_store.log.policy import parse_policy

FOLDER = Path(__file__).parent / "witnessed"
LOG, *WITNESSES = (FOLDER / "keys.txt").read_text().split()
BOTH = FOLDER / "coachandhorses2026h1.note"
FOUR = FOLDER / "arche2025h1.note"


def _keys() -> list[CosignerKey]:
    return [parse_cosigner_vkey(vkey) for vkey in WITNESSES]


def test_witness_that_signs_with_both_algorithms_is_verified() -> None:
    found = verify_cosignatures(BOTH.read_bytes(), _keys())
    assert [(c.key.name, c.key.algorithm, c.time) for c in found] == [
        ("witness.navigli.sunlight.geomys.org", ED25519_COSIGNER, 1_785_704_691),
        ("witness.navigli.sunlight.geomys.org", MLDSA44_COSIGNER, 1_785_704_691),
    ]


def test_four_witnesses_of_one_checkpoint_are_verified_and_its_log_too() -> None:
    note = FOUR.read_bytes()
    assert [c.key.name for c in verify_cosignatures(note, _keys())] == [
        "transparency.dev/DEV:witness-little-garden",
        "witness1.smartit.nu/witness1",
        "remora.n621.de",
        "witness.stagemole.eu",
    ]
    assert open_checkpoint(note, parse_vkey(LOG)).size == 1_432_088_532


def test_the_keys_of_public_witnesses_are_written_back_as_published() -> None:
    assert [format_cosigner_vkey(k.name, k.algorithm, k.public_key) for k in _keys()] == WITNESSES


@pytest.mark.parametrize("name", [BOTH, FOUR], ids=lambda path: path.stem)
def test_another_size_spoils_every_cosignature(name: Path) -> None:
    origin, size, rest = name.read_bytes().split(b"\n", 2)
    other = b"\n".join([origin, str(int(size) - 1).encode(), rest])
    lines = [c.line for c in verify_cosignatures(name.read_bytes(), _keys())]
    for line in lines:
        with pytest.raises(EvidenceStoreError) as failure:
            verify_cosignatures(add_lines(other.partition(b"\n\n")[0] + b"\n\n" + line.encode(), []), _keys())
        assert failure.value.code == "cosignature_invalid"


def test_a_policy_over_public_witnesses_counts_who_signed() -> None:
    four = [f"witness w{i} {vkey}" for i, vkey in enumerate(WITNESSES[:4])]
    text = "\n".join([f"log {LOG}", *four, "group g 3 w0 w1 w2 w3", "quorum g", ""])
    policy = parse_policy(text)
    signed = [c.key for c in verify_cosignatures(FOUR.read_bytes(), policy.keys)]
    assert policy.satisfied(signed)
    assert not policy.satisfied(signed[:2])
