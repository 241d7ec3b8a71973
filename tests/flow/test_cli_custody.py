"""Export, verify, audit, log and keys on the command line: clean, then damaged in every way that matters."""

from __future__ import annotations

import base64
import json
import shutil
import zipfile
from functools import partial
from pathlib import Path

import pytest

from evidence_store.log import merkle
from tests.commands import Cli


@pytest.fixture
def bundle(cli: Cli, tmp_path: Path) -> Path:
    cli("export", "--case", "T1", "--purpose", "for the tests", "-o", tmp_path / "bundle.zip")
    return tmp_path / "bundle.zip"


def codes(report: dict[str, list[dict[str, str]]], severity: str = "error") -> set[str]:
    return {finding["code"] for finding in report["findings"] if finding["severity"] == severity}


def test_export_is_verified_offline_and_one_flipped_byte_is_named(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    shutil.rmtree(cli.data)
    report = cli.json("verify", bundle)
    assert set(report) >= {"ok", "checked", "findings", "claims", "proven", "not_proven", "cannot_be_proven"}
    assert report["ok"] is True
    assert codes(report, "warning") == {"trust_not_anchored"}
    claims = len(report["claims"])
    assert "\nWHOLE, BUT NOT SHOWN WHOSE" in cli("verify", bundle).out
    with zipfile.ZipFile(bundle) as opened:
        opened.extractall(tmp_path / "unzipped")
    assert cli.json("verify", tmp_path / "unzipped")["ok"] is True

    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(bytes(data))
    report = cli.json("verify", bundle, code=1)
    assert report["ok"] is False
    assert codes(report)
    assert len(report["claims"]) < claims
    assert "NOT VERIFIED" in cli("verify", bundle, code=1).out
    original = next((tmp_path / "unzipped" / "data" / "originals").rglob("a.jpg"))
    original.write_bytes(original.read_bytes()[:-1] + b"\x00")
    report = cli.json("verify", tmp_path / "unzipped", code=1)
    assert any(original.name in finding["subject"] for finding in report["findings"]), report


def test_the_exported_keys_anchor_the_trust_and_those_of_another_archive_do_not(
    cli: Cli, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = tmp_path / "trust.txt"
    assert cli.json("keys", "export", "-o", trust) == {"trust_file": str(trust)}
    report = cli.json("verify", bundle, "--trust", trust)
    assert codes(report, "error") | codes(report, "warning") == set()
    assert report["ok"] is True
    cli("keys", "export", "-o", trust, code=2).refused("file_exists")
    cli("keys", "export", "-o", tmp_path / "none" / "trust.txt", code=None)
    listed = cli.json("keys", "list")
    assert set(listed) == {"ca", "seal", "log", "pq"}
    assert all("PRIVATE" not in text for text in listed.values())
    public, _, since = trust.read_text().partition("introduced pq ")
    assert listed["ca"] + f"{listed['log']}\n{listed['pq']}\n" == public
    assert since.startswith(f"{listed['pq']} at ")

    monkeypatch.setenv("CATENA_DATA", str(tmp_path / "another"))
    cli("init")
    cli("keys", "export", "-o", tmp_path / "others.txt")
    assert cli.json("verify", bundle, "--trust", tmp_path / "others.txt", code=1)["ok"] is False


def test_verify_of_what_is_no_bundle_is_bad_input(empty_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no bundle")
    (tmp_path / "empty").touch()
    for path in (tmp_path / "text", tmp_path / "empty", tmp_path / "missing"):
        ran = empty_cli("verify", path, "--json", code=None)
        assert ran.code in {1, 2}
        assert ran.json
    (tmp_path / "trust").write_text("no key")
    assert empty_cli("verify", tmp_path / "text", "--trust", tmp_path / "trust", code=2).err.startswith("catena verify")
    assert empty_cli("verify", "-x", code=2).out == ""
    empty_cli("verify", "--", "-x", code=2)


def test_export_takes_exactly_one_scope_and_never_overwrites(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    before = bundle.read_bytes()
    cli("export", "--case", "T1", "-o", bundle, code=2).refused("output_exists")
    assert bundle.read_bytes() == before
    out = tmp_path / "second.zip"
    item = cli.json("items", "list")["items"][0]["id"]
    cli("export", "-o", out, code=2).refused("bad_scope")
    cli("export", "--case", "T1", "--item", item, "-o", out, code=2).refused("bad_scope")
    cli("export", "--case", "NONE", "-o", out, code=2).refused("unknown_case")
    cli("export", "--item", "nothing", "-o", out, code=2).refused("unknown_item")
    cli("export", "--case", "T1", "-o", tmp_path / "none" / "x.zip", code=2).refused("no_such_folder")
    cli("export", "--case", "T1", "--purpose", "x" * 100_000, "-o", out, code=2)
    cli("users", "add", "ivo", "--role", "investigator")
    cli("cases", "add-member", "T1", "ivo")
    cli("export", "--case", "T1", "-o", out, "--as", "ivo", code=2).refused("not_allowed")
    assert not out.exists()
    done = cli.json("export", "--item", item, "-o", out)
    assert done["size"] == out.stat().st_size
    assert cli.json("verify", out)["ok"] is True


def test_export_of_a_damaged_original_is_refused_and_leaves_no_bundle(cli: Cli, tmp_path: Path) -> None:
    flip(stored_original(cli))
    ran = cli("export", "--case", "T1", "-o", tmp_path / "bundle.zip", "--json", code=None)
    assert ran.code in {2, 3}
    assert ran.json["error"]["code"] == "fixity_mismatch"
    assert not (tmp_path / "bundle.zip").exists()


def stored_original(cli: Cli) -> Path:
    sha256 = cli.one("SELECT sha256 FROM item ORDER BY received_at LIMIT 1")
    return cli.data / "blobs" / "sha256" / sha256[:2] / sha256[2:4] / sha256


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(data))


def test_audit_of_a_sound_archive_is_clean_whole_or_sampled(cli: Cli) -> None:
    report = cli.json("audit")
    assert {"ok", "checked", "findings", "claims"} <= set(report)
    assert report["ok"] is True
    assert report["findings"] == []
    assert report["checked"]["blobs hashed"] == int(cli.one("SELECT count(*) FROM blob"))
    sampled = cli.json("audit", "--sample", "1")
    assert sampled["checked"]["blobs hashed"] == 1
    assert cli("audit").out.rstrip().endswith("CLEAN")
    cli("audit", "--as", "lena", code=2).refused("not_allowed")
    cli("audit", "--as", "nobody", code=2).refused("unknown_user")


def test_audit_names_a_flipped_byte_of_a_stored_file(cli: Cli) -> None:
    path = stored_original(cli)
    flip(path)
    report = cli.json("audit", code=1)
    assert codes(report) == {"blob_altered"}
    assert path.name in report["findings"][0]["subject"]
    told = cli("audit", code=1).out
    assert path.name in told
    assert "NOT CLEAN" in told


@pytest.mark.parametrize(
    ("attack", "code", "subject"),
    [
        ("DELETE FROM app_user WHERE name = 'admin'", "row_missing", "app_user"),
        ("UPDATE app_user SET role = 'investigator' WHERE name = 'admin'", "row_altered", "app_user"),
        ("UPDATE app_user SET role = 'god' WHERE name = 'admin'", "row_altered", "app_user"),
        ("UPDATE app_user SET disabled_at = '2026-01-01' WHERE name = 'admin'", "row_altered", "app_user"),
        ("UPDATE app_user SET display_name = 'somebody else' WHERE name = 'admin'", "row_altered", "app_user"),
        ("UPDATE app_user SET name = 'root' WHERE name = 'admin'", "row_altered", "app_user"),
        ("DELETE FROM app_user", "row_missing", "app_user"),
        ("UPDATE item SET original_name = 'x' WHERE original_name = 'a.jpg'", "row_altered", "item"),
        ("UPDATE custody_event SET canonical = x'00' WHERE leaf_index = 5", "event_malformed", "leaf 5"),
        ("DELETE FROM custody_event WHERE leaf_index = 5", "event_missing", "leaf 5"),
    ],
)
def test_audit_runs_and_names_the_row_whoever_was_deleted_or_edited(
    cli: Cli, attack: str, code: str, subject: str
) -> None:
    cli.sql(attack)
    report = cli.json("audit", code=1)
    named = [finding for finding in report["findings"] if finding["code"] == code]
    assert any(subject in finding["subject"] for finding in named), report["findings"]
    assert report["ok"] is False


def test_audit_names_a_lost_key_a_lost_head_and_an_older_database(cli: Cli) -> None:
    older = cli.data.parent / "older"
    shutil.copytree(cli.data, older)
    cli("cases", "create", "T2")
    cli("log", "checkpoint")
    for name in ("catena.db", "catena.db-wal", "catena.db-shm"):
        (cli.data / name).unlink(missing_ok=True)
        if (older / name).exists():
            shutil.copy(older / name, cli.data / name)
    assert "log_rolled_back" in codes(cli.json("audit", code=1))
    cli("log", "checkpoint", code=3).refused("log_rolled_back", 3)
    shutil.rmtree(cli.data)
    older.rename(cli.data)
    (cli.data / "head" / "checkpoint").unlink()
    assert codes(cli.json("audit", code=1)) == {"head_file_missing"}
    (cli.data / "keys" / "log.vkey").unlink()
    assert "key_altered" in codes(cli.json("audit", code=1))
    cli("keys", "list", code=3).refused("key_altered", 3)


def test_audit_of_a_database_with_a_spoiled_page_says_so_and_does_not_end_well(cli: Cli) -> None:
    path = cli.data / "catena.db"
    data = bytearray(path.read_bytes())
    page = int.from_bytes(data[16:18], "big")
    where = int(cli.one("SELECT rootpage FROM sqlite_master WHERE name = 'item'"))
    data[(where - 1) * page : where * page] = b"\xa5" * page
    path.write_bytes(bytes(data))
    ran = cli("audit", "--json", code=None)
    assert ran.code in {1, 3}
    assert ran.json.get("ok") is not True


def test_log_checkpoint_and_proofs_hold_by_themselves(cli: Cli) -> None:
    note = cli.json("log", "checkpoint")["checkpoint"]
    origin, size, root = note.splitlines()[:3]
    assert origin == cli.json("keys", "list")["log"].split("+")[0]
    item = cli.json("items", "list")["items"][0]["id"]
    proof = cli.json("log", "prove", item)["proof"]
    assert proof.startswith("c2sp.org/tlog-proof@v1\nindex ")
    assert cli("log", "prove", item).out.startswith("c2sp.org/tlog-proof@v1\n")
    cli("log", "prove", "nothing", code=2).refused("unknown_item")

    def root_of(number: int) -> bytes:
        leaf = partial(cli.one)
        entries = [leaf(f"SELECT event_sha256 FROM custody_event WHERE leaf_index = {n}") for n in range(number)]  # noqa: S608
        nodes: dict[tuple[int, int], bytes] = {}
        for index, entry in enumerate(entries):
            completed = merkle.nodes_completed_by(
                index, merkle.leaf_hash(bytes.fromhex(entry)), lambda level, at: nodes[(level, at)]
            )
            nodes.update({(level, at): digest for level, at, digest in completed})
        return merkle.root_at(number, lambda level, at: nodes[(level, at)])

    assert base64.b64decode(root) == root_of(int(size))
    shown = cli.json("log", "consistency", "3", size)
    hashes = [base64.b64decode(line) for line in shown["proof"]]
    merkle.verify_consistency(3, int(size), root_of(3), base64.b64decode(root), hashes)
    cli("log", "consistency", "5", "3", code=2).refused("bad_tree_size")
    cli("log", "consistency", "1", "999999", code=2).refused("bad_tree_size")
    assert json.loads(cli("log", "consistency", size, size, "--json").out)["proof"] == []
