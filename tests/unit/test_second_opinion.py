"""Another tool's opinion: asked in a cage, killed when it hangs, kept beside the record, never silently preferred."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from app.analysis.extract import inspect_file
from app.analysis.limits import MEBIBYTE, Limits
from app.analysis.opinion import weigh
from app.analysis.record_bytes import from_bytes
from app.analysis.second_opinion import NoOpinion, Opinion, ask, find_program
from app.analysis.service import examine
from app.errors import CatenaError
from schemas.records.v1.media_metadata import MediaMetadata
from tests.media_samples import exif_bytes, gps, photo, ratio

LIMITS = Limits(memory_bytes=512 * MEBIBYTE, cpu_s=5, wall_s=20.0)
LAT, LON = (ratio(47), ratio(30), ratio(0)), (ratio(19), ratio(30), ratio(0))


def picture(folder: Path) -> Path:
    block = exif_bytes(
        {0x010F: "Maker", 0x0110: "Model 1"},
        {0x9003: "2025:06:14 10:31:07", 0x9011: "+02:00", 0xA431: "0012345"},
        gps(LAT, "N", LON, "E") | {5: b"\0", 6: ratio(100)},
    )
    return photo(folder / "photo.jpg", exif=block)


def program(folder: Path, body: str) -> Path:
    path = folder / "bin" / "exiftool"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def said(**tags: str) -> Opinion:
    return Opinion("13.58", {name.replace("__", ":"): value for name, value in tags.items()})


def record_of(folder: Path) -> MediaMetadata:
    path = picture(folder)
    return inspect_file(path, path.name)


AGREEING = said(
    IFD0__Make="MAKER",
    IFD0__Model="Model 1",
    ExifIFD__SerialNumber="12345",
    ExifIFD__DateTimeOriginal="2025:06:14 10:31:07",
    ExifIFD__OffsetTimeOriginal="+02:00",
    Composite__GPSLatitude="47.5000004",
    Composite__GPSLongitude="19.5",
    Composite__GPSAltitude="100.04",
)


def test_opinion_that_agrees_changes_nothing_but_the_dump(tmp_path: Path) -> None:
    record = record_of(tmp_path)
    weighed = weigh(record, AGREEING)
    assert (weighed.findings, weighed.device, weighed.time, weighed.position) == (
        record.findings, record.device, record.time, record.position
    )  # fmt: skip
    assert weighed.tools["exiftool"] == "13.58"
    assert weighed.raw["exiftool"]["IFD0:Make"] == "MAKER"


@pytest.mark.parametrize(
    ("tag", "value", "group", "name"),
    [
        ("IFD0:Make", "Other", "device", "make"),
        ("IFD0:Model", "Model 2", "device", "model"),
        ("ExifIFD:SerialNumber", "12346", "device", "camera_serial"),
        ("ExifIFD:DateTimeOriginal", "2025:06:14 10:31:08", "time", "capture_local"),
        ("ExifIFD:OffsetTimeOriginal", "+03:00", "time", "utc_offset"),
        ("Composite:GPSLatitude", "47.500002", "position", "lat"),
        ("Composite:GPSLongitude", "-19.5", "position", "lon"),
        ("Composite:GPSAltitude", "-100", "position", "alt_gps"),
    ],
)
def test_opinion_that_differs_is_a_conflict_and_a_finding(
    tmp_path: Path, tag: str, value: str, group: str, name: str
) -> None:
    record = record_of(tmp_path)
    weighed = weigh(record, Opinion("13.58", AGREEING.tags | {tag: value}))
    before, fact = (getattr(getattr(each, group), name) for each in (record, weighed))
    assert (fact.value, fact.certainty) == (before.value, "conflicting")
    assert [conflict.source for conflict in fact.conflicts] == [f"exiftool 13.58 {tag}"]
    [finding] = [one for one in weighed.findings if one.code == "second_opinion_differs"]
    assert finding.severity == "warning"
    assert name in finding.text


def test_what_only_the_other_tool_reads_stays_absent_and_is_named(tmp_path: Path) -> None:
    path = photo(tmp_path / "bare.jpg")
    weighed = weigh(inspect_file(path, path.name), AGREEING)
    assert (weighed.position.lat.value, weighed.position.lat.certainty) == (None, "absent")
    assert weighed.position.lat.conflicts[0].value == 47.5000004
    assert "second_opinion_differs" in {finding.code for finding in weighed.findings}
    silent = weigh(record_of(tmp_path), Opinion("13.58", {}))
    assert "second_opinion_differs" not in {finding.code for finding in silent.findings}


def test_program_is_asked_about_the_file_and_its_numbers_keep_their_digits(tmp_path: Path) -> None:
    answer = json.dumps([{"SourceFile": "x", "ExifTool:ExifToolVersion": 12.5, "IFD0:Make": "Maker"}])
    answer = answer.replace('"Maker"', '"Maker", "A:B": 0.10, "C:D": ["x", 1]')
    path = picture(tmp_path)
    found = ask(program(tmp_path, f"test -r \"$(eval echo \\${{$#}})\" && echo '{answer}'"), path, LIMITS)
    assert found == Opinion("12.5", {"IFD0:Make": "Maker", "A:B": "0.10", "C:D": '["x", "1"]'})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("exit 1", "second_opinion_unreadable"),
        ("echo nonsense", "second_opinion_unreadable"),
        ("echo '[]'", "second_opinion_unreadable"),
        ("exec yes", "second_opinion_failed"),
        ("kill -9 $$", "second_opinion_unreadable"),
    ],
)
def test_program_that_fails_gives_no_opinion_and_a_note(tmp_path: Path, body: str, code: str) -> None:
    path = picture(tmp_path)
    found = ask(program(tmp_path, body), path, LIMITS)
    assert isinstance(found, NoOpinion)
    assert found.code == code
    weighed = weigh(inspect_file(path, path.name), found)
    assert [(one.code, one.severity) for one in weighed.findings if one.code.startswith("second")] == [(code, "info")]
    assert weighed.device.make.value == "Maker"


def test_program_that_hangs_is_killed_with_its_group(tmp_path: Path) -> None:
    began = time.monotonic()
    found = ask(program(tmp_path, "echo $$ >&2; sleep 600"), picture(tmp_path), Limits(wall_s=1.5))
    assert isinstance(found, NoOpinion)
    assert found.code == "second_opinion_timeout"
    assert time.monotonic() - began < 10


def test_program_may_write_nothing_and_read_nothing_else(tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere" / "secret"
    secret.parent.mkdir()
    secret.write_text("secret")
    made = tmp_path / "made"
    body = f'echo x > {made}; cat {secret} 2>/dev/null; echo \'[{{"ExifTool:ExifToolVersion": "1"}}]\''
    found = ask(program(tmp_path, body), picture(tmp_path), LIMITS)
    assert not made.exists() or made.stat().st_size == 0
    from app.analysis.sandbox import sandbox_level

    if sandbox_level()["landlock"]:
        assert found == Opinion("1", {}), "had it read the secret, its answer were none"
        assert not made.exists()


def test_setting_says_whether_anybody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_program("off") is None
    tool = program(tmp_path, "exit 0")
    monkeypatch.setenv("PATH", str(tool.parent))
    assert find_program("auto") == tool
    assert find_program(str(tool)) == tool
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program("auto") is None
    with pytest.raises(CatenaError) as refused:
        find_program(str(tmp_path / "none"))
    assert refused.value.code == "bad_setting"


def test_examination_holds_the_opinion_only_where_it_is_wanted(tmp_path: Path) -> None:
    path = picture(tmp_path)
    tool = program(tmp_path, 'echo \'[{"ExifTool:ExifToolVersion": "9", "IFD0:Make": "Other"}]\'')
    plain, asked = (examine(path, path.name, exiftool=setting).record for setting in ("off", str(tool)))
    assert plain is not None
    assert asked is not None
    assert "exiftool" not in from_bytes(plain).tools
    assert from_bytes(asked).device.make.certainty == "conflicting"


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_exiftool_and_the_record_agree_on_the_corpus(corpus: Path) -> None:
    tool = find_program("auto")
    assert tool is not None
    for name in ("DJI_0021.JPG", "pug.heic", "issue-exifr-59.jpg", "HTC_Desire.webp", "001.tif"):
        path = corpus / "photos" / name
        found = ask(tool, path, LIMITS)
        assert isinstance(found, Opinion), name
        assert len(found.tags) > 20
        weighed = weigh(inspect_file(path, name), found)
        assert [one.text for one in weighed.findings if one.code.startswith("second")] == []
    assert os.access(tool, os.X_OK)
