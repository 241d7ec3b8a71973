"""The head kept in two places outside the database: what either of them knows, nobody can take back unnoticed."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.api.services import Services
from app.custody.log_store import tree_size
from app.custody.service import SYSTEM
from app.custody.vkeys import log_keys
from app.errors import ConflictError, EnvironmentFailedError
from app.wiring import init_archive, open_archive
from evidence_store.errors import EvidenceStoreError
from tests.archives import ORG, PASSPHRASE, make_archive, settings_of
from tests.checks import assert_clean, audit, errors_of
from tests.commands import Cli, at, bare, copy_of


def with_copy(services: Services, copy: Path) -> Services:
    """The same archive, opened with a second place for its head, and the keys that are open already."""
    archive = services.archive
    opened = open_archive(replace(archive.settings, head_copy=copy), lambda: PASSPHRASE)
    object.__setattr__(opened.archive, "seal_key", archive.seal_key)
    object.__setattr__(opened.archive, "log_key", archive.log_key)
    archive.db.close()
    return opened


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    (tmp_path / "elsewhere").mkdir()
    made = with_copy(make_archive(tmp_path), tmp_path / "elsewhere" / "checkpoint")
    made.checkpoint()
    yield made
    made.archive.db.close()


def grow(services: Services, ref: str) -> None:
    services.evidence.create_case(services.access.local_operator(), ref)


def copy_file(services: Services) -> Path:
    path = services.archive.settings.head_copy
    assert path is not None
    return path


def older_database(services: Services, then: Path) -> None:
    """Put back a database (and a head file) that was set aside as a folder."""
    services.archive.db.close()
    data = services.archive.settings.data
    shutil.rmtree(data)
    shutil.copytree(then, data)


def set_aside(services: Services, folder: Path) -> Path:
    services.archive.db.close()
    shutil.copytree(services.archive.settings.data, folder)
    return folder


def refused(services: Services) -> EnvironmentFailedError:
    with pytest.raises(EnvironmentFailedError) as caught:
        services.checkpoint()
    return caught.value


def findings(services: Services, code: str) -> list[str]:
    return [found["severity"] for found in audit(services)["findings"] if found["code"] == code]


def test_both_places_hold_the_newest_checkpoint(services: Services) -> None:
    grow(services, "T1")
    signed = services.checkpoint()
    assert copy_file(services).read_bytes() == services.archive.settings.head_file.read_bytes() == signed
    assert_clean(services)
    assert not findings(services, "head_copy_missing")


def test_second_place_alone_tells_that_folder_and_database_were_put_back_together(
    services: Services, tmp_path: Path
) -> None:
    then = set_aside(services, tmp_path / "then")
    grow(services, "T1")
    services.checkpoint()
    older_database(services, then)
    error = refused(services)
    assert error.code == "log_rolled_back"
    assert "catena log recover" in error.detail
    assert ("log_rolled_back", "the second copy of the checkpoint") in errors_of(audit(services))
    with pytest.raises(EnvironmentFailedError) as caught:
        open_archive(services.archive.settings, lambda: PASSPHRASE)
    assert caught.value.code == "log_rolled_back"


def test_two_places_that_contradict_each_other_are_a_fork(services: Services, tmp_path: Path) -> None:
    then = set_aside(services, tmp_path / "then")
    grow(services, "TRUE")
    services.checkpoint()
    true = copy_file(services).read_bytes()
    older_database(services, then)
    copy_file(services).unlink()
    other = with_copy(services, copy_file(services))  # a process that has never seen the true history
    for ref in ("OTHER", "MORE"):
        grow(other, ref)
    other.checkpoint()
    copy_file(other).write_bytes(true)
    assert refused(other).code == "log_forked"
    assert ("log_contradicts_checkpoint", "the second copy of the checkpoint") in errors_of(audit(other))
    other.archive.db.close()


def test_nothing_is_recorded_in_an_older_database_not_even_by_those_who_have_it_open(
    services: Services, tmp_path: Path
) -> None:
    then = set_aside(services, tmp_path / "then")
    grow(services, "T1")
    services.checkpoint()
    older_database(services, then)
    size = services.checkpointer.signed_size()
    for write in (lambda: grow(services, "T2"), lambda: services.access.create_user(SYSTEM, "eve", "admin")):
        with pytest.raises(EnvironmentFailedError) as caught:
            write()
        assert caught.value.code == "log_rolled_back"
    report = audit(services)
    assert "audit_not_recorded" in {found["code"] for found in report["findings"]}
    with services.archive.db.read() as session:
        assert tree_size(session) == size, "an event in the place of a signed one would have forked the log"


def test_missing_second_place_is_told_once_and_does_not_stop_the_archive(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(copy_file(services).parent)
    with caplog.at_level(logging.WARNING, "catena.log"):
        for ref in ("T1", "T2", "T3"):
            grow(services, ref)
            services.checkpoint()
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1, told
    assert "cannot be reached" in told[0]
    assert not copy_file(services).parent.exists(), "a disk that is away must not be replaced by a folder on this one"
    assert_clean(services)
    assert findings(services, "head_copy_missing") == ["warning"]
    copy_file(services).parent.mkdir()
    assert services.checkpoint() == copy_file(services).read_bytes()
    assert not findings(services, "head_copy_missing")


def test_folder_in_the_second_place_is_told_and_does_not_stop_the_archive(services: Services) -> None:
    copy_file(services).unlink()
    copy_file(services).mkdir()
    grow(services, "T1")
    assert services.checkpoint() == services.archive.settings.head_file.read_bytes()
    assert findings(services, "head_copy_missing") == ["warning"]


@pytest.mark.parametrize("damage", [b"", b"a letter to my mother\n", "one byte"])
def test_what_is_no_checkpoint_of_this_log_is_never_overwritten(services: Services, damage: bytes | str) -> None:
    path = copy_file(services)
    data = path.read_bytes().replace(b"catena/", b"katena/", 1) if isinstance(damage, str) else damage
    path.write_bytes(data)
    grow(services, "T1")
    assert refused(services).code == "head_copy_damaged"
    assert path.read_bytes() == data
    assert ("head_copy_damaged", "the second copy of the checkpoint") in errors_of(audit(services))


def test_head_of_another_archive_is_never_overwritten(services: Services, tmp_path: Path) -> None:
    other = make_archive(tmp_path / "other", fresh=True)
    theirs = other.archive.settings.head_file.read_bytes()
    other.archive.db.close()
    copy_file(services).write_bytes(theirs)
    assert refused(services).code == "head_copy_damaged"
    assert copy_file(services).read_bytes() == theirs
    with pytest.raises(ConflictError) as caught:
        init_archive(replace(settings_of(tmp_path / "third"), head_copy=copy_file(services)), ORG, PASSPHRASE)
    assert caught.value.code == "head_copy_taken"
    assert not (tmp_path / "third").exists()


def test_second_place_does_not_stand_in_for_a_first_one_that_was_taken_away(services: Services) -> None:
    services.archive.settings.head_file.unlink()
    error = refused(services)
    assert error.code == "head_file_missing"
    assert "catena log recover" in error.detail


def test_an_unsigned_newer_head_stops_signing_but_is_not_called_a_rollback(services: Services) -> None:
    head = services.archive.settings.head_file
    lines = head.read_text(encoding="utf-8").split("\n")
    head.write_text("\n".join([lines[0], str(int(lines[1]) + 5), *lines[2:]]), encoding="utf-8")
    assert refused(services).code == "head_file_damaged"
    open_archive(services.archive.settings, lambda: PASSPHRASE).archive.db.close()


@pytest.fixture
def rolled_back_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    cli = at(copy_of(bare, tmp_path), monkeypatch, capsys)
    shutil.copytree(cli.data, tmp_path / "then")
    cli("cases", "create", "T1")
    for path in (tmp_path / "then").glob("catena.db*"):
        shutil.copy(path, cli.data)
    return cli


@pytest.mark.parametrize(
    "command",
    [("serve", "--port", "0"), ("worker", "--drain"), ("cases", "create", "T2"), ("log", "checkpoint")],
    ids=lambda command: command[0],
)
def test_older_database_stops_every_command_that_adds_to_it(rolled_back_cli: Cli, command: tuple[str, ...]) -> None:
    size = rolled_back_cli.one("SELECT size FROM log_head")
    told = rolled_back_cli(*command, code=3).refused("log_rolled_back", 3)
    assert "an older database was put in place" in told
    assert "'catena log recover'" in told
    assert rolled_back_cli.one("SELECT size FROM log_head") == size


def test_neither_place_takes_a_checkpoint_of_fewer_events_or_of_another_history(services: Services) -> None:
    heads, first = services.checkpointer.heads, services.archive.settings.head_file
    old = first.read_bytes()
    grow(services, "T1")
    new = services.checkpoint()
    kept = heads.read(log_keys(services.archive.settings.keys))
    text, _, lines = new.decode().rpartition("\n\n")
    name, size, root = text.split("\n")
    other = f"{name}\n{size}\n{'A' * 43}=\n\n{lines}".encode()
    assert root != "A" * 43 + "="
    for note, code in ((old, "log_rolled_back"), (other, "log_forked")):
        with pytest.raises(EnvironmentFailedError) as caught:
            heads.write(note, kept)
        assert caught.value.code == code
    with pytest.raises(EvidenceStoreError):
        heads.write(b"no checkpoint", kept)
    assert copy_file(services).read_bytes() == first.read_bytes() == new


def test_second_place_that_comes_back_while_the_head_is_signed_is_read_before_it_is_replaced(
    services: Services,
) -> None:
    copy, heads = copy_file(services), services.checkpointer.heads
    keys = log_keys(services.archive.settings.keys)
    newer = copy.read_bytes()
    copy.unlink()
    kept = heads.read(keys)
    copy.write_bytes(newer)  # the disk is back
    grow(services, "T1")
    heads.write(services.archive.settings.head_file.read_bytes(), kept)
    assert copy.read_bytes() == newer
    services.checkpoint()
    assert copy.read_bytes() == services.archive.settings.head_file.read_bytes() != newer
