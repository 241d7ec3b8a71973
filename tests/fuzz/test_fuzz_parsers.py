"""No bytes make a parser fail in any other way than by its own coded error: tried at random and guided by coverage."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_store.errors import EvidenceStoreError
from tests.conftest import ROOT
from tests.fuzz.harnesses import HARNESSES
from tests.judges import require_module

RUNS = 400


def accepts(name: str, data: bytes) -> bool:
    """Whether a harness takes the bytes; anything but a coded error escapes."""
    try:
        HARNESSES[name].run(data)
    except EvidenceStoreError:
        return False
    return True


@pytest.mark.parametrize("name", HARNESSES)
def test_good_input_is_accepted_so_that_the_fuzzer_begins_inside_the_parser(name: str) -> None:
    accepted = [seed for seed in HARNESSES[name].seeds() if accepts(name, seed)]
    assert accepted


@st.composite
def edits(draw: st.DrawFn, name: str) -> bytes:
    """A seed after a few edits, with words of the format's language; or anything at all."""
    harness = HARNESSES[name]
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    edited = bytearray(draw(st.sampled_from(list(harness.seeds()))))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(edited)))
        kind = draw(st.sampled_from(["replace", "remove", "insert", "repeat", "cut", "word"]))
        if kind == "cut":
            del edited[start:]
        elif kind == "repeat":
            edited[start:start] = edited[start : start + draw(st.integers(0, 64))]
        elif kind == "word" and harness.words:
            edited[start:start] = draw(st.sampled_from(harness.words))
        else:
            length = 0 if kind == "insert" else draw(st.integers(1, 8))
            edited[start : start + length] = b"" if kind == "remove" else draw(st.binary(min_size=1, max_size=8))
    return bytes(edited)


@pytest.mark.parametrize("name", HARNESSES)
def test_edited_input_never_escapes_the_coded_errors(name: str) -> None:
    @settings(max_examples=6 if HARNESSES[name].slow else 120)
    @given(edits(name))
    def tried(data: bytes) -> None:
        accepts(name, data)

    tried()


@cache
def fuzzed() -> dict[str, dict[str, Any]]:
    """A short run of every harness under atheris, in a process of its own: it instruments what it imports."""
    require_module("atheris")
    command = [sys.executable, "-m", "tests.fuzz", "--all", "--runs", str(RUNS), "--seconds", "20", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    outcomes = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert outcomes, done.stderr[-2000:]
    return {outcome["name"]: outcome for outcome in outcomes}


@pytest.mark.parametrize("name", HARNESSES)
def test_fuzzer_finds_no_fault_and_does_reach_our_code(name: str) -> None:
    outcome = fuzzed()[name]
    assert outcome["fault"] == ""
    assert outcome["executions"] > 0
    assert outcome["coverage"] > 10
