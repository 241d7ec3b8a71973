"""Bundles with a key history that was cut short: what they conceal is claimed by nobody."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store.bundle import layout
from evidence_store.bundle.plan import BundlePlan
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.trust import Anchors, parse_trust
from tests import bundles
from tests.attested import (
    EARLIER,
    LATER,
    archive,
    claimed,
    errors,
    found,
    local_tsa,
    rfc3339,
    subjects,
    text_of,
    verified,
    verify_plan,
)
from tests.bundles import SampleArchive, fingerprint, write_plan


@cache
def robbery() -> tuple[SampleArchive, BundlePlan]:
    """An archive whose log says since when the seal key is stolen; the thief's bundle has the same checkpoint.

    His bundle leaves the newest key event out, and proves the one before.
    """
    made = archive("robbed")
    before = made.index[made.keys_object]
    made.change_key("compromise", "seal", fingerprint(made.seal_certificate), rfc3339(EARLIER))
    with mock.patch.dict(made.events, {made.keys_object: made.events[made.keys_object][:-1]}):
        plan = made.plan()
    return made, replace(plan, proofs={**plan.proofs, made.keys_object: made.proof(before, plan.checkpoint)})


def robbed() -> SampleArchive:
    return robbery()[0]


def told(made: SampleArchive, *lines: str) -> Anchors:
    """A trust file of the archive's keys, with more lines."""
    text = f"{made.ca_pem.decode()}\n{made.log_vkey}\n{made.pq_vkey}\n" + "\n".join(lines)
    return Anchors(parse_trust(text.encode()))


def theft(made: SampleArchive, since: str = "2026-01-31") -> str:
    return f"compromised seal {fingerprint(made.seal_certificate)} since {since}"


def test_a_history_is_claimed_as_far_as_it_is_in_the_bundle_and_no_further(tmp_path: Path) -> None:
    report = verify_plan(*robbery(), tmp_path, robbed().anchors)
    assert errors(report) == []
    assert text_of(report, "keys_known").startswith("By the 4 key events in this bundle, the newest of 2026-11-22T10:0")
    limit = text_of(report, "limit_later_keys")
    assert "also among its first 7 entries" in limit
    assert "who makes a bundle can leave the newest out" in limit


def test_a_newer_trust_file_tells_of_a_theft_that_the_bundle_conceals(tmp_path: Path) -> None:
    report = verify_plan(*robbery(), tmp_path, told(robbed(), theft(robbed())))
    assert subjects(report, "key_history_older") == {layout.SEAL}
    assert {layout.SEAL} <= subjects(report, "key_compromised")
    assert not {"sealed", "received", "keys_known"} & claimed(report), "nothing rests on a stolen key"
    assert not report.ok


def test_a_trust_file_that_knows_no_more_than_the_bundle_says_nothing_of_its_history(tmp_path: Path) -> None:
    report = verified(robbed(), tmp_path, told(robbed(), theft(robbed(), rfc3339(LATER))))
    assert not found(report, "key_history_older")
    assert found(report, "key_compromised")


def test_a_theft_that_the_bundle_puts_later_than_the_trust_file_is_named(tmp_path: Path) -> None:
    made = archive("later-theft")
    made.change_key("compromise", "seal", fingerprint(made.seal_certificate), rfc3339(LATER))
    assert subjects(verified(made, tmp_path, told(made, theft(made))), "key_history_older") == set()  # as bad already
    stamped = archive("later-theft-stamped", first=local_tsa())
    stamped.change_key("compromise", "seal", fingerprint(stamped.seal_certificate), rfc3339(LATER))
    anchors = replace(told(stamped, theft(stamped)), time_roots=local_tsa().roots)
    report = verified(stamped, tmp_path, anchors)
    assert subjects(report, "key_history_older") == {layout.SEAL}
    assert found(report, "key_compromised")


