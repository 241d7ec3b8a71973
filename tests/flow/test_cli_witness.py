"""`catena witness` and `catena log witnesses`: set up, watched, and put right from the command line."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from app.custody.vkeys import verifier_lines
from evidence_store.keys import file as key_file
from evidence_store.witness.folder import WitnessFolder
from tests.commands import Cli
from tests.witness_logs import Log
from tests.witnesses import Script, answering, listening, make_witness, policy_text, vkeys_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "witness"


def _init(cli: Cli, folder: Path, *more: str) -> dict[str, list[str]]:
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        return cli.json("witness", "init", "--folder", folder, "--name", "ngo-b.example/w", *more)


def test_a_witness_is_made_without_an_archive(empty_cli: Cli, folder: Path) -> None:
    made = _init(empty_cli, folder)
    assert made["keys"] == vkeys_of(WitnessFolder(folder))
    assert folder.stat().st_mode & 0o777 == 0o700
    shown = empty_cli.json("witness", "show", "--folder", folder)
    assert shown == {"keys": made["keys"], "logs": [], "equivocations": []}
    assert "no logs" in empty_cli("witness", "show", "--folder", folder).out
    assert not empty_cli.data.exists()


@pytest.mark.parametrize(("algorithm", "count"), [("both", 2), ("ed25519", 1), ("ml-dsa-44", 1)])
def test_a_witness_has_the_keys_that_were_asked_for(empty_cli: Cli, folder: Path, algorithm: str, count: int) -> None:
    assert len(_init(empty_cli, folder, "--algorithm", algorithm)["keys"]) == count


def test_a_folder_in_use_and_a_bad_name_are_refused(empty_cli: Cli, folder: Path) -> None:
    empty_cli("witness", "init", "--folder", folder, "--name", "two words", code=2).refused("vkey_form")
    assert list(folder.iterdir()) == []
    _init(empty_cli, folder)
    empty_cli("witness", "init", "--folder", folder, "--name", "w", code=2).refused("folder_not_empty")


def test_logs_are_added_by_key_or_by_file_all_or_none(empty_cli: Cli, folder: Path, tmp_path: Path) -> None:
    _init(empty_cli, folder)
    one, two = Log("one.example"), Log("two.example")
    keys = tmp_path / "log.vkey"
    keys.write_text(f"# keys\n{two.vkey}\n{two.mldsa_vkey}\n")
    added = empty_cli.json("witness", "add-log", "--folder", folder, one.vkey, keys)
    assert added == {"logs": ["one.example", "two.example"]}
    assert len(WitnessFolder(folder).logs()) == 3
    keys.write_text(f"{Log('three.example').vkey}\nnonsense\n")
    empty_cli("witness", "add-log", "--folder", folder, keys, code=2).refused("vkey_form")
    empty_cli("witness", "add-log", "--folder", folder, "n" * 5000, code=2).refused("vkey_form")
    keys.write_text("# nothing\n")
    empty_cli("witness", "add-log", "--folder", folder, keys, code=2).refused("vkey_form")
    assert len(WitnessFolder(folder).logs()) == 3


def test_a_folder_without_a_witness_is_named(empty_cli: Cli, folder: Path) -> None:
    for command in (("show",), ("add-log", Log().vkey)):
        empty_cli("witness", *command, "--folder", folder, code=2).refused("no_witness")
    empty_cli("witness", "serve", "--folder", folder, code=2).refused("witness_state_missing")


def test_a_witness_that_forgot_or_is_locked_does_not_start(
    empty_cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _init(empty_cli, folder)
    monkeypatch.setenv("CATENA_PASSPHRASE", "another")
    empty_cli("witness", "serve", "--folder", folder, code=2).refused("wrong_passphrase")
    (folder / "state.json").write_bytes(b"{}")
    empty_cli("witness", "serve", "--folder", folder, code=2).refused("witness_state_damaged")


def test_the_policy_is_set_shown_and_followed(cli: Cli, tmp_path: Path) -> None:
    cli("log", "witnesses")
    assert "no policy" in cli("log", "witness-policy", "show").out
    witness = make_witness(tmp_path / "w", "ngo-b.example/w", *verifier_lines(cli.data / "keys"))
    policy = tmp_path / "policy"
    with listening(witness) as url:
        policy.write_bytes(policy_text(("b", vkeys_of(witness)[0], url)))
        assert cli.json("log", "witness-policy", "set", policy)["asked"] == ["b"]
        assert cli.json("log", "witness-policy", "show")["policy"] == policy.read_text()
        state = cli.json("log", "witnesses", "--ask")
    assert (state["met"], state["contradicted"], state["witnesses"][0]["error"]) == (True, False, None)
    text = cli("log", "witnesses").out
    assert "ngo-b" not in text.splitlines()[0]
    assert "meets the quorum 'enough'" in text
    assert cli("audit").code == 0


def test_a_policy_file_that_is_none_is_refused(cli: Cli, tmp_path: Path) -> None:
    cli("log", "witness-policy", "set", tmp_path / "none", code=2).refused("no_such_file")
    (tmp_path / "bad").write_bytes(b"quorum nobody\n")
    cli("log", "witness-policy", "set", tmp_path / "bad", code=2).refused("policy_form")


def test_only_who_manages_may_set_ask_and_acknowledge(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "policy").write_bytes(b"quorum none\n")
    cli("users", "add", "ivy", "--role", "investigator")
    for command in (
        ("witness-policy", "set", tmp_path / "policy"),
        ("witnesses", "--ask"),
        ("witness-acknowledge", "b", "--reason", "r"),
    ):
        cli("log", *command, "--as", "ivy", code=2).refused("not_allowed")
    cli("log", "witnesses", "--as", "ivy")


def test_a_contradiction_is_loud_until_it_is_acknowledged(cli: Cli, tmp_path: Path) -> None:
    witness = make_witness(tmp_path / "w", "ngo-b.example/w")
    with answering(Script([(409, b"1000000\n")])) as url:
        (tmp_path / "policy").write_bytes(policy_text(("b", vkeys_of(witness)[0], url)))
        cli("log", "witness-policy", "set", tmp_path / "policy")
        told = cli("log", "witnesses", "--ask", code=1)
    assert "CONTRADICTION of b: " in told.out
    assert cli.json("log", "witnesses", code=1)["contradicted"] is True
    assert "witness_contradicts" in cli("audit", code=1).out
    cli("log", "witness-acknowledge", "b", "--reason", "their test server answered")
    cli("log", "witnesses")
    cli("log", "witness-acknowledge", "b", "--reason", "again", code=2).refused("no_contradiction")
    assert cli("audit").code == 0
