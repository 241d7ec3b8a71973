"""Files that events name by two digests: one that fits by SHA-256 alone is named, by the audit and by the verifier.

Nobody can make two files with one SHA-256 yet. Their effect is shown the other way round: the file is left alone, and
the event says another SHA-512.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import pytest
from pydantic import JsonValue

from app.api.services import Services
from app.audit.checks import Options
from app.custody.outputs import output
from evidence_store.digests import Digests
from evidence_store.verify.checks import verify_bundle
from tests.archives import close_archive, deposit, make_archive
from tests.bundles import SampleArchive, write_folder
from tests.checks import assert_clean, audit, errors_of, work_off
from tests.exports_of_before import exports_as_before
from tests.insiders import found
from tests.media_samples import photo
from tests.renewals import stage

WRITERS = ("app.intake.service", "app.analysis.service", "app.matching.service", "app.law.service")
Naming = Callable[..., JsonValue]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = make_archive(tmp_path)
    yield made
    close_archive(made)


def with_other_sha512(role: str, made: bytes | Digests, **names: str) -> JsonValue:
    named = output(role, made, **names)
    assert isinstance(named, dict)
    return named | {"sha512": "0" * 128}


def as_before(role: str, made: bytes | Digests, **names: str) -> JsonValue:
    """As before version 0.2."""
    named = output(role, made, **names)
    assert isinstance(named, dict)
    return {name: value for name, value in named.items() if name != "sha512"}


def fill(services: Services, folder: Path, naming: Naming, *writers: str) -> str:
    """A photo with receipt, metadata, preview and fingerprint; events of some writers name them in some way."""
    who = services.access.local_operator()
    with ExitStack() as stack:
        for writer in writers:
            stack.enter_context(mock.patch(f"{writer}.output", naming))
        case = services.evidence.create_case(who, "T1")
        item: str = deposit(services, who, case, photo(folder / "photo.jpg").read_bytes()).item.id
        work_off(services)
    return item


@pytest.mark.parametrize(
    ("writer", "subjects"),
    [
        ("app.intake.service", {"receipt"}),
        ("app.analysis.service", {"analysis_run", "blob"}),
        ("app.matching.service", {"fingerprint"}),
    ],
)
def test_audit_and_verifier_name_an_event_that_means_another_file(
    services: Services, tmp_path: Path, writer: str, subjects: set[str]
) -> None:
    item = fill(services, tmp_path, with_other_sha512, writer)
    errors = errors_of(audit(services))
    assert {code for code, _ in errors} == {"output_differs"}
    assert {subject.partition(" ")[0] for _, subject in errors} == subjects
    who = services.access.local_operator()
    row = services.exports.create(who, case_ref="T1")
    report = verify_bundle(services.archive.settings.exports / f"{row.id}.zip")
    named = found(report, "output_differs")
    assert bool(named) == (writer != "app.matching.service"), "fingerprints are not in bundles"
    assert all(f"(item:{item}, line " in finding.subject for finding in named)
    assert {finding.code for finding in report.findings if finding.severity == "error"} <= {"output_differs"}


def test_events_of_the_time_before_sha512_stay_valid(services: Services, tmp_path: Path) -> None:
    fill(services, tmp_path, as_before, *WRITERS)
    assert_clean(services)
    row = services.exports.create(services.access.local_operator(), case_ref="T1")
    report = verify_bundle(services.archive.settings.exports / f"{row.id}.zip")
    assert report.ok, report.as_text()


def test_archive_that_began_before_sha512_goes_on_with_it(tmp_path: Path) -> None:
    with mock.patch("tests.bundles.output", as_before):
        sample = SampleArchive("before-sha512")
        sample.deposit("a.jpg", b"a")
    sample.deposit("b.jpg", b"b")
    report = verify_bundle(write_folder(sample.files(), tmp_path / "bundle"), sample.anchors)
    assert report.ok, report.as_text()


def test_audit_of_all_digests_names_a_bundle_of_before_that_fits_by_sha256_alone(
    services: Services, tmp_path: Path
) -> None:
    fill(services, tmp_path, output)
    who = services.access.local_operator()
    with exports_as_before("0" * 128):
        row = services.exports.create(who, case_ref="T1")
    everything = services.audits.run(services.access.local_auditor(), options=Options(all_digests=True))
    assert errors_of(everything) == {("output_differs", f"export {row.id}")}


def test_audit_names_a_file_of_a_renewal_or_an_audit_that_fits_by_sha256_alone(tmp_path: Path) -> None:
    with stage(tmp_path) as at:
        at.deposit(b"a photo")
        with mock.patch("app.renewal.service.output", with_other_sha512):
            at.services.renewals.renew(at.admin)
        with mock.patch("app.audit.service.output", with_other_sha512):
            first = audit(at.services)
        assert {code for code, _ in errors_of(first)} == {"output_differs"}
        named = {subject.split(":")[0].split("/")[0] for _, subject in errors_of(audit(at.services))}
        assert named == {"renewal 1", "audits"}