def test_an_honest_bundle_from_before_the_theft_still_verifies_with_the_trust_file_of_today(tmp_path: Path) -> None:
    made = archive("before-theft", first=local_tsa())
    anchors = replace(told(made, theft(made, rfc3339(LATER))), time_roots=local_tsa().roots)
    report = verified(made, tmp_path, anchors)
    assert [f for f in report.findings if f.severity != "info"] == []
    assert "and by your trust file" in text_of(report, "keys_known")
    assert found(verified(made, tmp_path, told(made, theft(made, rfc3339(LATER)))), "key_compromised"), "unproven"


@pytest.mark.parametrize("use", ["ca", "seal", "log", "pq"])
def test_a_retirement_that_only_the_trust_file_knows_counts_for_every_use(use: str, tmp_path: Path) -> None:
    made = archive(f"retired-{use}")
    names = {"ca": fingerprint(made.ca), "seal": fingerprint(made.seal_certificate)}
    names |= {"log": made.log_vkey, "pq": made.pq_vkey}
    for word, code in (("retired {} {} at {}", "key_retired"), ("compromised {} {} since {}", "key_compromised")):
        line = word.format(use, names[use], "2025-01-31T12:00:00Z")
        report = verified(made, tmp_path, told(made, line))
        assert found(report, code)
        assert len(found(report, "key_history_older")) == 1


def test_without_any_history_the_trust_file_is_still_heard(tmp_path: Path) -> None:
    old = archive("old")
    path = tmp_path / "bundle.zip"
    path.write_bytes(write_plan(bundles.old_plan(old), old.bare_seal))
    report = verify_bundle(path, told(old, theft(old)))
    assert layout.SEAL in subjects(report, "key_compromised")
    assert not found(report, "key_history_older")
    assert {key.history for key in verify_bundle(path, old.anchors).facts.keys} == {""}


def test_of_several_dates_of_one_key_the_earliest_counts() -> None:
    made = robbed()
    lines = [theft(made, "2026-03-01"), theft(made, "2026-02-01T00:00:00.5Z"), theft(made, "2026-04-01")]
    retired = [theft(made, day).replace("compromised", "retired").replace("since", "at") for day in ("2027-01-01",)]
    trust = told(made, *lines, *retired).trust
    assert trust is not None
    (record,) = trust.told
    assert record.compromised == datetime(2026, 2, 1, 0, 0, 0, 500_000, tzinfo=UTC)
    assert record.retired == datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        "compromised seal abc since 2026-01-31",
        "compromised king {} since 2026-01-31",
        "compromised seal {} since 2026-02-31",
        "compromised seal {} since yesterday",
        "compromised seal {} at 2026-01-31",
        "retired seal {} since 2026-01-31",
        "compromised seal {}",
        "compromised log {} since 2026-01-31",
        "compromised pq {} since 2026-01-31",
        "compromised seal {} since 2026-01-31T12:00:00",
        "Compromised seal {} since 2026-01-31",
    ],
)
def test_a_fate_with_a_typing_error_is_refused_and_not_passed_over(line: str) -> None:
    made = robbed()
    with pytest.raises(EvidenceStoreError, match="trust_file_malformed"):
        told(made, line.format(fingerprint(made.seal_certificate)))


@given(st.sampled_from(["compromised ", "retired ", "introduced "]), st.text(max_size=200), st.binary(max_size=20))
def test_any_line_on_the_fate_of_a_key_is_read_or_refused(word: str, rest: str, more: bytes) -> None:
    keys = f"{robbed().log_vkey}\n{word}".encode()
    with contextlib.suppress(EvidenceStoreError):
        trust = parse_trust(keys + rest.encode("utf-8", "surrogatepass") + more)
        assert trust.told or trust.pq_since


def test_more_fates_than_an_archive_can_have_are_refused() -> None:
    with pytest.raises(EvidenceStoreError, match="trust_file_malformed"):
        told(robbed(), *[theft(robbed())] * 1001)
