"""`catena log recover`: an older database becomes whole again, or keeps the places of what is lost; never a fork."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands import Cli, at
from tests.mirrors import verified
from tests.rollbacks import Rollback, copy_database


@pytest.fixture
def older(cli: Cli, tmp_path: Path) -> Rollback:
    (tmp_path / "elsewhere").mkdir()
    return Rollback.happen(cli, tmp_path / "elsewhere")


def codes(cli: Cli, code: int = 0) -> dict[str, str]:
    """Findings of a full audit by code, with their severities."""
    return {found["code"]: found["severity"] for found in cli.json("audit", code=code)["findings"]}


def rows(database: Path, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)  # noqa: S608 - our own words


def events(database: Path, first: int) -> list[bytes]:
    query = "SELECT canonical FROM custody_event WHERE leaf_index >= ? ORDER BY leaf_index"
    with closing(sqlite3.connect(database)) as connection:
        return [canonical for (canonical,) in connection.execute(query, (first,))]


def assert_continued(older: Rollback, folder: Path) -> None:
    """The log that was published before the loss goes on: nobody who holds a checkpoint of it sees a fork."""
    vkey = older.cli.json("keys", "list")["log"].strip().splitlines()[0]
    before = verified(older.mirror, vkey)
    older.cli("log", "export", older.mirror)
    assert verified(older.mirror, vkey).size > before.size == older.size
    older.cli("log", "export", folder, "--recheck")
    assert verified(folder, vkey).root == verified(older.mirror, vkey).root


# -- who may, and when there is nothing to do ---------------------------------------------------


def test_only_an_admin_recovers(older: Rollback) -> None:
    for who, code in (("lena", "not_allowed"), ("nobody", "unknown_user")):
        older.cli("log", "recover", "--from", older.newer, "--apply", "--as", who, code=2).refused(code)
    assert older.sizes() == (older.backed_up, older.size)


def test_where_nothing_is_missing_nothing_is_done(cli: Cli) -> None:
    size = cli.one("SELECT size FROM log_head")
    told = cli.json("log", "recover", "--apply")
    assert (told["missing"], told["brought_back"]) == (0, 0)
    assert "nothing is missing" in cli("log", "recover").out
    assert cli.one("SELECT size FROM log_head") == size
    cli("log", "recover", "--apply", "--accept-loss", "1", code=2).refused("loss_not_accepted")


# -- nothing is lost for good -------------------------------------------------------------------


def test_newer_database_brings_everything_back_and_the_audit_is_clean(older: Rollback, tmp_path: Path) -> None:
    cli = older.cli
    shown = cli.json("log", "recover", "--from", older.newer, code=1)
    assert (shown["missing"], shown["brought_back"]) == (older.lost, older.lost)
    assert (shown["without_effect"], shown["without_text"]) == ([], [])
    assert older.sizes() == (older.backed_up, older.size), "showing changes nothing"
    before = older.newer.read_bytes()
    told = cli.json("log", "recover", "--from", older.newer, "--apply")
    assert told["applied"] is True
    assert older.newer.read_bytes() == before, "the source is only read"
    assert events(cli.data / "catena.db", 0)[: older.size] == events(older.newer, 0)
    for table in ("item", "blob", "receipt", "app_user", "access_token", "analysis_run", "fingerprint", "export"):
        assert rows(cli.data / "catena.db", table) == rows(older.newer, table), table
    assert codes(cli) == {}
    assert older.sizes()[0] > older.size
    recovery = events(cli.data / "catena.db", older.size)[0]
    assert b'"type":"log recovery"' in recovery
    assert b'"brought_back":%d' % older.lost in recovery
    assert_continued(older, tmp_path / "fresh")
    cli("users", "add", "omar", "--role", "legal")
    assert codes(cli) == {}


def test_a_recovery_is_done_once(older: Rollback) -> None:
    older.cli("log", "recover", "--from", older.newer, "--apply")
    sizes = older.sizes()
    assert older.cli.json("log", "recover", "--from", older.newer, "--apply")["missing"] == 0
    assert older.sizes() == sizes


# -- something is lost for good -----------------------------------------------------------------


def test_mirror_alone_keeps_every_place_and_the_log_goes_on_without_a_fork(older: Rollback, tmp_path: Path) -> None:
    cli = older.cli
    shown = cli.json("log", "recover", "--from", older.mirror, code=1)
    assert shown["without_text"] == list(range(older.backed_up, older.size))
    for agreed in ((), ("--accept-loss", str(older.lost - 1)), ("--accept-loss", str(older.lost + 1))):
        line = cli("log", "recover", "--from", older.mirror, "--apply", *agreed, code=2).refused("loss_not_accepted")
        assert f"--accept-loss {older.lost}" in line
    assert older.sizes() == (older.backed_up, older.size)
    cli("log", "recover", "--from", older.mirror, "--apply", "--accept-loss", older.lost)
    found = codes(cli)
    assert found["event_lost"] == "warning"
    assert set(found.values()) <= {"warning", "info"}
    assert_continued(older, tmp_path / "fresh")


def test_after_a_loss_people_work_on_and_old_and_new_items_are_proven(older: Rollback, tmp_path: Path) -> None:
    cli = older.cli
    cli("log", "recover", "--from", older.mirror, "--apply", "--accept-loss", older.lost)
    (tmp_path / "new.txt").write_text("deposited after the recovery")
    cli("ingest", tmp_path / "new.txt", "--case", "T1")
    cli("export", "--case", "T1", "-o", tmp_path / "bundle.zip")
    assert cli.json("verify", tmp_path / "bundle.zip")["ok"] is True
    assert cli.json("verify", older.bundle)["ok"] is True, "what was handed out in the lost days still holds"
    names = {one["original_name"] for one in cli.json("items", "list")["items"]}
    assert "new.txt" in names
    assert "late.jpg" not in names
    cli("ingest", tmp_path / "elsewhere" / "late.jpg", "--case", "T1", "--again")
    assert codes(cli)["event_lost"] == "warning"


def test_bundle_gives_texts_back_that_are_kept_without_effect(older: Rollback) -> None:
    cli = older.cli
    told = cli.json(
        "log", "recover", "--from", older.mirror, "--from", older.bundle, "--apply", "--accept-loss", older.lost
    )
    assert told["without_effect"]
    assert len(told["without_effect"]) + len(told["without_text"]) == older.lost
    found = codes(cli)
    assert found["event_without_effect"] == found["event_lost"] == "warning"
    assert set(found.values()) <= {"warning", "info"}
    texts = [row[2] for row in rows(cli.data / "catena.db", "lost_entry")]
    assert any(isinstance(text, bytes) and b'"type":"ingestion"' in text for text in texts)
    assert None in texts


def test_events_in_a_file_find_their_places_by_time_and_must_hash_to_the_signed_root(
    older: Rollback, tmp_path: Path
) -> None:
    lines = events(older.newer, older.backed_up)
    random.Random(3).shuffle(lines)  # noqa: S311 - an order, no secret
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    shown = older.cli.json("log", "recover", "--from", path, code=1)
    assert shown["without_text"] == []
    lost = len(shown["without_effect"])
    assert 0 < lost < older.lost, "events that wrote rows have no effect without them, others have"
    older.cli("log", "recover", "--from", path, "--apply", "--accept-loss", lost)
    found = codes(older.cli)
    assert set(found.values()) <= {"warning", "info"}
    assert "event_without_effect" in found
    assert_continued(older, tmp_path / "fresh")


# -- what does not hold is not brought back -----------------------------------------------------


def test_without_a_source_it_says_what_is_missing_and_changes_nothing(older: Rollback) -> None:
    line = older.cli("log", "recover", "--apply", code=2).refused("recovery_incomplete")
    assert f"{older.lost} events that were signed are missing, from place {older.backed_up} on" in line
    assert older.sizes() == (older.backed_up, older.size)
    older.cli("cases", "create", "T9", code=3).refused("log_rolled_back", 3)


def _changed_line(older: Rollback, folder: Path) -> list[Path]:
    lines = events(older.newer, older.backed_up)
    lines[3] = lines[3].replace(b'"log":', b'"Log":')
    return [_lines(folder, lines)]


def _another_event(older: Rollback, folder: Path) -> list[Path]:
    lines = events(older.newer, older.backed_up)
    lines[3] = lines[3].replace(b'"v":1', b'"v":1').replace(b"2", b"3", 1)
    return [_lines(folder, lines)]


def _one_too_few(older: Rollback, folder: Path) -> list[Path]:
    return [_lines(folder, events(older.newer, older.backed_up)[:-1])]


def _other_texts_in_the_mirror(older: Rollback, folder: Path) -> list[Path]:
    mirror = folder / "spoiled"
    shutil.copytree(older.mirror, mirror)
    path = mirror / "tile" / "entries" / f"000.p/{older.size}"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    return [mirror]


def _changed_database(older: Rollback, folder: Path) -> list[Path]:
    database = copy_database(older.newer, folder / "changed.db")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "UPDATE custody_event SET canonical = CAST(replace(canonical, 'nora', 'eve1') AS BLOB) "
            "WHERE leaf_index >= ?",
            (older.backed_up,),
        )
    return [database]


def _sources_that_disagree(older: Rollback, folder: Path) -> list[Path]:
    return [older.mirror, *_changed_database(older, folder)]


def _lines(folder: Path, lines: list[bytes]) -> Path:
    path = folder / "events.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("spoil", "refusals"),
    [
        (_changed_line, {"recovery_incomplete"}),
        (_another_event, {"recovery_incomplete", "recovery_mismatch"}),
        (_one_too_few, {"recovery_incomplete"}),
        (_other_texts_in_the_mirror, {"recovery_mismatch"}),
        (_changed_database, {"recovery_mismatch"}),
        (_sources_that_disagree, {"sources_disagree"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_spoiled_source_changes_nothing(
    older: Rollback, tmp_path: Path, spoil: Callable[[Rollback, Path], list[Path]], refusals: set[str]
) -> None:
    sources = [part for path in spoil(older, tmp_path) for part in ("--from", path)]
    ran = older.cli("log", "recover", *sources, "--apply", "--json", code=2)
    assert ran.json["error"]["code"] in refusals
    assert older.sizes() == (older.backed_up, older.size)
    assert rows(older.cli.data / "catena.db", "lost_entry") == []


@pytest.mark.parametrize(
    "content", [b"", b"a letter", b"PK\x03\x04 no zip", b"SQLite format 3\0 no database", b"\xff" * 99]
)
def test_what_is_no_source_is_refused_in_one_line(older: Rollback, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "thing").write_bytes(content)
    older.cli("log", "recover", "--from", tmp_path / "thing", code=2).refused("source_unreadable")
    older.cli("log", "recover", "--from", tmp_path / "nothing", code=2).refused("source_unreadable")
    older.cli("log", "recover", "--from", "sqlite://///", code=2)
    line = older.cli("log", "recover", "--from", "postgresql://me:secret@[", code=2).err
    assert "secret" not in line
    assert older.sizes() == (older.backed_up, older.size)


def test_events_written_on_the_older_database_are_a_fork_and_are_not_papered_over(older: Rollback) -> None:
    """Not by this program, which refuses to open it: by an older one, or by somebody with a database tool."""
    from app.clock import system_clock
    from app.config import load_identity, load_settings
    from app.custody.service import SYSTEM, Custody
    from app.db import Database

    settings = load_settings(older.cli.data)
    database = Database(settings.database_url)
    identity = load_identity(settings)
    with database.write() as session:
        Custody(identity.log, system_clock).record(session, f"archive:{identity.id}", "annotation", SYSTEM)
    database.close()
    ran = older.cli("log", "recover", "--from", older.newer, "--apply", "--json", code=2)
    assert ran.json["error"]["code"] == "recovery_mismatch"
    assert "restore that backup anew" in ran.json["error"]["detail"]
    assert older.sizes() == (older.backed_up + 1, older.size)


# -- the checkpoint kept outside ----------------------------------------------------------------


@pytest.mark.parametrize("damage", [None, b"half a check"])
@pytest.mark.parametrize("source", ["mirror", "bundle", "checkpoint"])
def test_lost_or_damaged_head_is_put_back_from_a_copy(
    cli: Cli, tmp_path: Path, damage: bytes | None, source: str
) -> None:
    head = cli.data / "head" / "checkpoint"
    cli("log", "export", tmp_path / "mirror")
    cli("export", "--case", "T1", "-o", tmp_path / "bundle")
    shutil.copy(head, tmp_path / "checkpoint")
    if damage is None:
        shutil.rmtree(head.parent)
    else:
        head.write_bytes(damage)
    cli("log", "checkpoint", code=3)
    cli("log", "recover", "--from", tmp_path / source, "--apply")
    assert codes(cli) == {}
    assert (damage is None) or (head.parent / "checkpoint.damaged").read_bytes() == damage
    cli("cases", "create", "T2")
    assert codes(cli) == {}


def test_lost_head_needs_no_source_when_the_database_itself_holds_signed_checkpoints(cli: Cli) -> None:
    (cli.data / "head" / "checkpoint").unlink()
    told = cli.json("log", "recover", "--apply")
    assert told["signed"]["size"] == told["here"]
    assert codes(cli) == {}


def test_head_of_another_key_is_not_believed(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = at(tmp_path / "other", monkeypatch, capsys)
    other("init")
    shutil.copy(other.data / "head" / "checkpoint", tmp_path / "theirs")
    monkeypatch.setenv("CATENA_DATA", str(cli.data))
    cli.sql("DELETE FROM checkpoint")
    (cli.data / "head" / "checkpoint").unlink()
    cli("log", "recover", "--from", tmp_path / "theirs", "--apply", code=3).refused("recovery_no_checkpoint", 3)
    assert not (cli.data / "head" / "checkpoint").exists()


def test_head_is_not_put_back_under_a_history_that_it_contradicts(cli: Cli, tmp_path: Path) -> None:
    cli("log", "checkpoint")
    shutil.copy(cli.data / "head" / "checkpoint", tmp_path / "true")
    (cli.data / "head" / "checkpoint").unlink()
    cli.sql("DELETE FROM checkpoint")
    cli.sql("UPDATE log_node SET hash = zeroblob(32) WHERE level = 5")
    cli("log", "recover", "--from", tmp_path / "true", "--apply", code=3).refused("log_forked", 3)
    assert not (cli.data / "head" / "checkpoint").exists()
