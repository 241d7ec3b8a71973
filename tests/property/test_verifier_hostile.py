"""Whatever stands in a bundle, however well it is sealed, the verifier reports and does not crash."""

from __future__ import annotations

import contextlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_store.bundle import layout
from evidence_store.bundle.manifest import read_manifest
from evidence_store.canonical import canonical_bytes
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.keyfile import parse_key_file
from evidence_store.verify.bundle_report import BundleReport
from evidence_store.verify.checks import verify_bundle
from evidence_store.verify.trust import Anchors, parse_policy_file, parse_time_roots, parse_trust
from tests.attested import local_tsa, policy_of, policy_text, renewal_files, witness
from tests.bundles import SampleArchive, reseal, sample_archive, unzip, write_folder, write_plan

CRASH = re.compile(r"\w*(?:Error|Exception|Interrupt|Exit|Iteration)\w*: ")


@cache
def archive() -> SampleArchive:
    """Everything that a bundle can hold: time stamps, witnesses, a renewal, changed keys."""
    made = sample_archive("hostile", tsas={"first": local_tsa("first")}, witnesses=[witness("w1.example")])
    made.policy = policy_text(["w1.example"], "any")
    made.new_seal_key()
    made.introduce("seal", made.seal_certificate)
    return made


@cache
def stored() -> tuple[tuple[str, bytes], ...]:
    made = archive()
    files = renewal_files(made, local_tsa("first"))
    return tuple(unzip(write_plan(made.plan(renewals=files), made.seal)).items())


def anchors() -> Anchors:
    return Anchors(archive().trust, archive().anchors.time_roots, policy_of(["w1.example"], "any"))


def checked(files: dict[str, bytes], folder: Path) -> BundleReport:
    """The report; no check of it crashed."""
    report = verify_bundle(write_folder(files, folder / "bundle"), anchors())
    crashed = [f.detail for f in report.findings if f.code == "check_not_run" and CRASH.match(f.detail)]
    assert crashed == []
    assert report.as_text()
    assert report.as_json()
    return report


LIVELY = sorted(
    path
    for path in (
        layout.MANIFEST, layout.EVENTS, layout.CHECKPOINT, layout.COSIGNED, layout.WITNESS_POLICY, layout.LOG_VKEY,
        layout.CA_CERTIFICATE, layout.SEAL_CERTIFICATE, "custody/timestamps/checkpoint.first.tst", "keys/tsa/first.pem",
        "custody/renewals/001/checkpoint", "custody/renewals/001/checkpoint.ers",
        "custody/renewals/001/checkpoint.first.tst",
    )
)  # fmt: skip


def test_the_untouched_bundle_is_good_and_has_every_such_file(tmp_path: Path) -> None:
    report = checked(dict(stored()), tmp_path)
    assert report.ok, report.as_text()
    assert set(LIVELY) <= {path for path, _ in stored()}
    assert {"existed", "sealed_before", "witnessed", "renewed", "keys_known", "pq_signed"} <= {
        claim["code"] for claim in report.claims
    }


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(LIVELY), draw=st.data())
def test_no_sealed_garbage_crashes_a_check(
    path: str, draw: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = dict(stored())
    data = bytearray(files[path])
    for _ in range(draw.draw(st.integers(1, 3))):
        at = draw.draw(st.integers(0, len(data)))
        data[at : at + draw.draw(st.integers(0, 40))] = draw.draw(st.binary(max_size=20))
    files[path] = bytes(data)
    checked(reseal(files, archive()), tmp_path_factory.mktemp("garbage"))


@settings(max_examples=40, deadline=None)
@given(draw=st.data())
def test_no_change_of_a_seal_with_time_stamps_goes_unnoticed(
    draw: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = dict(stored())
    seals = sorted(path for path in files if path.endswith(".p7s"))
    path = draw.draw(st.sampled_from(seals))
    data = bytearray(files[path])
    data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    files[path] = bytes(data)
    report = checked(files, tmp_path_factory.mktemp("seal"))
    assert not report.ok


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
details = st.fixed_dictionaries(
    {},
    optional={
        "change": st.sampled_from(["introduction", "retirement", "compromise", "x"]) | json_values,
        "use": st.sampled_from(["ca", "seal", "log", "pq", "x"]) | json_values,
        "key": st.text(max_size=70) | json_values,
        "material": st.text(max_size=70) | json_values,
        "at": st.just("2026-01-01T00:00:00.000000Z") | json_values,
        "reason": json_values,
    },
)


@settings(max_examples=40, deadline=None)
@given(changes=st.lists(details, min_size=1, max_size=3))
def test_no_key_history_crashes_a_check(
    changes: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = SampleArchive("odd-history")
    made.deposit("a.jpg", b"a")
    for change in changes:
        made.record(made.keys_object, "key change", details=change)
    path = tmp_path_factory.mktemp("history") / "bundle.zip"
    path.write_bytes(made.bundle())
    report = verify_bundle(path, made.anchors)
    assert not [f for f in report.findings if f.code == "check_not_run"]


@given(time=json_values, witnesses=json_values)
def test_odd_statements_in_a_manifest_are_problems_and_not_crashes(time: object, witnesses: object) -> None:
    record = json.loads(dict(stored())[layout.MANIFEST])
    manifest, problems = read_manifest(record | {"time": time, "witnesses": witnesses})
    assert manifest is not None
    assert bool(problems) == (manifest.time is None or manifest.witnesses is None)
    assert canonical_bytes(record)


@given(st.binary(max_size=300) | st.sampled_from([b"", b"\n", b"#\n", b"a+00000000+AQ==\n", b"a+00000000+BA==\n"]))
def test_files_of_the_caller_are_read_or_refused(data: bytes) -> None:
    for parse in (parse_trust, parse_time_roots, parse_policy_file, parse_key_file):
        with contextlib.suppress(EvidenceStoreError):
            parse(data)
