"""A bundle carries its renewals, and the offline verifier judges them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence_store.timestamps.evidence_record import parse_record
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.trust import Anchors
from tests.checks import assert_clean, work_off
from tests.renewals import Stage, lasting, stage


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Stage]:
    """An archive with an item, renewed, its chain lengthened by another authority, and renewed again."""
    with stage(tmp_path, ()) as made:
        made.ask("brief", lasting("brief", 100))
        item = made.deposit(b"a photo, or nearly").item.id
        work_off(made.services)
        made.services.renewals.renew(made.admin)
        made.ask("long")
        made.ask_no_more("brief")
        made.services.renewals.renew(made.admin, due_only=True)
        made.read(item)
        made.services.renewals.renew(made.admin)
        made.ask_no_more("long")  # what it stamped must stay verifiable
        yield made
        assert_clean(made.services)


def exported(at: Stage, folder: Path) -> Path:
    row = at.services.exports.create(at.admin, case_ref="T1", out=folder / "bundle.zip")
    assert row.state == "done"
    return folder / "bundle.zip"


def codes(path: Path, at: Stage) -> dict[str, list[str]]:
    """Subjects of what the verifier finds, by code; the caller trusts both authorities for time."""
    report = verify_bundle(path, Anchors(None, at.roots))
    found: dict[str, list[str]] = {}
    for finding in report.findings:
        found.setdefault(finding.code, []).append(finding.subject)
    assert report.checked.get("renewals") == 2
    return found


def hash_of(record: bytes) -> bytes:
    """The first sibling in a record's reduced hash tree."""
    return parse_record(record).chains[0][0].lists[1][0]


def test_bundle_with_renewals_verifies(at: Stage, tmp_path: Path) -> None:
    bundle = exported(at, tmp_path)
    with zipfile.ZipFile(bundle) as opened:
        names = [name for name in opened.namelist() if name.startswith("custody/renewals/")]
    assert sum(name.endswith("/checkpoint.ers") for name in names) == 2
    assert any(name.startswith("custody/renewals/001/item_") for name in names)
    report = verify_bundle(bundle, Anchors(None, at.roots))
    assert report.ok, report.findings
    assert "renewal_invalid" not in codes(bundle, at)
    stamps = {stamp["subject"]: stamp["holds_until"] for stamp in report.as_json()["time_stamps"]}
    renewed = stamps["custody/renewals/001/checkpoint.ers"]
    assert str(renewed).startswith("2049-01-01T")  # by the token that renewed it, not the first one
    assert any("renew" in claim["text"].lower() or "SHA-512" in claim["text"] for claim in report.claims)


def test_evidence_record_in_the_place_of_another_is_named(at: Stage, tmp_path: Path) -> None:
    bundle = exported(at, tmp_path)
    with zipfile.ZipFile(bundle) as opened:
        opened.extractall(tmp_path / "bag")
    folder = tmp_path / "bag" / "custody" / "renewals" / "001"
    (record,) = folder.glob("item_*.ers")
    place = f"custody/renewals/001/{record.name}"
    good = record.read_bytes()
    tampered = {
        "of the checkpoint": (folder / "checkpoint.ers").read_bytes(),
        "cut": good[:-1],
        "with a hash changed": good.replace(b"\x04\x40" + hash_of(good), b"\x04\x40" + bytes(64), 1),
    }
    for what, data in tampered.items():
        record.write_bytes(data)
        assert codes(tmp_path / "bag", at).get("renewal_invalid") == [place], what
    record.write_bytes(good)
    assert "renewal_invalid" not in codes(tmp_path / "bag", at)
