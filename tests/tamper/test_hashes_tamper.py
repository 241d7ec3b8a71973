"""Hashes that are searched are derived and no event names their rows: an audit compares each with its fingerprint."""

from __future__ import annotations

import pytest

from tests.checks import assert_clean, audit, errors_of
from tests.victims import Victim

FIRST = "leaf_index = (SELECT min(leaf_index) FROM fingerprint_hashes)"
EDITS = {
    "a copy would go unnoticed": "data = zeroblob(length(data))",
    "one bit": "data = substr(data, 1, 5) || x'00' || substr(data, 7)",
    "a crop that is none": "data = substr(data, 1, length(data) - 1) || x'00'",
    "shorter": "data = substr(data, 34)",
    "none": "data = NULL",
    "text in place of octets": "data = 'abc'",
    "another kind": "kind = 'video'",
    "another recipe, which is not searched": "algorithm = 'other/1'",
    "another item": "item_id = (SELECT id FROM item WHERE id != item_id LIMIT 1)",
    "another event": "leaf_index = 0",
}


@pytest.mark.parametrize("what", EDITS)
def test_hashes_that_were_edited_are_named(victim: Victim, what: str) -> None:
    victim.sql(f"UPDATE fingerprint_hashes SET {EDITS[what]} WHERE {FIRST}")  # noqa: S608
    found = errors_of(audit(victim.services))
    assert {code for code, _ in found} == {"row_altered"}
    assert {subject.split()[0] for _, subject in found} == {"fingerprint_hashes"}


def test_hashes_of_no_fingerprint_are_named(victim: Victim) -> None:
    columns = "item_id, algorithm, kind, data"
    victim.sql(f"INSERT INTO fingerprint_hashes SELECT 1000000, {columns} FROM fingerprint_hashes WHERE {FIRST}")  # noqa: S608
    assert errors_of(audit(victim.services)) == {("row_altered", "fingerprint_hashes 1000000")}


def test_hashes_that_are_gone_hide_nothing(victim: Victim) -> None:
    """Searches read the fingerprint then, which the log is bound to (tests/contract/test_kept_hashes.py)."""
    victim.sql("DELETE FROM fingerprint_hashes")
    assert_clean(victim.services)


@pytest.mark.parametrize("spoilt", ["data = 5", "data = 5.5", "algorithm = CAST(x'ff' AS TEXT)", "data = x'00'"])
def test_one_odd_fingerprint_hides_no_other_row(victim: Victim, spoilt: str) -> None:
    last = "leaf_index = (SELECT max(leaf_index) FROM fingerprint_hashes WHERE data IS NOT NULL)"
    victim.sql(
        f"UPDATE fingerprint SET {spoilt} WHERE {FIRST}",  # noqa: S608
        f"UPDATE fingerprint_hashes SET data = zeroblob(33) WHERE {last}",  # noqa: S608
    )
    found = errors_of(audit(victim.services))
    assert {code for code, _ in found} == {"row_altered"}
    assert [subject.split()[0] for _, subject in sorted(found)] == ["fingerprint", *["fingerprint_hashes"] * 2]


def test_audit_counts_what_it_compared(victim: Victim) -> None:
    assert audit(victim.services)["checked"]["hashes"] == 3  # two photos and a note
