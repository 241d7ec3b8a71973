"""The rules alone: each finding on the smallest record that calls for it, and on its neighbour that does not."""

from __future__ import annotations

from typing import Any

import pytest

from app.analysis.probes.readings import Remark
from app.analysis.rules import RULES, find
from schemas.records.v1.media_metadata import (
    Conflict,
    DeviceFacts,
    EditingTrace,
    FileFacts,
    MediaMetadata,
    TextFact,
    TimeFacts,
)


def recorded(value: str, *others: str) -> TextFact:
    conflicts = tuple(Conflict(value=other, raw=other, source="xmp x:Y") for other in others)
    return TextFact(value=value, raw=value, source="exifread X Y", certainty="recorded", conflicts=conflicts)


def record(name: str = "photo.jpg", kind: str = "photo", form: str = "JPEG", **groups: Any) -> MediaMetadata:  # noqa: ANN401 (groups of facts)
    groups.setdefault("device", DeviceFacts(make=recorded("Maker")))
    facts = {"original_name": name, "size": 10, "kind": kind, "media_type": "image/jpeg", "format": form}
    return MediaMetadata(file=FileFacts.model_validate(facts), **groups)


def codes(of: MediaMetadata) -> set[str]:
    return {finding.code for finding in find(of)}


def times(local: str, modified: str | None = None, **more: TextFact) -> TimeFacts:
    return TimeFacts(capture_local=recorded(local), modified=recorded(modified) if modified else TextFact(), **more)


def test_record_with_nothing_odd_has_no_finding() -> None:
    assert codes(record(time=times("2025-06-14T10:31:07", "2025-06-14T10:31:07.250"))) == set()


@pytest.mark.parametrize(
    ("modified", "code"),
    [("2025-06-14T10:31:08", "modified_after_capture"), ("2025-06-14T10:31:06", "modified_before_capture")],
)
def test_change_time_beside_capture_time(modified: str, code: str) -> None:
    assert codes(record(time=times("2025-06-14T10:31:07", modified))) == {code}


def test_conflicting_clocks_are_named_with_their_source() -> None:
    time = TimeFacts(
        capture_local=recorded("2025-06-14T10:31:07", "2024-01-01T00:00:00"), utc_offset=recorded("+02:00", "+03:00")
    )
    found = {finding.code: finding.text for finding in find(record(time=time))}
    assert set(found) == {"capture_time_conflict", "utc_offset_conflict"}
    assert "xmp x:Y" in found["capture_time_conflict"]


@pytest.mark.parametrize(
    ("gps", "found"),
    [
        ("2025-06-14T08:31:07Z", set()),
        ("2025-06-14T04:46:30Z", set()),  # +05:45, Nepal
        ("2025-06-14T08:46:07Z", {"clock_differs_from_gps"}),  # no zone has +01:45
        ("2025-06-12T08:31:07Z", {"clock_differs_from_gps"}),
    ],
)
def test_camera_clock_against_satellites(gps: str, found: set[str]) -> None:
    assert codes(record(time=times("2025-06-14T10:31:07", gps_utc=recorded(gps)))) == found


@pytest.mark.parametrize(
    ("gps", "found"),
    [
        ("2025-06-14T08:31:07Z", set()),
        ("2025-06-14T08:30:07Z", set()),
        ("2025-06-14T07:31:07Z", {"clock_differs_from_gps"}),  # +03:00 is in use, and not what the file records
        ("2025-06-14T08:26:07Z", {"clock_differs_from_gps"}),  # no zone has +02:05
    ],
)
def test_camera_clock_with_its_own_offset_against_satellites(gps: str, found: set[str]) -> None:
    clocks = TimeFacts(
        capture_local=recorded("2025-06-14T10:31:07"), utc_offset=recorded("+02:00"), gps_utc=recorded(gps)
    )
    assert codes(record(time=clocks)) == found


@pytest.mark.parametrize(
    ("program", "edits"),
    [
        ("Adobe Photoshop Lightroom 6.1 (Windows)", True),
        ("GIMP 2.10.34", True),
        ("v01.23.4920", False),
        ("16.2", False),
    ],
)
def test_editing_programs_by_name(program: str, edits: bool) -> None:  # noqa: FBT001 (a row of the table)
    trace = EditingTrace(kind="software", text=program, source="exifread IFD0 Software")
    assert ("editing_software" in codes(record(editing=(trace,)))) == edits


@pytest.mark.parametrize(
    ("name", "form", "wrong"),
    [
        ("a.JPG", "JPEG", False),
        ("a.jpg", "PNG", True),
        ("a.heic", "HEIC", False),
        ("a.heic", "JPEG", True),
        ("a.mov", "MP4", False),
        ("a.mp4", "Matroska", True),
        ("a", "PNG", False),
        ("a.dng", "TIFF", False),
    ],
)
def test_name_against_content(name: str, form: str, wrong: bool) -> None:  # noqa: FBT001 (a row of the table)
    assert ("extension_mismatch" in codes(record(name, form=form))) == wrong


def test_nothing_recorded_is_said_of_media_and_not_of_documents() -> None:
    assert "no_metadata" in codes(record(device=DeviceFacts()))
    assert codes(record("a.pdf", "other", "PDF", device=DeviceFacts())) == set()


def test_remarks_of_parsers_come_first_and_once() -> None:
    remark = Remark("truncated", "the JPEG has no end marker")
    found = find(record("a.png"), [remark, remark, Remark("image_too_large", "too many pixels")])
    assert [(finding.code, finding.severity) for finding in found] == [
        ("truncated", "warning"),
        ("image_too_large", "error"),
        ("extension_mismatch", "info"),
    ]


def test_every_rule_is_listed_once() -> None:
    assert len(set(RULES)) == len(RULES)
