"""`catena export --to`, `disclose`, `disclosures`, `redact`, `redactions`: as docs/disclosure.md has them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.export import making
from tests.commands import Cli, at, copy_of, furnished
from tests.disclosing import assert_nowhere
from tests.unit.test_envelope import certificate

DOC = Path(__file__).parents[2] / "docs" / "disclosure.md"
TO = ("--to", "Example Court, chamber 2", "--kind", "court")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of(furnished, tmp_path_factory.mktemp("disclosure"))


@pytest.fixture
def cli(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return at(folder, monkeypatch, capsys)


def a_photo(cli: Cli) -> str:
    return cli.one("select id from item where original_name = 'b.png'")


def test_a_restricted_item_is_withheld_opened_and_listed(cli: Cli, tmp_path: Path) -> None:
    item, bundle, opening = a_photo(cli), tmp_path / "bundle.zip", tmp_path / "opening.json"
    stated = ("--set", "handling=protect_source", "--set", "collector=Secret Collector", "--reason", "she asked")
    cli("items", "source", item, *stated)
    line = cli("export", "--case", "T1", "-o", bundle, code=2).refused("restricted_items")
    assert f"{item}: handling protect_source" in line
    assert not bundle.exists()
    copy = cli.json("redact", item, "--region", "10,10,50,50", "--reason", "a face")
    cli("redactions", "review", copy["id"], "--decision", "approve", code=2).refused("own_work")
    assert cli.json("redactions", "review", copy["id"], "--decision", "approve", "--as", "lena")["state"] == "approved"
    assert [one["id"] for one in cli.json("redactions", "list", item)["redactions"]] == [copy["id"]]
    cli("redactions", "show", copy["id"], "-o", tmp_path / "copy.jpg")
    assert (tmp_path / "copy.jpg").read_bytes().startswith(b"\xff\xd8\xff")
    made = cli.json("export", "--case", "T1", *TO, "--purpose", "Request 17", "-o", bundle)
    assert cli.json("verify", bundle)["ok"] is True
    assert_nowhere(bundle, ["Secret Collector"])
    told = ("disclose", made["id"], *TO, "--purpose", "Order of 3 June", "--release", "Agreed", "-o", opening)
    whole = cli.one("select id from item where original_name = 'c.txt'")
    for unknown in ("00000000-0000-4000-8000-000000000000", "b.png", f"{item} "):
        cli(*told, "--item", item, "--item", unknown, code=2).refused("unknown_item")
    both = ("--item", item, "--item", whole, "--name", "source.collector")  # the other has no collector
    assert whole in cli(*told, *both, code=2).refused("nothing_to_open")
    assert not opening.exists()
    assert [one["kind"] for one in cli.json("disclosures", "list", "--item", item)["disclosures"]] == ["bundle"]
    cli(*told)
    report = cli.json("verify", bundle, "--opening", opening)
    assert report["checked"]["values opened"] > 0
    assert "Secret Collector" in opening.read_text("utf-8")
    forged = json.loads(opening.read_text("utf-8"))
    forged["openings"][0][2] = "something else"
    wrong = tmp_path / "forged.json"
    wrong.write_bytes(json.dumps(forged, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
    found = cli.json("verify", bundle, "--opening", wrong, code=1)
    assert "opening_wrong" in {one["code"] for one in found["findings"]}
    listed = cli.json("disclosures", "list", "--item", item)["disclosures"]
    assert [one["kind"] for one in listed] == ["opening", "bundle"]
    table = list(csv.DictReader(io.StringIO(cli("disclosures", "list", "--case", "T1", "--csv").out)))
    assert [line["recipient"] for line in table] == ["Example Court, chamber 2"] * 2
    assert cli.json("audit")["ok"] is True


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--to", "", "--kind", "court"], "bad_recipient"),
        (["--withhold", "00000000-0000-4000-8000-000000000000"], "recipient_required"),
        ([*TO, "--withhold", "00000000-0000-4000-8000-000000000000"], "not_in_the_export"),
        ([*TO, "--withhold", "x:half"], "bad_part"),
        ([*TO, "--release", "x"], "bad_release"),
        ([*TO, "--release", "x= "], "reason_required"),
        ([*TO, "--encrypt-to", "no such file"], "unreadable"),
    ],
)
def test_wishes_that_make_no_sense_are_refused_in_one_line(
    cli: Cli, tmp_path: Path, arguments: list[str], code: str
) -> None:
    cli("export", "--case", "T1", *arguments, "-o", tmp_path / "b.zip", code=2).refused(code)
    assert not (tmp_path / "b.zip").exists()


def test_a_bundle_is_encrypted_as_the_document_says(cli: Cli, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "court.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "court.pem").write_bytes(certificate(key, datetime.now(UTC)).public_bytes(Encoding.PEM))
    item = cli.one("select id from item where original_name = 'c.txt'")
    shown = cli.json(
        "export", "--item", item, "--encrypt-to", tmp_path / "court.pem", "-o", tmp_path / "BUNDLE.zip.p7m"
    )
    written = (tmp_path / "BUNDLE.zip.p7m").read_bytes()
    assert shown["file"] == {"sha256": hashlib.sha256(written).hexdigest(), "size": len(written)}
    (command,) = re.findall(r"^    (openssl cms -decrypt .*)$", DOC.read_text("utf-8"), re.MULTILINE)
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    assert cli.json("verify", tmp_path / "BUNDLE.zip")["ok"] is True
    assert hashlib.sha256((tmp_path / "BUNDLE.zip").read_bytes()).hexdigest() == shown["sha256"]


def test_a_certificate_that_is_not_valid_today_is_refused_before_anything_is_exported(cli: Cli, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    item = cli.one("select id from item where original_name = 'c.txt'")
    before = cli.json("disclosures", "list")
    events = cli.one("select count(*) from custody_event")
    for days in (-30, 30):
        expired = certificate(key, datetime.now(UTC) + timedelta(days=days))
        (tmp_path / "court.pem").write_bytes(expired.public_bytes(Encoding.PEM))
        asked = ("export", "--item", item, "--encrypt-to", tmp_path / "court.pem", "-o", tmp_path / "b.p7m")
        cli(*asked, code=2).refused("recipient_unfit")
    assert not (tmp_path / "b.p7m").exists()
    assert cli.json("disclosures", "list") == before
    assert cli.one("select count(*) from custody_event") == events


def test_a_set_is_refused_before_a_part_is_made_when_it_is_to_be_encrypted(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "FILES_PER_PART", 75)
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "court.pem").write_bytes(certificate(key, datetime.now(UTC)).public_bytes(Encoding.PEM))
    items = [cli.one(f"select id from item where original_name = '{name}'") for name in ("a.jpg", "c.txt")]  # noqa: S608
    asked = ("export", "--item", items[0], "--item", items[1], "-o", tmp_path / "b.p7m")
    cli(*asked, "--encrypt-to", tmp_path / "court.pem", code=2).refused("set_not_encrypted")
    assert not (tmp_path / "b.p7m").exists()
    newest = "select state || ' ' || failure_code from export order by created_at desc limit 1"
    assert cli.one(newest) == "failed set_not_encrypted"
    assert cli.json("audit")["ok"] is True


def test_the_document_names_commands_and_terms_that_are_there(cli: Cli) -> None:
    text = DOC.read_text("utf-8")
    for line in re.findall(r"^    catena (.*)$", text, re.MULTILINE):
        words = line.split()
        name = words[:2] if words[0] in {"redactions", "disclosures"} else words[:1]
        help_text = cli(*name, "--help").out
        for option in re.findall(r" (--[a-z-]+)", line):
            assert option in help_text, line
    for kind in re.findall(r"`([a-z]+)`", text.split("Kinds: ")[1].split("\n")[0]):
        assert kind in cli("export", "--help").out
