"""`catena inspect`: the archive's own record, for people and for programs, without an archive."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.cli.inspect import inspected
from app.cli.inspect_report import report
from app.cli.sketch import bearing, compass, degrees, distance_m, sketch, strip
from tests.apis import Api
from tests.commands import Cli
from tests.media_samples import clip, exif_bytes, gps, photo, ratio

BLOCK = exif_bytes(
    {0x010F: "Maker", 0x0110: "Model"},
    {0x9003: "2025:06:14 10:31:07", 0x9011: "+02:00"},
    gps((ratio(47), ratio(30), ratio(0)), "N", (ratio(19), ratio(30), ratio(0)), "W") | {6: ratio(125), 5: b"\0"},
)
LOG = "{n}\n00:00:0{n},000 --> 00:00:0{m},000\n[latitude: 47.51{n}] [longitude: -19.5] [rel_alt: {n}.5 abs_alt: 30]\n"
KEYS = {
    "com.apple.quicktime.location.ISO6709": "+47.5000-019.5000+132.500/",
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.creationdate": "2025-06-14T10:44:20-0100",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo, a phone's recording, a drone's recording with its flight log beside it."""
    here = tmp_path_factory.mktemp("inspected")
    photo(here / "a.jpg", exif=BLOCK)
    clip(here / "phone.mov", metadata=KEYS, options={"movflags": "use_metadata_tags"})
    clip(here / "DJI_0001.mp4")
    (here / "DJI_0001.SRT").write_text("\n".join(LOG.format(n=n, m=n + 1) for n in range(1, 6)))
    return here


@pytest.mark.parametrize("name", ["a.jpg", "phone.mov"])
def test_the_archive_has_the_same_record_for_the_same_bytes(lite: Api, folder: Path, name: str) -> None:
    item = lite.deposit((folder / name).read_bytes(), X_Filename=name)["item"]["id"]
    lite.work()
    kept = lite.get("leo", f"/items/{item}/metadata").json()
    assert kept["position"]["lat"]["value"] == 47.5
    assert inspected(folder / name)[0] == kept


def test_report_says_values_units_sources_and_certainty_in_words(empty_cli: Cli, folder: Path) -> None:
    told = empty_cli("inspect", folder / "phone.mov").out
    assert "47.500000° N  19.500000° W  GPS altitude 132.5 m  (stands so in the file)" in told
    assert "latitude                47.5 deg" in told
    assert "[stands so in the file: boxes keys com.apple.quicktime.location.ISO6709]" in told
    assert "[computed from recorded values: " in told
    assert "[info] encoder_reencoded: " in told
    assert "Read by\n" in told
    assert not (empty_cli.data).exists()


def test_flight_log_beside_a_recording_is_named_as_what_it_is(empty_cli: Cli, folder: Path) -> None:
    record = empty_cli.json("inspect", folder / "DJI_0001.mp4")
    assert record["track"]["points"] == 5
    assert record["track"]["source"].startswith("sidecar DJI_0001.SRT, a file of its own beside this one")
    assert "track_from_sidecar" in {one["code"] for one in record["findings"]}
    assert record["position"]["lat"]["value"] is None
    told = empty_cli("inspect", folder / "DJI_0001.mp4").out
    assert "5 places in 5 samples" in told
    assert "from sidecar DJI_0001.SRT" in told
    assert "the last is 445 m from the first, to N ↑ 0°" in told
    assert "height above take-off 1.5 to 5.5 m" in told
    assert "way 445 m over all samples" in told
    alone = empty_cli.json("inspect", folder / "DJI_0001.mp4", "--no-sidecar")
    assert alone["track"]["points"] == 0
    assert "track_from_sidecar" not in {one["code"] for one in alone["findings"]}


def test_flight_log_of_another_length_and_order_is_told_as_a_part_would_be(
    empty_cli: Cli, folder: Path, tmp_path: Path
) -> None:
    shutil.copy(folder / "DJI_0001.mp4", tmp_path / "a.mp4")
    block = "{n}\n00:00:{n:02d},000 --> 00:00:{m:02d},000\nGPS(12.5, 41.{n:04d}, 15) BAROMETER: 9.5\n"
    (tmp_path / "a.SRT").write_text("\n".join(block.format(n=n, m=n + 1) for n in range(1, 50)))
    found = {one["code"]: one for one in empty_cli.json("inspect", tmp_path / "a.mp4")["findings"]}
    assert {"track_axis_order_inferred", "track_length_differs"} <= found.keys()
    assert {one["docs"] for one in found.values()} == {f"findings.md#{code}" for code in found}


def test_several_files_are_read_though_one_is_missing(empty_cli: Cli, folder: Path, tmp_path: Path) -> None:
    ran = empty_cli("inspect", folder / "a.jpg", tmp_path / "none", folder, "--json", code=2)
    one, missing, no_file = ran.json["files"]
    assert one["record"]["device"]["make"]["value"] == "Maker"
    assert [missing["error"]["code"], no_file["error"]["code"]] == ["no_such_file"] * 2
    assert len(ran.err.splitlines()) == 2
    shown = empty_cli("inspect", folder / "a.jpg", folder / "phone.mov").out
    assert shown.index("a.jpg") < shown.index("phone.mov")


def test_names_and_texts_cannot_command_the_terminal(empty_cli: Cli, folder: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a\x1b[2J\n.jpg"
    shutil.copy(folder / "a.jpg", odd)
    told = empty_cli("inspect", odd).out
    assert "\x1b" not in told
    assert told.splitlines()[1].startswith("  photo, JPEG")


def test_report_of_an_old_record_with_conflicts_names_the_other_places(folder: Path) -> None:
    record, _ = inspected(folder / "a.jpg")
    other = {"value": 48.0, "raw": "48", "source": "xmp exif:GPSLatitude"}
    record["position"]["lat"] |= {"certainty": "conflicting", "conflicts": [other]}
    told = report(record)
    assert "other places in the file say otherwise" in told
    assert "but 48.0 deg: xmp exif:GPSLatitude" in told


def test_directions_distances_and_degrees() -> None:
    assert (degrees(-47.5, axis="lat"), degrees(19.5, axis="lon")) == ("47.500000° S", "19.500000° E")
    assert [compass(turn) for turn in (0, 44, 180, 359.9)] == ["N ↑ 0°", "NE ↗ 44°", "S ↓ 180°", "N ↑ 360°"]
    assert round(distance_m((0, 0), (0, 1))) == 111_195
    assert round(bearing((0, 0), (0, 1))) == 90
    south, east = strip(-90, 180)
    assert south.index("●") < east.index("●")


def test_sketch_is_small_and_has_its_ends_whatever_the_track() -> None:
    square = [(47.0, 19.0), (47.001, 19.0), (47.001, 19.001), (47.0, 19.001)]
    drawn = sketch(square)
    assert drawn[0].startswith("│·")
    assert drawn[-2].startswith("│S")
    assert drawn[-2].endswith("E")
    over = sketch([(0.0, 179.999), (0.0, -179.999)])
    assert over[0] == "│S" + " " * 46 + "E"
    for places in ([(0.0, 0.0)], [(89.9, -179.0), (-89.9, 179.0)], [(47.0, 19.0)] * 3):
        assert 1 <= len(sketch(places)) <= 14
        assert max(len(line) for line in sketch(places)) <= 60
    assert sketch([]) == []
