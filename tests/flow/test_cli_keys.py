"""`catena keys`: list, history, rotate, compromise, export, as somebody at the machine uses them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from app import wiring
from app.config import Settings
from evidence_store.keys.pkcs11 import load_token_key
from evidence_store.verify.trust import parse_trust
from tests.commands import Cli
from tests.softhsm import LABEL, PIN, Token, new_token


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    made = new_token(tmp_path, monkeypatch)
    monkeypatch.setenv("CATENA_PKCS11_PIN", PIN)
    return made


def in_token(token: Token, label: str = "seal 2026") -> tuple[str, ...]:
    return ("--pkcs11", token.module, "--token", LABEL, "--label", label)


def names(cli: Cli) -> dict[str, str]:
    """Name of each key in use."""
    return {one["use"]: one["name"] for one in cli.json("keys", "history")["keys"] if one["current"]}


def kept(cli: Cli) -> set[str]:
    """Files of the key folder."""
    return {str(path.relative_to(cli.data / "keys")) for path in (cli.data / "keys").rglob("*") if path.is_file()}


MAKE_KEYS = wiring._make_keys
FIRST = {
    "ca.crt",
    "ca.key",
    "seal.crt",
    "seal.key",
    "log.vkey",
    "log.key",
    "log-mldsa.vkey",
    "log-mldsa.key",
}


def test_keys_are_listed_with_where_their_private_halves_are(bare_cli: Cli) -> None:
    listed = bare_cli.json("keys", "list")
    assert set(listed) == {"ca", "seal", "log", "pq"}
    assert all("PRIVATE" not in text for text in listed.values())
    (bare_cli.data / "keys" / "ca.key").rename(bare_cli.data.parent / "ca.key")
    told = bare_cli("keys", "list").out.splitlines()
    assert [line.split()[0] for line in told] == ["use", "ca", "seal", "log", "pq"]
    assert [("elsewhere" in line, "in a file" in line) for line in told[1:]] == [(True, False)] + [(False, True)] * 3


def test_rotation_tells_what_is_new_and_the_history_what_was(bare_cli: Cli) -> None:
    before = names(bare_cli)
    told = bare_cli("keys", "rotate", "seal", "--reason", "a year has passed").out
    after = names(bare_cli)
    assert {use for use in before if before[use] != after[use]} == {"seal"}
    assert after["seal"][:16] in told
    assert "catena keys export" in told
    history = {one["name"]: one for one in bare_cli.json("keys", "history")["keys"]}
    old = history[before["seal"]]
    assert (old["current"], old["compromised_since"]) == (False, None)
    assert old["retired_at"] == history[after["seal"]]["introduced_at"]
    assert old["reasons"][-1] == "a year has passed"
    assert f"retired {old['retired_at']}" in bare_cli("keys", "history").out
    assert kept(bare_cli) == FIRST | {f"retired/seal-{before['seal'][:16]}.crt"}
    assert bare_cli.json("audit")["ok"]


def test_old_private_key_file_is_put_away_only_when_that_is_asked_for(bare_cli: Cli) -> None:
    old = names(bare_cli)["log"]
    bare_cli("keys", "rotate", "log", "--keep-private")
    bare_cli("keys", "rotate", "pq")
    private = {name for name in kept(bare_cli) if name.startswith("retired/") and name.endswith(".key")}
    assert private == {f"retired/log-{old}.key"}
    assert (bare_cli.data / "keys" / "retired" / f"log-{old}.key").stat().st_mode & 0o777 == 0o600


def test_seal_key_is_certified_by_an_authority_whose_key_is_elsewhere(bare_cli: Cli, tmp_path: Path) -> None:
    keys, before = bare_cli.data / "keys", names(bare_cli)
    (keys / "ca.key").rename(tmp_path / "ca.key")
    line = bare_cli("keys", "rotate", "seal", code=2).refused("ca_key_missing")
    assert "--ca-key" in line
    bare_cli("keys", "rotate", "seal", "--ca-key", tmp_path / "none", code=2).refused("ca_key_missing")
    (tmp_path / "bad").write_text("no key")
    (tmp_path / "bad").chmod(0o600)
    bare_cli("keys", "rotate", "seal", "--ca-key", tmp_path / "bad", code=2).refused("key_damaged")
    shutil.copy(keys / "seal.key", tmp_path / "another")
    bare_cli("keys", "rotate", "seal", "--ca-key", tmp_path / "another", code=2).refused("key_mismatch")
    shutil.copy(keys / "log.key", tmp_path / "third")
    bare_cli("keys", "rotate", "seal", "--ca-key", tmp_path / "third", code=3).refused("key_mismatch", 3)
    assert names(bare_cli) == before
    assert not (keys / "next").exists(), "a refused rotation leaves nothing behind"
    bare_cli("keys", "rotate", "seal", "--ca-key", tmp_path / "ca.key")
    assert names(bare_cli)["seal"] != before["seal"]
    bare_cli("keys", "rotate", "ca")
    assert (keys / "ca.key").exists(), "a new authority's key is here again, to be moved away"
    assert bare_cli.json("audit")["ok"]


def test_archive_without_a_second_log_key_gets_its_first_one(bare_cli: Cli) -> None:
    with mock.patch("app.wiring._make_keys", without_second_key):
        older = bare_cli.data.parent / "older"
        bare_cli("init", "--data", older)
    assert set(bare_cli.json("keys", "list", "--data", older)) == {"ca", "seal", "log"}
    bare_cli("keys", "compromise", "pq", "--since", "2026-01-01", "--data", older, code=2).refused("unknown_key")
    bare_cli("keys", "rotate", "pq", "--data", older)
    assert set(bare_cli.json("keys", "list", "--data", older)) == {"ca", "seal", "log", "pq"}
    note = bare_cli.json("log", "checkpoint", "--data", older)["checkpoint"]
    assert note.count("\N{EM DASH} ") == 2
    report = bare_cli.json("audit", "--data", older)
    assert report["ok"], report["findings"]


def without_second_key(settings: Settings, *others: Any) -> dict[str, str]:  # noqa: ANN401 - handed through
    """As version 0.1 made keys."""
    details = MAKE_KEYS(settings, *others)
    for suffix in (".key", ".vkey"):
        (settings.keys / f"log-mldsa{suffix}").unlink()
    del details["log_mldsa_vkey"]
    return details


def test_compromised_key_signs_nothing_and_saying_so_needs_no_passphrase(
    bare_cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare_cli("log", "checkpoint")
    (bare_cli.data / "passphrase").rename(tmp_path / "passphrase")
    told = bare_cli("keys", "compromise", "log", "--since", "2026-01-01", "--reason", "a disk was lost").out
    assert "compromised since 2026-01-01T00:00:00.000000Z" in told
    assert "catena keys rotate log" in told
    monkeypatch.setenv("CATENA_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    bare_cli("log", "checkpoint", code=3).refused("key_compromised", 3)
    ran = bare_cli("cases", "create", "T7")
    assert "key_compromised" in ran.err, "the log's head is not signed, and the command says so"
    bare_cli("keys", "rotate", "log")
    bare_cli("log", "checkpoint")
    history = bare_cli.json("keys", "history")["keys"]
    old = next(one for one in history if one["compromised_since"])
    assert old["use"] == "log"
    assert old["reasons"][1] == "a disk was lost"
    assert f"retired/compromised-log-{old['name']}.vkey" in kept(bare_cli)


def test_retired_key_that_is_found_to_be_stolen_later_is_disowned_by_its_name(bare_cli: Cli) -> None:
    old = names(bare_cli)["log"]
    bare_cli("keys", "rotate", "log")
    bare_cli("keys", "compromise", "log", "--since", "2026-01-01T10:00:00+02:00", "--key", old[:6])
    history = {one["name"]: one for one in bare_cli.json("keys", "history")["keys"]}
    assert history[old]["compromised_since"] == "2026-01-01T08:00:00.000000Z"
    assert f"retired/compromised-log-{old}.vkey" in kept(bare_cli)
    bare_cli("log", "checkpoint")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("compromise", "seal", "--since", "yesterday"), "bad_time"),
        (("compromise", "seal", "--since", "2126-01-01"), "bad_time"),
        (("compromise", "seal", "--since", "2026-01-01T10:00:00"), "bad_time"),
        (("compromise", "seal", "--since", ""), "bad_time"),
        (("compromise", "seal", "--since", "2026-01-01", "--key", "zz"), "unknown_key"),
        (("compromise", "seal", "--since", "2026-01-01", "--key", ""), "unknown_key"),
        (("compromise", "seal", "--since", "2026-01-01", "--reason", "x" * 2001), "text_too_long"),
        (("compromise", "seal", "--since", "2026-01-01", "--reason", "a\x1b[31m"), "bad_text"),
        (("rotate", "seal", "--reason", "x" * 2001), "text_too_long"),
        (("rotate", "seal", "--pkcs11", "/lib/x.so"), "bad_token"),
        (("rotate", "seal", "--existing"), "bad_token"),
        (("rotate", "pq", "--pkcs11", "/lib/x.so", "--token", "t", "--label", "l"), "bad_token"),
        (("rotate", "log", "--pkcs11", "/lib/x.so", "--token", "t", "--label", "l", "--file"), "bad_token"),
        (("rotate", "log", "--pkcs11", "/lib/none.so", "--token", "t", "--label", "l"), "pkcs11_module_missing"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else value,
)
def test_what_cannot_be_is_refused_and_changes_nothing(bare_cli: Cli, arguments: tuple[str, ...], code: str) -> None:
    before = kept(bare_cli)
    history = bare_cli.json("keys", "history")
    bare_cli("keys", *arguments, code=2).refused(code)
    assert (kept(bare_cli), bare_cli.json("keys", "history")) == (before, history)


@pytest.mark.parametrize("arguments", [("rotate",), ("rotate", "king"), ("compromise", "seal"), ("export",)])
def test_bad_usage_of_keys_is_explained(bare_cli: Cli, arguments: tuple[str, ...]) -> None:
    assert "Usage:" in bare_cli("keys", *arguments, code=2).err


def test_trust_file_leaves_compromised_keys_out_unless_they_are_asked_for(bare_cli: Cli, tmp_path: Path) -> None:
    bare_cli("keys", "rotate", "log")
    bare_cli("keys", "rotate", "ca")
    bare_cli("keys", "compromise", "ca", "--since", "2026-01-01")
    bare_cli("keys", "rotate", "ca")
    bare_cli("keys", "export", "-o", tmp_path / "trust")
    bare_cli("keys", "export", "-o", tmp_path / "all", "--with-compromised")
    usual, everything = ((tmp_path / name).read_text() for name in ("trust", "all"))
    assert (usual.count("BEGIN CERTIFICATE"), everything.count("BEGIN CERTIFICATE")) == (2, 3)
    assert everything.count("# compromised since 2026-01-01T00:00:00.000000Z:") == 1
    assert usual.count("+") >= 3
    assert "PRIVATE" not in everything
    stolen = next(one for one in bare_cli.json("keys", "history")["keys"] if one["compromised_since"])
    assert stolen["material"].strip() in everything
    assert stolen["material"].strip() not in usual
    for text in (usual, everything):
        told = [line.split() for line in text.splitlines() if line.startswith(("compromised ", "retired "))]
        assert [words[:2] for words in told if words[0] == "compromised"] == [["compromised", "ca"]]
        assert {(words[1], words[3]) for words in told if words[0] == "retired"} == {
            ("ca", "at"),
            ("seal", "at"),
            ("log", "at"),
        }
        trust = parse_trust(text.encode())
        assert len(trust.told) == len({words[2] for words in told})


def test_role_that_may_not_is_refused(cli: Cli) -> None:
    for attempt in (("rotate", "seal"), ("compromise", "seal", "--since", "2026-01-01")):
        cli("keys", *attempt, "--as", "lena", code=2).refused("not_allowed")


def test_seal_key_moves_into_a_token_and_out_again_only_when_that_is_said(cli: Cli, token: Token) -> None:
    before = names(cli)
    cli("keys", "rotate", "seal", *in_token(token))
    where = load_token_key(cli.data / "keys" / "seal.pkcs11")
    assert (where.module, where.token, where.label) == (token.module, LABEL, "seal 2026")
    assert "seal.key" not in kept(cli)
    assert PIN not in "".join(path.read_text() for path in (cli.data / "keys").glob("*.pkcs11"))
    assert "in a token" in cli("keys", "list").out
    cli("items", "list")
    assert cli.json("audit")["ok"]
    cli("keys", "rotate", "seal", code=2).refused("key_in_token")
    cli("keys", "rotate", "seal", *in_token(token), code=2).refused("pkcs11_key_exists")
    cli("keys", "rotate", "seal", *in_token(token, "another"))
    assert {name for name in kept(cli) if name.endswith(".pkcs11")} == {
        "seal.pkcs11",
        f"retired/seal-{where_name(cli, 1)}.pkcs11",
    }
    cli("keys", "rotate", "seal", "--file")
    assert {"seal.key"} <= kept(cli)
    assert "seal.pkcs11" not in kept(cli)
    assert len({before["seal"], *(where_name(cli, n) for n in range(3))}) == 4
    assert cli.json("audit")["ok"]


def where_name(cli: Cli, ago: int) -> str:
    """Short name of the seal key of so many rotations ago."""
    return str([one["name"] for one in cli.json("keys", "history")["keys"] if one["use"] == "seal"][ago])[:16]


def test_new_authority_certifies_the_key_that_is_in_the_token_and_a_theft_concerns_both_certificates(
    bare_cli: Cli, token: Token
) -> None:
    bare_cli("keys", "rotate", "seal", *in_token(token))
    where = load_token_key(bare_cli.data / "keys" / "seal.pkcs11")
    first = names(bare_cli)["seal"]
    bare_cli("keys", "rotate", "ca")
    assert load_token_key(bare_cli.data / "keys" / "seal.pkcs11") == where
    second = names(bare_cli)["seal"]
    assert first != second
    concerned = bare_cli.json("keys", "compromise", "seal", "--since", "2026-01-01")["keys"]
    assert {one["name"] for one in concerned} == {first, second}
    bare_cli("keys", "rotate", "ca", code=2).refused("key_in_token")
    bare_cli("keys", "rotate", "ca", *in_token(token, "fresh"))
    assert load_token_key(bare_cli.data / "keys" / "seal.pkcs11").label == "fresh"
    assert bare_cli.json("audit")["ok"], "nothing had been sealed with the stolen key"


def test_key_that_is_in_the_token_already_is_taken_when_it_is_of_the_right_kind(bare_cli: Cli, token: Token) -> None:
    from evidence_store.keys.base import ECDSA_P256_SHA256, ED25519
    from evidence_store.keys.pkcs11 import generate_in_token

    generate_in_token(token.module, LABEL, "made by hand", ECDSA_P256_SHA256, lambda: PIN)
    generate_in_token(token.module, LABEL, "edwards", ED25519, lambda: PIN)
    bare_cli("keys", "rotate", "seal", *in_token(token, "edwards"), "--existing", code=3).refused("key_mismatch", 3)
    bare_cli("keys", "rotate", "seal", *in_token(token, "none"), "--existing", code=2).refused("pkcs11_key_missing")
    bare_cli("keys", "rotate", "seal", *in_token(token, "made by hand"), "--existing")
    bare_cli("keys", "rotate", "log", *in_token(token, "edwards"), "--existing")
    bare_cli("log", "checkpoint")
    assert bare_cli.json("audit")["ok"]


def test_missing_wrong_and_unreadable_pins_are_named_and_shown_nowhere(
    bare_cli: Cli, token: Token, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tests.softhsm import restart_module

    (tmp_path / "pin").write_text(f"{PIN}\r\n")
    monkeypatch.delenv("CATENA_PKCS11_PIN")
    bare_cli("keys", "rotate", "log", *in_token(token), code=3).refused("pkcs11_pin_missing", 3)
    monkeypatch.setenv("CATENA_PKCS11_PIN_FILE", str(tmp_path / "none"))
    bare_cli("keys", "rotate", "log", *in_token(token), code=3).refused("pkcs11_pin_unreadable", 3)
    monkeypatch.setenv("CATENA_PKCS11_PIN_FILE", str(tmp_path / "pin"))
    bare_cli("keys", "rotate", "log", *in_token(token))
    bare_cli("cases", "create", "T3")
    restart_module(token.module)
    monkeypatch.setenv("CATENA_PKCS11_PIN", "wrong-pin")
    line = bare_cli("log", "checkpoint", code=2).refused("pkcs11_pin_wrong")
    assert "wrong-pin" not in line
    monkeypatch.delenv("CATENA_PKCS11_PIN")
    bare_cli("log", "checkpoint")


def test_both_a_key_file_and_a_token_key_are_never_guessed_between(bare_cli: Cli, token: Token) -> None:
    bare_cli("keys", "rotate", "log", *in_token(token), "--keep-private")
    private = next((bare_cli.data / "keys" / "retired").glob("log-*.key"))
    shutil.copy(private, bare_cli.data / "keys" / "log.key")
    bare_cli("log", "checkpoint", code=3).refused("key_ambiguous", 3)
    found = {finding["code"] for finding in bare_cli.json("audit", code=1)["findings"]}
    assert "key_unusable" in found
