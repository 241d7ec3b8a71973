"""The state of a witness: whole or refused, and never mistaken for an empty one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.canonical import JsonInput, canonical_bytes
from evidence_store.errors import EvidenceStoreError
from evidence_store.witness import state as state_module
from evidence_store.witness.rules import Seen
from evidence_store.witness.state import StateFile

SEEN = Seen(2**63 - 1, bytes(range(32)), 2**63 - 1, b"a note\n")


def _file(tmp_path: Path) -> StateFile:
    file = StateFile(tmp_path / "state.json")
    file.create()
    return file


def _code(file: StateFile) -> str:
    with pytest.raises(EvidenceStoreError) as failure:
        file.read()
    return failure.value.code


def _summed(body: bytes) -> bytes:
    return body + b"\n" + hashlib.sha256(body).hexdigest().encode() + b"\n"


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    file = _file(tmp_path)
    assert file.read() == {}
    file.write({"a.example": SEEN, "\u0431.example": Seen(0, bytes(32), 0, b"")})
    assert file.read() == {"a.example": SEEN, "\u0431.example": Seen(0, bytes(32), 0, b"")}
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600


def test_a_missing_state_is_not_an_empty_one(tmp_path: Path) -> None:
    assert _code(StateFile(tmp_path / "state.json")) == "witness_state_missing"


def test_a_state_that_exists_is_never_made_anew(tmp_path: Path) -> None:
    file = _file(tmp_path)
    file.write({"a.example": SEEN})
    with pytest.raises(EvidenceStoreError) as failure:
        file.create()
    assert failure.value.code == "file_exists"
    assert file.read() == {"a.example": SEEN}


def test_every_cut_and_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    file = _file(tmp_path)
    file.write({"a.example": Seen(7, bytes(32), 9, b"note")})
    whole = (tmp_path / "state.json").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "state.json").write_bytes(whole[:length])
        assert _code(file) == "witness_state_damaged"
    for place in range(len(whole)):
        (tmp_path / "state.json").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert _code(file) == "witness_state_damaged"


ENTRY: dict[str, JsonInput] = {"size": "7", "root": "00" * 32, "time": "9", "note": ""}


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {"format": "catena witness state", "v": 2, "logs": {}},
        {"format": "another", "v": 1, "logs": {}},
        {"format": "catena witness state", "v": 1},
        {"format": "catena witness state", "v": 1, "logs": []},
        {"format": "catena witness state", "v": 1, "logs": {}, "more": 1},
        *(
            {"format": "catena witness state", "v": 1, "logs": {"a": entry}}
            for entry in (
                None,
                {},
                ENTRY | {"more": ""},
                ENTRY | {"size": 7},
                ENTRY | {"size": ""},
                ENTRY | {"size": "07"},
                ENTRY | {"size": "-7"},
                ENTRY | {"size": "\u0667"},
                ENTRY | {"size": "9223372036854775808"},
                ENTRY | {"time": None},
                ENTRY | {"root": "00" * 31},
                ENTRY | {"root": "0g" * 32},
                ENTRY | {"root": "AA" * 32},
                ENTRY | {"root": 0},
                ENTRY | {"note": "!"},
                ENTRY | {"note": None},
            )
        ),
    ],
)
def test_another_form_with_a_good_sum_is_refused(value: JsonInput, tmp_path: Path) -> None:
    file = _file(tmp_path)
    (tmp_path / "state.json").write_bytes(_summed(canonical_bytes(value)))
    assert _code(file) == "witness_state_damaged"


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_code(body: bytes) -> None:
    for data in (body, _summed(body)):
        with pytest.raises(EvidenceStoreError) as failure:
            state_module._parsed(data)
        assert failure.value.code == "witness_state_damaged"


def test_a_state_that_the_disk_cannot_read_is_no_missing_one(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    assert _code(StateFile(tmp_path / "state.json")) == "storage_failed"


def test_a_folder_that_is_gone_cannot_be_locked(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "gone" / "state.json")
    with pytest.raises(EvidenceStoreError) as failure, file.locked():
        pass
    assert failure.value.code == "storage_failed"
