"""What a witness signs and what it never signs, whatever a log, a stranger, a crash or its own clock does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence_store.errors import EvidenceStoreError
from evidence_store.keys import file as key_file
from evidence_store.keys.cosigner import Cosigner
from evidence_store.log import merkle
from evidence_store.log.cosignature import (
    ED25519_COSIGNER,
    MLDSA44_COSIGNER,
    add_lines,
    format_cosigner_vkey,
    verify_cosignatures,
)
from evidence_store.log.note import Checkpoint, checkpoint_text, open_note, parse_vkey, sign_note
from evidence_store.witness import folder as folder_module
from evidence_store.witness.folder import WitnessFolder
from evidence_store.witness.request import format_request
from evidence_store.witness.rules import NOTHING, RefusalError, Seen
from evidence_store.witness.witness import MAX_CLOCK_STEP_BACK, Witness
from tests.witness_logs import Log

NAME = "witness.example/w1"
PASSPHRASE = b"a passphrase for tests only"
NOW = 1_700_000_000
TRUE, FORK = Log(), Log(seed="fork")


class Clock:
    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture(scope="module")
def cosigners(tmp_path_factory: pytest.TempPathFactory) -> list[Cosigner]:
    folder = WitnessFolder(tmp_path_factory.mktemp("keys"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_file, "SCRYPT_P", 1)
        folder.create(NAME, list(folder_module.ALGORITHMS), PASSPHRASE)
    return folder.cosigners(PASSPHRASE)


@pytest.fixture
def witness(cosigners: list[Cosigner], tmp_path: Path) -> Witness:
    return _witness(cosigners, tmp_path)


def _witness(cosigners: list[Cosigner], path: Path) -> Witness:
    for one in cosigners:
        stem = {ED25519_COSIGNER: "ed25519", MLDSA44_COSIGNER: "ml-dsa-44"}[one.key.algorithm]
        (path / f"{stem}.vkey").write_text(format_cosigner_vkey(NAME, one.key.algorithm, one.key.public_key) + "\n")
    (path / "logs.policy").write_bytes(folder_module._NO_LOGS)
    folder = WitnessFolder(path)
    folder.state.create()
    folder.add_log(TRUE.vkey)
    return Witness(folder, cosigners, Clock())


def _refused(call: Callable[[], object]) -> tuple[int, str, int | None]:
    with pytest.raises(RefusalError) as failure:
        call()
    return int(failure.value.status), failure.value.code, failure.value.known_size


def _seen(witness: Witness, origin: str = TRUE.origin) -> Seen:
    return witness.folder.state.read().get(origin, NOTHING)


def _signed(witness: Witness, note: bytes, lines: str) -> list[tuple[int, int]]:
    split = [f"{line}\n" for line in lines.removesuffix("\n").split("\n")]
    keys = [one.key for one in witness._cosigners]
    return [(c.key.algorithm, c.time) for c in verify_cosignatures(add_lines(note, split), keys)]


def test_a_growing_log_is_cosigned_with_both_keys(witness: Witness) -> None:
    for old, new in ((0, 5), (5, 5), (5, 6), (6, 130)):
        lines = witness.add_checkpoint(TRUE.request(old, new))
        assert _signed(witness, TRUE.note(new), lines) == [(ED25519_COSIGNER, NOW), (MLDSA44_COSIGNER, NOW)]
        assert _seen(witness) == Seen(new, TRUE.root(new), NOW, TRUE.note(new))


def test_an_empty_log_is_cosigned_and_grows_from_there(witness: Witness) -> None:
    assert witness.add_checkpoint(format_request(0, [], TRUE.note(0)))
    assert witness.add_checkpoint(format_request(0, [], TRUE.note(0)))
    assert witness.add_checkpoint(TRUE.request(0, 3))
    assert _seen(witness).size == 3


def test_another_root_of_the_empty_tree_is_refused(witness: Witness) -> None:
    text = checkpoint_text(Checkpoint(TRUE.origin, 0, bytes(32)))
    note = sign_note(text, TRUE.origin, TRUE.key.public_key().public_bytes_raw(), TRUE.key.sign)
    assert _refused(lambda: witness.add_checkpoint(format_request(0, [], note)))[:2] == (422, "inconsistent")
    assert _seen(witness) == NOTHING


@pytest.mark.parametrize("size", [0, 5])
def test_a_proof_from_nothing_must_be_empty(witness: Witness, size: int) -> None:
    body = format_request(0, [merkle.EMPTY_ROOT], TRUE.note(size))
    assert _refused(lambda: witness.add_checkpoint(body))[:2] == (422, "inconsistent")
    assert _seen(witness) == NOTHING


def test_a_rollback_is_refused_and_the_size_is_told(witness: Witness) -> None:
    witness.add_checkpoint(TRUE.request(0, 9))
    assert _refused(lambda: witness.add_checkpoint(TRUE.request(0, 5))) == (409, "old_size_differs", 9)
    assert _refused(lambda: witness.add_checkpoint(TRUE.request(5, 5))) == (409, "old_size_differs", 9)
    above = format_request(9, [], TRUE.note(5))
    assert _refused(lambda: witness.add_checkpoint(above)) == (400, "old_size_above", None)
    assert _seen(witness).size == 9


def test_a_fork_that_grows_is_refused(witness: Witness) -> None:
    witness.add_checkpoint(TRUE.request(0, 9))
    assert _refused(lambda: witness.add_checkpoint(FORK.request(9, 20))) == (422, "inconsistent", None)
    mixed = format_request(9, TRUE.proof(9, 20), FORK.note(20))
    assert _refused(lambda: witness.add_checkpoint(mixed)) == (422, "inconsistent", None)
    assert _seen(witness).root == TRUE.root(9)


def test_a_fork_of_one_size_is_refused_and_kept_as_proof_against_the_log(witness: Witness) -> None:
    witness.add_checkpoint(TRUE.request(0, 9))
    for _ in range(2):
        assert _refused(lambda: witness.add_checkpoint(FORK.request(9, 9))) == (409, "root_differs", 9)
    (kept,) = witness.folder.equivocations()
    second = (witness.folder.path / "equivocations" / kept).read_bytes()
    first = _seen(witness).note
    texts = [open_note(note, [parse_vkey(TRUE.vkey)]) for note in (first, second)]
    assert texts == [TRUE.text(9), FORK.text(9)]


def test_proofs_against_logs_do_not_fill_the_disk(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "MAX_EQUIVOCATIONS", 2)
    witness.add_checkpoint(TRUE.request(0, 9))
    for seed in ("a", "b", "c"):
        assert _refused(lambda seed=seed: witness.add_checkpoint(Log(seed=seed).request(9, 9)))[0] == 409  # type: ignore[misc]
    assert len(witness.folder.equivocations()) == 2


def test_a_log_that_is_not_known_is_refused(witness: Witness) -> None:
    other = Log("other.example/log")
    assert _refused(lambda: witness.add_checkpoint(other.request(0, 5))) == (404, "unknown_log", None)


def test_a_checkpoint_that_the_log_did_not_sign_is_refused(witness: Witness) -> None:
    stranger = Log("stranger.example")
    text = TRUE.text(5)
    forged = sign_note(text, TRUE.origin, stranger.key.public_key().public_bytes_raw(), stranger.key.sign)
    altered = TRUE.note(5).replace(b"\n5\n", b"\n6\n")
    spoilt = add_lines(TRUE.note(5), [_last_line(TRUE.note(6))])  # a good line, and a bad one of the same key
    for note in (forged, altered, spoilt):
        body = format_request(0, [], note)
        outcome = _refused(lambda body=body: witness.add_checkpoint(body))  # type: ignore[misc]
        assert outcome == (403, "checkpoint_unsigned", None)
    assert _seen(witness) == NOTHING


def _last_line(note: bytes) -> str:
    return note.decode().removesuffix("\n").rpartition("\n")[2] + "\n"


def test_a_log_known_by_its_mldsa_key_alone_is_cosigned(witness: Witness) -> None:
    log = Log("quantum.example/log")
    witness.folder.add_log(log.mldsa_vkey)
    assert _refused(lambda: witness.add_checkpoint(log.request(0, 5)))[:2] == (403, "checkpoint_unsigned")
    assert witness.add_checkpoint(format_request(0, [], log.note(5, mldsa=True)))
    spoilt = add_lines(log.note(6), [log.mldsa_line(log.text(5))])
    body = format_request(5, log.proof(5, 6), spoilt)
    assert _refused(lambda: witness.add_checkpoint(body))[:2] == (403, "checkpoint_unsigned")


def test_lines_of_strangers_are_neither_believed_nor_kept(witness: Witness) -> None:
    note = add_lines(TRUE.note(5), [f"\u2014 stranger{n} AAAAAAAA\n" for n in range(90)])
    lines = witness.add_checkpoint(format_request(0, [], note))
    assert len(_signed(witness, note, lines)) == 2
    assert _seen(witness).note == TRUE.note(5)


def test_what_is_no_request_is_refused(witness: Witness) -> None:
    assert _refused(lambda: witness.add_checkpoint(b"hello")) == (400, "witness_request_form", None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.booleans()), max_size=12))
def test_whatever_is_asked_what_is_signed_is_one_growing_tree(
    steps: list[tuple[int, int, bool]], cosigners: list[Cosigner], tmp_path_factory: pytest.TempPathFactory
) -> None:
    witness = _witness(cosigners, tmp_path_factory.mktemp("witness"))
    signed: list[tuple[int, bytes]] = []
    for old, new, fork in steps:
        log = FORK if fork else TRUE
        body = format_request(old, log.proof(old, new) if 0 < old <= new else [], log.note(new))
        try:
            witness.add_checkpoint(body)
        except RefusalError:
            continue
        signed.append((new, log.root(new)))
    assert [size for size, _ in signed] == sorted(size for size, _ in signed)
    branch = next((FORK if root == FORK.root(size) else TRUE for size, root in signed if size), TRUE)
    assert all(root == branch.root(size) for size, root in signed)
    assert (_seen(witness).size, _seen(witness).root) == (signed[-1] if signed else (0, merkle.EMPTY_ROOT))


def test_of_many_at_once_only_one_continues_each_size(witness: Witness, cosigners: list[Cosigner]) -> None:
    others = [Witness(WitnessFolder(witness.folder.path), cosigners, Clock()) for _ in range(3)]
    signed: list[int] = []
    start = threading.Barrier(4)

    def submit(one: Witness, sizes: range) -> None:
        start.wait()
        for size in sizes:
            known = 0
            while True:
                try:
                    one.add_checkpoint(TRUE.request(known, size))
                except RefusalError as refusal:
                    if refusal.known_size is None or refusal.known_size > size:
                        break
                    known = refusal.known_size
                else:
                    signed.append(size)
                    break

    threads = [
        threading.Thread(target=submit, args=(one, range(1 + n, 120, 4))) for n, one in enumerate([witness, *others])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(signed) == len(set(signed))
    assert _seen(witness).size == max(signed)


def test_two_continuations_at_once_get_one_signature(witness: Witness, cosigners: list[Cosigner]) -> None:
    witness.add_checkpoint(TRUE.request(0, 1))
    again = Witness(WitnessFolder(witness.folder.path), cosigners, Clock())
    bodies = [TRUE.request(1, 3), TRUE.request(1, 5)]
    outcomes: list[object] = []
    start = threading.Barrier(2)

    def submit(one: Witness, body: bytes) -> None:
        start.wait()
        try:
            outcomes.append(len(one.add_checkpoint(body)) > 0)
        except RefusalError as refusal:
            outcomes.append((int(refusal.status), refusal.known_size))

    threads = [threading.Thread(target=submit, args=pair) for pair in zip((witness, again), bodies, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    size = _seen(witness).size
    assert size in {3, 5}
    assert set(map(str, outcomes)) == {"True", f"(409, {size})"}


def test_nothing_is_signed_when_the_state_cannot_be_kept(
    witness: Witness, monkeypatch: pytest.MonkeyPatch, cosigners: list[Cosigner]
) -> None:
    signatures: list[str] = []

    def sign(_cosigner: Cosigner, text: str, _at: int) -> str:
        signatures.append(text)
        return ""

    monkeypatch.setattr(Cosigner, "line", sign)

    def full(*_: object) -> None:
        raise EvidenceStoreError("storage_full", "no room")

    monkeypatch.setattr("evidence_store.witness.state.replace_file", full)
    with pytest.raises(EvidenceStoreError) as failure:
        witness.add_checkpoint(TRUE.request(0, 5))
    assert failure.value.code == "storage_full"
    assert signatures == []
    assert _seen(witness) == NOTHING


@pytest.mark.parametrize("content", [None, b"", b"{}\n"])
def test_a_witness_that_forgot_signs_nothing(witness: Witness, content: bytes | None) -> None:
    witness.add_checkpoint(TRUE.request(0, 9))
    path = witness.folder.path / "state.json"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(EvidenceStoreError) as failure:
        witness.add_checkpoint(FORK.request(0, 9))
    assert failure.value.code == ("witness_state_missing" if content is None else "witness_state_damaged")
    assert not isinstance(failure.value, RefusalError)


def test_times_never_go_back(cosigners: list[Cosigner], tmp_path: Path) -> None:
    witness = _witness(cosigners, tmp_path)
    clock = Clock()
    witness._now = clock
    witness.add_checkpoint(TRUE.request(0, 5))
    clock.now = NOW - MAX_CLOCK_STEP_BACK
    lines = witness.add_checkpoint(TRUE.request(5, 6))
    assert {at for _, at in _signed(witness, TRUE.note(6), lines)} == {NOW}
    clock.now = NOW - MAX_CLOCK_STEP_BACK - 1
    with pytest.raises(EvidenceStoreError) as failure:
        witness.add_checkpoint(TRUE.request(6, 7))
    assert failure.value.code == "witness_clock_behind"
    assert _seen(witness).size == 6


def test_logs_are_added_while_it_serves_and_twice_is_once(witness: Witness) -> None:
    log = Log("late.example/log")
    for _ in range(2):
        witness.folder.add_log(log.vkey)
    witness.folder.add_log(log.mldsa_vkey)
    assert witness.add_checkpoint(log.request(0, 5))
    assert len(witness.folder.logs()) == 3


def test_a_witness_is_no_log_of_its_own(witness: Witness) -> None:
    own = witness.folder.public_keys()[1]
    assert own.algorithm == MLDSA44_COSIGNER
    with pytest.raises(EvidenceStoreError) as failure:
        witness.folder.add_log(format_cosigner_vkey(own.name, own.algorithm, own.public_key))
    assert failure.value.code == "own_key"


def test_a_folder_without_its_files_is_named(tmp_path: Path) -> None:
    folder = WitnessFolder(tmp_path)
    codes = []
    for call in (folder.public_keys, lambda: folder.cosigners(PASSPHRASE), folder.logs):
        with pytest.raises(EvidenceStoreError) as failure:
            call()
        codes.append(failure.value.code)
    assert codes == ["no_witness", "no_witness", "witness_logs_missing"]
    assert folder.equivocations() == []


def test_a_second_witness_in_one_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "SCRYPT_P", 1)
    folder = WitnessFolder(tmp_path / "w")
    (key,) = folder.create(NAME, ["ed25519"], PASSPHRASE)
    with pytest.raises(EvidenceStoreError) as failure:
        folder.create(NAME, ["ed25519"], PASSPHRASE)
    assert failure.value.code == "file_exists"
    assert folder.public_keys() == [key]


def test_a_list_of_logs_that_cannot_be_locked_is_named(witness: Witness) -> None:
    (witness.folder.path / "logs.lock").unlink()
    (witness.folder.path / "logs.lock").mkdir()
    with pytest.raises(EvidenceStoreError) as failure:
        witness.folder.add_log(Log("late.example/log").vkey)
    assert failure.value.code == "storage_failed"
