"""ExifTool as judge over recordings made here and those of the corpus: where it has a value, ours is the same."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.analysis.extract import inspect_file
from schemas.records.v1.media_metadata import MediaMetadata
from tests.boxes import (
    box,
    chunk,
    elst,
    ftyp,
    hdlr,
    keys_and_values,
    mdhd,
    mvhd,
    since_1904,
    stsd,
    text,
    tkhd,
    track,
)
from tests.judges import require
from tests.media_samples import clip

CORPUS = Path(os.environ.get("CATENA_SHARED", "../shared")) / "corpus"
REAL = ["photos/FLIR_Thermal.mp4", "c2pa/video1.mp4", *(f"video/chair-{n}-bar.mp4" for n in ("19-sd", "22-sd-grey"))]
DAY = since_1904("2025-06-14T11:44:20")


def judged(path: Path) -> dict[str, Any]:
    """ExifTool's word on a file: numbers as numbers, names with their group."""
    done = subprocess.run(
        [require("exiftool"), "-json", "-G1", "-a", "-n", "-u", str(path)], capture_output=True, check=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


def ours(path: Path) -> MediaMetadata:
    return inspect_file(path, path.name)


def clock(value: str | None) -> str:
    """Our time as ExifTool writes it; its zeros for an unset clock."""
    return "0000:00:00 00:00:00" if value is None else value.replace("-", ":").replace("T", " ").removesuffix("Z")


def same_clocks_and_brands(path: Path) -> None:
    record, judge = ours(path), judged(path)
    assert clock(record.time.container_created.value) == judge["QuickTime:CreateDate"]
    assert clock(record.time.container_modified.value) == judge["QuickTime:ModifyDate"]
    assert record.container.brand.value == judge["QuickTime:MajorBrand"].strip()
    brands = judge["QuickTime:CompatibleBrands"]
    told = [brands] if isinstance(brands, str) else brands
    assert list(record.container.compatible_brands) == [brand.strip() for brand in told]
    # ExifTool numbers the tracks by their place in the file.
    for number, found in enumerate(sorted(record.container.tracks, key=lambda one: one.id or 0), 1):
        group = f"Track{number}"
        assert found.id == judge[f"{group}:TrackID"]
        assert clock(found.header_created.value) == judge[f"{group}:TrackCreateDate"]
        assert clock(found.header_modified.value) == judge[f"{group}:TrackModifyDate"]
        assert clock(found.media_created.value) == judge[f"{group}:MediaCreateDate"]
        handler = judge.get(f"{group}:HandlerDescription", "").strip("\x1f#")
        if handler != "Alias Data Handler":  # of two handlers, it shows the later: that of the data, not of the medium
            assert (found.handler or "") == handler
    if "Composite:GPSLatitude" in judge:
        assert record.position.lat.value == pytest.approx(judge["Composite:GPSLatitude"], abs=1e-5)
        assert record.position.lon.value == pytest.approx(judge["Composite:GPSLongitude"], abs=1e-5)
    if "Composite:Rotation" in judge:
        assert record.container.rotation.value == judge["Composite:Rotation"]


@pytest.mark.parametrize("name", REAL)
def test_recordings_of_the_corpus(name: str) -> None:
    if not (CORPUS / name).is_file():
        pytest.skip("the corpus is not here")
    same_clocks_and_brands(CORPUS / name)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_movie_made_by_hand(tmp_path: Path, turn: int) -> None:
    entry = bytes(8) + bytes(4) + struct.pack(">IIIBB", 1, 30_000, 1_001, 30, 0)
    table = stsd(b"tmcd", entry) + box(b"stco", bytes(4), struct.pack(">II", 1, len(ftyp()) + 8))
    tracks = [
        track(
            tkhd(1, DAY + 1, DAY + 2, turn=turn),
            mdhd(DAY + 3, DAY + 4),
            hdlr(b"vide", "Camera"),
            stsd(b"avc1", bytes(78)),
            elst((500, -1), (4_000, 45_000)),
        ),
        track(tkhd(2, DAY), mdhd(DAY), hdlr(b"tmcd", "Code"), table),
    ]
    user = box(b"udta", box(b"\xa9xyz", text("+47.5160-019.9783+132.500/")), box(b"\xa9mod", text("Model 1")))
    keys = keys_and_values({"com.android.version": (1, b"13"), "com.android.capture.fps": (23, struct.pack(">f", 240))})
    path = tmp_path / "clip.mp4"
    data = ftyp() + box(b"mdat", struct.pack(">I", 107_892)) + box(b"moov", mvhd(DAY, DAY + 60), *tracks, user, keys)
    path.write_bytes(data)
    same_clocks_and_brands(path)
    record, judge = ours(path), judged(path)
    assert record.position.alt_gps.value == judge["Composite:GPSAltitude"]
    assert record.device.model.value == judge["UserData:Model"]
    assert record.device.android_version.value == str(judge["Keys:AndroidVersion"])
    assert record.container.capture_fps.value == judge["Keys:AndroidCaptureFps"]


@pytest.mark.parametrize("rotation", [None, -90])
def test_movie_made_by_a_muxer(tmp_path: Path, rotation: int | None) -> None:
    made = clip(tmp_path / "clip.mp4", rotation=rotation, metadata={"creation_time": "2025-06-14T11:44:20Z"})
    same_clocks_and_brands(made)
    assert ours(made).container.encoder.value == judged(made)["ItemList:Encoder"]


def test_matroska_and_avi(tmp_path: Path) -> None:
    made = clip(tmp_path / "clip.mkv", metadata={"creation_time": "2025-06-14T11:44:20Z"})
    record, judge = ours(made), judged(made)
    assert clock(record.time.container_created.value) == judge["Matroska:DateTimeOriginal"].removesuffix("Z")
    assert (record.container.encoder.value, record.container.writing_application.value) == (
        judge["Matroska:MuxingApp"],
        judge["Matroska:WritingApp"],
    )
    head = chunk(b"LIST", b"hdrl", chunk(b"avih", bytes(56)), chunk(b"IDIT", b"Sat Jun 14 10:44:20 2025\n\0"))
    info = chunk(b"LIST", b"INFO", chunk(b"ISFT", b"CanonMVI06\0"))
    path = tmp_path / "clip.avi"
    path.write_bytes(chunk(b"RIFF", b"AVI ", head, info, chunk(b"LIST", b"movi")))
    record, judge = ours(path), judged(path)
    assert clock(record.time.capture_local.value) == judge["RIFF:DateTimeOriginal"]
    assert record.raw["riff"]["INFO/ISFT"] == judge["RIFF:Software"]
