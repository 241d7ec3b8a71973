"""`catena items source`: versions are shown and added, and refusals say why in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.intake.collections.entries import Check
from app.wiring import open_archive
from tests.archives import settings_of
from tests.collectors import AutoArchive, an_authority
from tests.commands import Cli, at, copy_of, furnished
from tests.tsa import LocalTsa


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of(furnished, tmp_path_factory.mktemp("sources"))


@pytest.fixture
def cli(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return at(folder, monkeypatch, capsys)


def an_item(cli: Cli) -> str:
    return cli.one("select id from item order by received_at limit 1")


def test_an_item_has_the_version_of_its_deposit(cli: Cli) -> None:
    shown = cli.json("items", "source", an_item(cli))
    assert shown["current"] == shown["first"]
    assert shown["current"]["source"] == {"note": "from a witness"}
    assert shown["current"]["version"] == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--set", "url=https://example.org/1"], "reason_required"),
        (["--reason", "why"], "nothing_to_set"),
        (["--set", "uri=x", "--reason", "why"], "unknown_field"),
        (["--set", "url", "--reason", "why"], "bad_setting"),
        (["--set", "url=a", "--clear", "url", "--reason", "why"], "bad_setting"),
        (["--set", "url=javascript:alert(1)", "--reason", "why"], "bad_source"),
        (["--set", "note=from a witness", "--reason", "why"], "source_unchanged"),
        (["--set", "tool=x", "--reason", "why", "--expect", "7"], "source_changed"),
    ],
)
def test_what_cannot_be_stated_is_refused_in_one_line(cli: Cli, arguments: list[str], code: str) -> None:
    cli("items", "source", an_item(cli), *arguments, code=2).refused(code)


def test_a_new_version_is_shown_beside_the_first_and_the_audit_is_clean(cli: Cli) -> None:
    item = an_item(cli)
    made = cli.json(
        "items", "source", item, "--set", "url=https://example.org/1", "--set", "handling=minors,do_not_publish",
        "--clear", "note", "--reason", "the witness named the post", "--expect", "1",
    )  # fmt: skip
    assert made["current"]["version"] == 2
    assert made["current"]["source"] == {"url": "https://example.org/1", "handling": ["do_not_publish", "minors"]}
    assert made["first"]["source"] == {"note": "from a witness"}
    shown = cli.json("items", "show", item)
    assert (shown["source_version"], shown["source"]) == (2, made["current"]["source"])
    assert shown["source_at_deposit"] == {"note": "from a witness"}
    text = cli("items", "show", item).out
    assert "source (version 2, as stated):" in text
    assert "source at the deposit (version 1, no longer stated):" in text
    assert cli.json("audit")["ok"]


def test_an_unknown_item_has_no_source(cli: Cli) -> None:
    cli("items", "source", "0b0f2f6e-3f0f-4b39-8f4d-9ad3b1f7c002", code=2).refused("unknown_item")


def test_what_is_stated_on_the_command_line_is_kept_with_every_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"a file of its own")
    arguments = ["ingest", tmp_path / "a.bin", "--case", "T1", "--no-analysis"]
    cli(*arguments, "--consent", "given_with_conditions", code=2).refused("bad_source")
    taken = cli.json(
        *arguments, "--platform", "Telegram", "--caption", "a\nb", "--posted-at", "2025-07-06T14:00:00+03:00",
        "--handling", "minors", "--handling", "do_not_publish", "--legal-basis", "public_interest",
    )  # fmt: skip
    shown = cli.json("items", "show", taken["items"][0]["id"])
    assert shown["source"] == {
        "platform": "Telegram",
        "caption": "a\nb",
        "posted_at": "2025-07-06T14:00:00+03:00",
        "handling": ["do_not_publish", "minors"],
        "legal_basis": "public_interest",
    }


def test_a_collectors_time_stamp_passes_under_an_authority_that_the_archive_asks(cli: Cli, tmp_path: Path) -> None:
    tsa = LocalTsa(tmp_path / "tsa", an_authority("collectors"))
    made = AutoArchive(tmp_path / "local_archive")
    made.add("video.mp4", b"a video of nothing")
    made.stamp(tsa)
    folder = made.write(database=True)

    def taken(*more: str) -> tuple[dict[str, str], set[str]]:
        done = cli.json("ingest", folder, "--case", "T1", "--no-analysis", "--collection", "auto-archiver", *more)
        (item,) = [one["id"] for one in done["items"] if one["path"].endswith("video.mp4")]
        shown = cli.json("items", "show", item)
        return {one["kind"]: one["verdict"] for one in shown["checks"]}, {
            Path(one["path"]).name for one in done["items"]
        }

    assert taken()[0]["rfc3161_timestamp"] == "not_checked"
    services = open_archive(settings_of(cli.data), lambda: b"")
    who = services.access.local_operator()
    services.timestamps.add(who.actor, "collectors", "http://127.0.0.1:9/", tsa.authority.roots_pem, try_it=False)
    services.archive.db.close()
    verdicts, names = taken("--again")
    assert verdicts == {"auto_archiver_hash": "passed", "rfc3161_timestamp": "passed"}
    assert names == {path.name for path in folder.rglob("*") if path.is_file()}
    assert cli.json("audit")["ok"]


def test_a_manifest_is_an_item_beside_its_files(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"named by a row")
    (tmp_path / "b.bin").write_bytes(b"named by none")
    (tmp_path / "list.csv").write_text("file,platform\na.bin,Telegram\n", encoding="utf-8")
    done = cli.json(
        "ingest", tmp_path, "--case", "T1", "--no-analysis", "--collection", "manifest",
        "--manifest", tmp_path / "list.csv",
    )  # fmt: skip
    assert [Path(one["path"]).name for one in done["items"]] == ["list.csv", "a.bin"]
    assert [(Path(one["path"]).name, one["kind"]) for one in done["sidecars"]] == [("list.csv", "manifest")]
    assert [(Path(one["path"]).name, one["code"]) for one in done["left_out"]] == [("b.bin", "not_in_manifest")]
    assert cli.json("items", "show", done["items"][0]["id"])["source"] == {}


def test_a_failed_check_is_plain_to_see(cli: Cli) -> None:
    item = an_item(cli)
    services = open_archive(settings_of(cli.data), lambda: b"")
    who = services.access.local_operator()
    services.checks.add(who, item, [Check("manifest_sha256", "failed", {"reason": "another file"})])
    services.archive.db.close()
    text = cli("items", "show", item).out
    told = "collector's check manifest_sha256: FAILED (checked on the depositor's machine): another file"
    assert told in text.splitlines()
    shown = cli.json("items", "show", item)
    assert (shown["failed_checks"], shown["checks"][0]["verdict"]) == (1, "failed")
