"""Keys in a token and keys that were replaced: openssl, which knows nothing of either, accepts every seal."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import commands
from tests.commands import Cli
from tests.judges import require
from tests.softhsm import LABEL, PIN, Token, new_token, restart_module


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    made = commands.at(commands.copy_of(commands.bare, tmp_path), monkeypatch, capsys)
    made("cases", "create", "T1")
    return made


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    made = new_token(tmp_path, monkeypatch)
    monkeypatch.setenv("CATENA_PKCS11_PIN", PIN)
    return made


def ingest(cli: Cli, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(f"what {name} says")
    assert cli.json("ingest", tmp_path / name, "--case", "T1", "--no-analysis")["items"][0]["receipt"]


def exported(cli: Cli, tmp_path: Path) -> Path:
    """A bundle of the case, verified offline with the archive's trust file, and unzipped."""
    bundle, trust = tmp_path / "bundle.zip", tmp_path / "trust.txt"
    cli("export", "--case", "T1", "-o", bundle)
    cli("keys", "export", "-o", trust)
    report = cli.json("verify", bundle, "--trust", trust)
    assert report["ok"], report["findings"]
    assert not [finding for finding in report["findings"] if finding["code"] == "ca_not_trusted"]
    folder = tmp_path / "unzipped"
    subprocess.run([require("unzip"), "-q", bundle, "-d", folder], check=True)
    return folder


def openssl_accepts(folder: Path, seal: str, content: str) -> bool:
    command = [
        require("openssl"), "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", seal, "-content", content,
        "-CAfile", "keys/ca.crt", "-out", os.devnull,
    ]  # fmt: skip
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def all_seals_hold(folder: Path) -> int:
    """Openssl's verdict over the bundle's seal and every receipt; how many receipts there are."""
    assert openssl_accepts(folder, "META-INF/signature001.p7s", "META-INF/ASiCManifest001.xml")
    assert not openssl_accepts(folder, "META-INF/signature001.p7s", "manifest.json")
    receipts = sorted((folder / "custody" / "receipts").glob("*.json"))
    for receipt in receipts:
        assert openssl_accepts(folder, f"custody/receipts/{receipt.name}.p7s", f"custody/receipts/{receipt.name}")
    return len(receipts)


def test_archive_whose_seal_and_log_key_are_in_a_token(cli: Cli, token: Token, tmp_path: Path) -> None:
    in_token = ("--pkcs11", token.module, "--token", LABEL)
    cli("keys", "rotate", "seal", *in_token, "--label", "seal")
    cli("keys", "rotate", "log", *in_token, "--label", "log")
    assert {path.name for path in (cli.data / "keys").glob("*.pkcs11")} == {"seal.pkcs11", "log.pkcs11"}
    assert not (cli.data / "keys" / "seal.key").exists()
    assert not (cli.data / "keys" / "log.key").exists()
    ingest(cli, tmp_path, "first.txt")
    restart_module(token.module)  # the token was pulled out and put in again
    ingest(cli, tmp_path, "second.txt")
    folder = exported(cli, tmp_path)
    assert all_seals_hold(folder) == 2
    assert cli.json("audit")["ok"]


def test_token_that_is_gone_costs_no_item_and_gives_its_receipt_when_it_is_back(
    cli: Cli, token: Token, tmp_path: Path
) -> None:
    cli("keys", "rotate", "seal", "--pkcs11", token.module, "--token", LABEL, "--label", "seal")
    ingest(cli, tmp_path, "first.txt")
    token.pull_out()
    (tmp_path / "second.txt").write_text("while the token is away")
    cli("ingest", tmp_path / "second.txt", "--case", "T1", code=2).refused("pkcs11_token_missing")
    cli("log", "checkpoint")
    token.put_back()
    ingest(cli, tmp_path, "second.txt")
    assert all_seals_hold(exported(cli, tmp_path)) == 2


def test_bundle_of_an_archive_that_replaced_its_authority_holds_for_openssl_with_every_receipt(
    cli: Cli, tmp_path: Path
) -> None:
    ingest(cli, tmp_path, "first.txt")
    cli("keys", "rotate", "seal")
    ingest(cli, tmp_path, "second.txt")
    cli("keys", "rotate", "ca")
    ingest(cli, tmp_path, "third.txt")
    folder = exported(cli, tmp_path)
    assert (folder / "keys" / "ca.crt").read_text().count("BEGIN CERTIFICATE") == 2
    assert (folder / "keys" / "seal.crt").read_text().count("BEGIN CERTIFICATE") == 3
    assert all_seals_hold(folder) == 3


def test_retired_certificates_are_still_what_openssl_reads_and_the_new_keys_files_too(cli: Cli) -> None:
    cli("keys", "rotate", "ca", "--keep-private")
    keys = cli.data / "keys"
    passphrase = f"file:{cli.data / 'passphrase'}"
    certificates = [keys / "ca.crt", keys / "seal.crt", *(keys / "retired").glob("*.crt")]
    assert len(certificates) == 4
    for path in certificates:
        command = [require("openssl"), "x509", "-in", str(path), "-noout", "-fingerprint", "-sha256"]
        assert subprocess.run(command, capture_output=True, check=True).stdout.startswith(b"sha256 Fingerprint=")
    for path in (keys / "ca.key", keys / "seal.key", *(keys / "retired").glob("*.key")):
        command = [require("openssl"), "pkey", "-in", str(path), "-passin", passphrase, "-noout", "-check"]
        assert subprocess.run(command, capture_output=True, check=True).returncode == 0
