"""The log's ML-DSA-44 signature: each checkpoint has it, and one that is taken away, altered or foreign is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from sqlmodel import select

from app import wiring
from app.api.services import Services
from app.custody.models import CheckpointRow
from app.custody.vkeys import cosigner_keys
from evidence_store.log.cosignature import MLDSA44_COSIGNER, cosignature_line, verify_cosignatures
from tests.archives import deposit, make_archive
from tests.checks import assert_clean, audit

DASH = b"\n\xe2\x80\x94 "


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = make_archive(tmp_path)
    _grow(made)
    yield made
    made.archive.db.close()


def _grow(services: Services) -> None:
    who = services.access.local_operator()
    case = services.evidence.case_or_none("T1") or services.evidence.create_case(who, "T1")
    deposit(services, who, case, b"evidence")
    services.checkpoint()


def _notes(services: Services) -> dict[int, bytes]:
    with services.archive.db.read() as session:
        return {row.size: row.note for row in session.exec(select(CheckpointRow))}


def _change(services: Services, size: int, change: Callable[[bytes], bytes]) -> None:
    with services.archive.db.write() as session:
        row = session.get(CheckpointRow, size)
        assert row is not None
        row.note = change(row.note)
        session.add(row)


def _findings(services: Services) -> list[tuple[str, str, str]]:
    found: list[dict[str, Any]] = audit(services)["findings"]
    return [(one["severity"], one["code"], one["subject"]) for one in found if one["severity"] != "info"]


def _without_last_line(note: bytes) -> bytes:
    return note.removesuffix(b"\n").rpartition(b"\n")[0] + b"\n"


def test_every_checkpoint_from_the_first_on_has_both_lines(services: Services) -> None:
    (key,) = cosigner_keys(services.archive.settings.keys)
    assert (key.name, key.algorithm) == (services.archive.identity.log, MLDSA44_COSIGNER)
    notes = _notes(services)
    assert len(notes) > 1
    for note in notes.values():
        assert note.count(DASH) == 2
        assert [one.key for one in verify_cosignatures(note, [key])] == [key]
    assert (services.archive.settings.head_file).read_bytes() == notes[max(notes)]
    assert _findings(services) == []


def test_a_line_that_was_taken_away_is_a_warning(services: Services) -> None:
    sizes = sorted(_notes(services))
    for size in (sizes[0], sizes[-1]):
        _change(services, size, _without_last_line)
    assert _findings(services) == [
        ("warning", "pq_signature_missing", f"checkpoint {size}") for size in (sizes[0], sizes[-1])
    ]


def test_a_line_that_was_altered_is_an_error(services: Services) -> None:
    sizes = sorted(_notes(services))
    _change(services, sizes[0], lambda note: note[:-900] + (b"A" if note[-900:-899] != b"A" else b"B") + note[-899:])
    assert _findings(services) == [("error", "pq_signature_invalid", f"checkpoint {sizes[0]}")]


def test_a_line_of_another_checkpoint_is_an_error(services: Services) -> None:
    notes = _notes(services)
    first, last = min(notes), max(notes)
    line = notes[last].removesuffix(b"\n").rpartition(b"\n")[2] + b"\n"
    _change(services, first, lambda note: _without_last_line(note) + line)
    assert _findings(services) == [("error", "pq_signature_invalid", f"checkpoint {first}")]


def test_a_line_of_another_key_under_the_logs_name_is_an_added_line(services: Services) -> None:
    forger = MLDSA44PrivateKey.generate()
    size = min(_notes(services))

    def forge(note: bytes) -> bytes:
        text, public = note.decode().rpartition("\n\n")[0] + "\n", forger.public_key().public_bytes_raw()
        line = cosignature_line(text, services.archive.identity.log, MLDSA44_COSIGNER, public, forger.sign, 1)
        return _without_last_line(note) + line.encode()

    _change(services, size, forge)
    assert _findings(services) == [("error", "checkpoint_damaged", f"checkpoint {size}")]


def test_lines_in_another_order_or_twice_are_no_checkpoint_of_ours(services: Services) -> None:
    size = min(_notes(services))
    note = _notes(services)[size]
    text, _, lines = note.rpartition(b"\n\n")
    first, second = lines.splitlines(keepends=True)
    for block in (second + first, first + second + second, first + first, second):
        _change(services, size, lambda _, block=block: text + b"\n\n" + block)  # type: ignore[misc]
        assert _findings(services) == [("error", "checkpoint_damaged", f"checkpoint {size}")]


def test_a_spoilt_line_in_the_head_file_is_named(services: Services) -> None:
    path = services.archive.settings.head_file
    note = path.read_bytes()
    path.write_bytes(note[:-900] + (b"A" if note[-900:-899] != b"A" else b"B") + note[-899:])
    (finding,) = _findings(services)
    assert finding[:2] == ("error", "pq_signature_invalid")
    assert "outside the database" in finding[2]


def test_an_archive_made_without_the_key_works_on(tmp_path: Path) -> None:
    """As one made by the first version: no ML-DSA key in its folder, none in its first event."""
    make_keys = wiring._make_keys

    def old(settings: Any, *rest: Any) -> dict[str, str]:  # noqa: ANN401 - passed on as it is
        details = make_keys(settings, *rest)
        for name in ("log-mldsa.key", "log-mldsa.vkey"):
            (settings.keys / name).unlink()
        del details["log_mldsa_vkey"]
        return details

    with mock.patch.object(wiring, "_make_keys", old):
        services = make_archive(tmp_path, fresh=True)
    try:
        _grow(services)
        assert services.archive.log_key().cosign is None
        assert {note.count(DASH) for note in _notes(services).values()} == {1}
        assert _findings(services) == []
        assert_clean(services)
    finally:
        services.archive.db.close()
