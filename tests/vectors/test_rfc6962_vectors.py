"""Published RFC 6962 proof vectors: good ones verify, bad ones are refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence_store.errors import EvidenceStoreError
from evidence_store.log.merkle import verify_consistency, verify_inclusion


@pytest.fixture(scope="module")
def vectors(shared: Path) -> Path:
    folder = shared / "vectors" / "merkle"
    if not folder.is_dir():
        pytest.skip("the published proof vectors are not here")
    return folder


def _hash(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _hashes(case: dict[str, Any]) -> list[bytes]:
    return [_hash(text) for text in case["proof"] or []]


def _check_inclusion(case: dict[str, Any]) -> None:
    verify_inclusion(case["leafIdx"], case["treeSize"], _hash(case["leafHash"]), _hashes(case), _hash(case["root"]))


def _check_consistency(case: dict[str, Any]) -> None:
    verify_consistency(case["size1"], case["size2"], _hash(case["root1"]), _hash(case["root2"]), _hashes(case))


def _holds(check: Callable[[dict[str, Any]], None], case: dict[str, Any]) -> bool:
    try:
        check(case)
    except EvidenceStoreError:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "check", "cases"), [("inclusion", _check_inclusion, 98), ("consistency", _check_consistency, 98)]
)
def test_every_published_case_is_judged_as_published(
    vectors: Path, kind: str, check: Callable[[dict[str, Any]], None], cases: int
) -> None:
    files = sorted((vectors / kind).rglob("*.json"))
    assert len(files) == cases
    wrong = []
    accepted = 0
    for file in files:
        case = json.loads(file.read_text())
        holds = _holds(check, case)
        accepted += holds
        if holds == case["wantErr"]:
            wrong.append(f"{file.relative_to(vectors)}: {case['desc']}")
    assert wrong == []
    assert 0 < accepted < cases


def test_a_tampered_good_case_is_refused(vectors: Path) -> None:
    for kind, check in (("inclusion", _check_inclusion), ("consistency", _check_consistency)):
        for file in sorted((vectors / kind).rglob("happy-path*.json")):
            case = json.loads(file.read_text())
            assert _holds(check, case)
            case["proof"] = [*(case["proof"] or []), base64.b64encode(bytes(32)).decode()]
            assert not _holds(check, case), file.name
