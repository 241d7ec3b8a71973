"""The verifier's command, trust file and report."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evidence_store
from app.version import version
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import format_cosigner_vkey
from evidence_store.trust import Verdict
from evidence_store.verify.__main__ import main
from evidence_store.verify.report import Report, catalogue
from evidence_store.verify.trust import parse_trust
from tests.attested import local_tsa, policy_text, witness
from tests.bundles import SampleArchive, of_no_known_version, sample_archive

SOURCES = Path(evidence_store.__file__).parent
TESTS = Path(__file__).resolve().parent.parent


@cache
def archive() -> SampleArchive:
    return sample_archive("verifier")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.zip"
    path.write_bytes(archive().bundle())
    return path


# --- command line ---------------------------------------------------------------------------------------------------


def test_a_good_bundle_exits_0_and_prints_one_json_document(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(bundle), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report) == {
        "ok", "checked", "findings", "claims", "proven", "not_proven", "cannot_be_proven", "verifier", "bundle", "keys",
        "time_stamps", "verdict", "witnesses",
    }  # fmt: skip
    assert report["ok"] is True
    assert report["claims"] == [*report["proven"], *report["not_proven"], *report["cannot_be_proven"]]
    assert report["verifier"] == {"name": "catena verify", "version": version()}
    assert report["bundle"]["bundle_id"] == archive().plan().bundle_id
    assert all(set(finding) == {"code", "severity", "subject", "detail"} for finding in report["findings"])


def test_the_module_runs_as_a_program(bundle: Path) -> None:
    command = [sys.executable, "-m", "evidence_store.verify"]
    done = subprocess.run([*command, bundle], capture_output=True, text=True, check=False, cwd=SOURCES.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\nWHOLE, BUT NOT SHOWN WHOSE\n")
    assert subprocess.run(command, capture_output=True, check=False, cwd=SOURCES.parent).returncode == 2


def test_trusted_keys_leave_no_warning(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trust = tmp_path / "trust"
    keys = f"{archive().log_vkey}\n{archive().pq_vkey}\n".encode()
    trust.write_bytes(b"# from the archive's office\n" + archive().ca_pem + b"\n" + keys)
    assert main([str(bundle), "--trust", str(trust)]) == 0
    assert "WARNING" not in capsys.readouterr().out


def test_keys_of_somebody_else_exit_1(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trust = tmp_path / "trust"
    trust.write_bytes(sample_archive("forger").ca_pem)
    assert main([str(bundle), "--trust", str(trust)]) == 1
    assert "seal_invalid" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["{bundle}", "--what"],
        ["{bundle}", "{bundle}"],
        ["{folder}/none.zip"],
        ["{folder}/\0"],
        ["{folder}/text"],
        ["{folder}/empty"],
        ["{bundle}", "--trust", "{folder}/none"],
        ["{bundle}", "--trust", "{folder}/\0"],
        ["{bundle}", "--trust", "{folder}/text"],
        ["{bundle}", "--trust", "{folder}/large"],
    ],
)
def test_bad_usage_and_things_that_are_no_bundle_exit_2_with_one_line(
    arguments: list[str], bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "large").write_bytes(b"#" * (1 << 20) + b"#")
    (tmp_path / "empty").mkdir()
    assert main([argument.format(bundle=bundle, folder=tmp_path) for argument in arguments]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "catena verify" in output.err


def test_help_exits_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "--trust" in capsys.readouterr().out


# --- trust file ------------------------------------------------------------------------------------------------------


def test_a_trust_file_may_hold_certificates_keys_comments_and_empty_lines() -> None:
    other = sample_archive("forger")
    trust = parse_trust(archive().ca_pem + b"\n# both\n" + other.ca_pem + b"\n" + other.log_vkey.encode() + b"\r\n")
    assert list(trust.roots) == [archive().ca, other.ca]
    assert [key.name for key in trust.log_keys] == [other.log_name]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"# nothing\n",
        b"trust me",
        b"\xff",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ],
)
def test_a_typing_error_cannot_pass_for_trust(data: bytes) -> None:
    with pytest.raises(EvidenceStoreError) as caught:
        parse_trust(data)
    assert caught.value.code == "trust_file_malformed"


def test_a_witnesss_key_is_no_key_of_the_archive() -> None:
    key = witness("w1.example").key
    line = format_cosigner_vkey(key.name, key.algorithm, key.public_key)
    with pytest.raises(EvidenceStoreError, match="use --policy"):
        parse_trust(archive().ca_pem + f"{line}\n".encode())


@pytest.mark.parametrize("option", ["--tsa", "--policy", "--html", "--trust"])
def test_files_of_the_caller_that_cannot_be_used_exit_2_with_one_line(
    option: str, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text").write_text("trust me\n")
    (tmp_path / "large").write_bytes(b"#" * (1 << 20) + b"#")
    for value in ("text", "large", "none/none"):
        if (option, value) in {("--html", "text"), ("--html", "large")}:
            continue  # these are there already, and stay as they are
        assert main([str(bundle), option, str(tmp_path / value)]) == 2
        output = capsys.readouterr()
        assert (output.out, output.err.count("\n")) == ("", 1)
    assert main([str(bundle), "--json", option, str(tmp_path / "none/none")]) == 2
    assert set(json.loads(capsys.readouterr().out)["error"]) == {"code", "detail"}


def test_all_that_a_caller_can_trust_leaves_nothing_open_but_what_nobody_can_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = sample_archive("all", tsas={"first": local_tsa("first")}, witnesses=[witness("w1.example")])
    (tmp_path / "bundle.zip").write_bytes(made.bundle())
    (tmp_path / "trust").write_bytes(made.ca_pem + f"{made.log_vkey}\n{made.pq_vkey}\n".encode())
    (tmp_path / "tsa").write_bytes(b"# from the authority's site\n" + local_tsa("first").authority.roots_pem)
    (tmp_path / "policy").write_text(policy_text(["w1.example"], "all"))
    arguments = [str(tmp_path / "bundle.zip"), "--json"]
    for option in ("trust", "tsa", "policy"):
        arguments += [f"--{option}", str(tmp_path / option)]
    assert main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["not_proven"] == []
    assert [f for f in report["findings"] if f["severity"] != "info"] == []
    assert all(stamp["trusted"] for stamp in report["time_stamps"])


@given(st.binary(max_size=300))
def test_any_trust_file_is_read_or_refused(data: bytes) -> None:
    with pytest.raises(EvidenceStoreError, match="trust_file_malformed"):
        parse_trust(data)


@pytest.mark.parametrize("option", ["--trust", "--tsa"])
def test_certificate_of_an_unknown_version_is_bad_usage_and_no_traceback(
    option: str, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "keys").write_bytes(of_no_known_version(archive().ca))
    assert main([str(bundle), option, str(tmp_path / "keys")]) == 2
    assert f"{option[2:]}_file_malformed" in capsys.readouterr().err


# --- report -----------------------------------------------------------------------------------------------------------


def test_names_from_a_bundle_cannot_write_to_the_terminal_or_fake_a_line() -> None:
    report = Report()
    report.finding("file_missing", "a\x1b[2J\nVERIFIED", "b\r\u202e\ud800")
    report.claims = [{"code": "x", "text": "c\nVERIFIED"}]
    text = report.as_text()
    assert "\x1b" not in text
    assert text.count("\n") == 4
    assert text.endswith("\nNOT VERIFIED: see the errors above")
    assert text.encode("utf-8")
    assert "Checked: nothing." in text


def test_only_errors_make_a_report_not_ok() -> None:
    report = Report()
    report.finding("trust_not_anchored", "x", "y")
    report.finding("file_sealed_only", "x", "y")
    assert report.ok
    report.finding("file_missing", "x", "y")
    assert not report.ok


def used_codes() -> set[str]:
    app = SOURCES.parent / "app"  # the archive's own audit speaks in the same codes; one is also the code of a refusal
    sources = [*SOURCES.glob("verify/*.py"), SOURCES / "bundle/events.py", *app.glob("audit/*.py")]
    sources += [app / "timestamps" / "recorded.py", app / "patterns" / "recount.py"]
    text = "\n".join(path.read_text("utf-8") for path in sources)
    verdicts = {verdict.value for verdict in Verdict if verdict is not Verdict.VALID}
    chosen = {code for code in catalogue() if f'"{code}"' in text}  # which of two is decided before the call
    return verdicts | chosen | set(re.findall(r'(?:\.finding|\._find|broken\.append)\(\s*\(?\s*"([a-z0-9_]+)"', text))


def test_every_code_in_use_is_explained_and_every_explained_code_is_in_use() -> None:
    assert used_codes() == set(catalogue())


def test_every_finding_call_names_its_code_or_takes_it_from_the_chain_the_key_history_or_a_part_of_a_set() -> None:
    calls = [
        call
        for path in sorted(SOURCES.glob("verify/*.py"))
        for call in re.findall(r"\.finding\(\s*([^\s,]+),", path.read_text("utf-8"))
    ]
    assert [call for call in calls if not call.startswith('"')] == ["code", "verdict.value", "finding.code"]


def test_every_code_is_raised_by_an_attack_in_these_tests() -> None:
    attacks = "\n".join(path.read_text("utf-8") for path in (TESTS / "tamper").rglob("*.py"))
    assert [code for code in catalogue() if f'"{code}"' not in attacks] == []


def test_every_finding_is_explained_for_people() -> None:
    for code, entry in catalogue().items():
        assert set(entry) == {"severity", "message", "meaning"}, code
        assert entry["severity"] in {"error", "warning", "info"}
        assert entry["message"].endswith(".")
        assert entry["meaning"].endswith(".")


def test_the_verifier_needs_no_writer_no_private_key_and_no_network() -> None:
    program = (
        "import sys, evidence_store.verify.__main__\n"
        "banned = ('stream_zip', 'Crypto', 'pydantic', 'ssl', 'http', 'evidence_store.keys', 'evidence_store.blobs')\n"
        "print(*[name for name in sys.modules if name.startswith(banned)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=SOURCES.parent
    )
    assert done.stdout.split() == []
