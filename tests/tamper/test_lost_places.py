"""An entry without its event: believed where a recovery told of a loss, and a missing event everywhere else."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.checks import audit, errors_of
from tests.commands import Cli, at, copy_of, furnished
from tests.rollbacks import Rollback
from tests.victims import Victim

HIDE = (
    "INSERT INTO lost_entry (leaf_index, entry, canonical) VALUES (7, x'{entry}', NULL)",
    "DELETE FROM custody_event WHERE leaf_index = 7",
)


def entry_of(victim: Victim, leaf: int) -> bytes:
    return bytes.fromhex(victim.one(f"SELECT event_sha256 FROM custody_event WHERE leaf_index = {leaf}"))  # noqa: S608


def test_event_hidden_behind_its_entry_is_missing_though_the_tree_is_whole(victim: Victim) -> None:
    entry = entry_of(victim, 7).hex()
    victim.sql(*(statement.format(entry=entry) for statement in HIDE))
    found = errors_of(audit(victim.services))
    assert ("event_missing", "leaf 7") in found
    assert not {code for code, _ in found} & {"log_node_altered", "log_contradicts_checkpoint"}


def test_event_replaced_by_another_entry_is_missing_and_contradicts_the_tree(victim: Victim) -> None:
    entry = hashlib.sha256(b"something else").hexdigest()
    victim.sql(*(statement.format(entry=entry) for statement in HIDE))
    found = errors_of(audit(victim.services))
    assert ("event_missing", "leaf 7") in found
    assert ("log_node_altered", "log node (0, 7)") in found


@pytest.mark.parametrize("entry", ["x''", "'text'", "x'00'"])
def test_what_is_no_entry_is_named(victim: Victim, entry: str) -> None:
    victim.sql(
        f"INSERT INTO lost_entry (leaf_index, entry, canonical) VALUES (7, {entry}, NULL)",  # noqa: S608
        "DELETE FROM custody_event WHERE leaf_index = 7",
    )
    assert ("event_missing", "leaf 7") in errors_of(audit(victim.services))


def test_entry_beside_an_event_or_beyond_the_log_is_named(victim: Victim) -> None:
    victim.sql("INSERT INTO lost_entry (leaf_index, entry, canonical) VALUES (3, zeroblob(32), NULL)")
    assert ("log_node_extra", "lost entry 3") in errors_of(audit(victim.services))


@pytest.fixture
def recovered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rollback:
    """An archive that lost events and kept the texts of some."""
    cli = at(copy_of(furnished, tmp_path), monkeypatch, capsys)
    (tmp_path / "elsewhere").mkdir()
    older = Rollback.happen(cli, tmp_path / "elsewhere")
    sources = ("--from", older.mirror, "--from", older.bundle)
    lost = cli.json("log", "recover", *sources, code=1)
    number = len(lost["without_effect"]) + len(lost["without_text"])
    cli("log", "recover", *sources, "--apply", "--accept-loss", number)
    return older


def findings(cli: Cli) -> set[tuple[str, str]]:
    return {(found["code"], found["subject"]) for found in cli.json("audit", code=1)["findings"]}


def test_after_a_recovery_a_kept_text_cannot_be_changed_and_no_further_event_can_be_hidden(recovered: Rollback) -> None:
    cli = recovered.cli
    place = cli.one("SELECT min(leaf_index) FROM lost_entry WHERE canonical IS NOT NULL")
    cli.sql(f"UPDATE lost_entry SET canonical = x'7b7d' WHERE leaf_index = {place}")  # noqa: S608
    assert ("event_malformed", f"leaf {place}") in findings(cli)
    entry = cli.one("SELECT event_sha256 FROM custody_event WHERE leaf_index = 7")
    cli.sql(*(statement.format(entry=entry) for statement in HIDE))
    assert ("event_missing", "leaf 7") in findings(cli)


@pytest.mark.parametrize(
    "edit",
    [
        "entry = zeroblob(32)",
        "entry = hex(entry)",
        "entry = x''",
        "leaf_index = leaf_index + 100000",
        "leaf_index = 3",
        "canonical = 'text'",
        "canonical = x'00'",
        "canonical = 7",
    ],
)
def test_every_edit_of_a_lost_place_is_an_error(recovered: Rollback, edit: str) -> None:
    first = "(SELECT min(leaf_index) FROM lost_entry)"
    recovered.cli.sql(f"UPDATE lost_entry SET {edit} WHERE leaf_index = {first}")  # noqa: S608 - our own words
    report = recovered.cli.json("audit", code=1)
    errors = {found["code"] for found in report["findings"] if found["severity"] == "error"}
    assert errors & {"event_missing", "event_malformed", "log_node_extra", "log_node_altered"}


def test_a_lost_place_that_is_taken_away_is_a_missing_event(recovered: Rollback) -> None:
    place = recovered.cli.one("SELECT min(leaf_index) FROM lost_entry")
    recovered.cli.sql(f"DELETE FROM lost_entry WHERE leaf_index = {place}")  # noqa: S608
    assert any(code == "event_missing" for code, _ in findings(recovered.cli))
