"""Throwaway sample media for the demo and for tests: rendered, marked as samples, placed in the open sea.

`make_samples` writes two photos and a clip as a small drone would leave them (EXIF, XMP, GPS, telemetry), and
of each a copy as a messenger or a re-upload would leave it (recompressed, cropped or trimmed, without metadata).
The positions lie in the North Atlantic, where nobody lives, so that a sample can never be taken for an incident.

Run `python -m scripts.sample_media FOLDER` to have them in a folder.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from scripts.sample_terrain import Picture, Scene, draw_fire_engine, fire_engine_place, render, watermark

if TYPE_CHECKING:
    import av.container

MAKE: Final = "DJI"
MODEL: Final = "FC-SAMPLE"
SERIAL: Final = "SAMPLE0000000001"
LOCAL: Final = timezone(timedelta(hours=-1))
FPS: Final = 25
CLIP_SECONDS: Final = 10
CLIP_SIZE: Final = (960, 540)
CLIP_TRIM: Final = (2.0, 8.0)
ENGINE_PX: Final = 70  # half the side of a square that holds the fire engine in the clip's world
METRES_PER_DEGREE: Final = 111_320.0


@dataclass(frozen=True)
class Sample:
    """One sample file and what is true of it.

    Attributes:
        path: the file.
        kind: "photo" or "clip".
        title: what it is, in words.
        copy_of: file name of the original, or None when it is the original.
        captured_at: RFC 3339 time with the local offset, as the metadata says; None for a copy, which says nothing.
        latitude: WGS84 degrees, north positive; None for a copy.
        longitude: WGS84 degrees, east positive; None for a copy.
        altitude_m: GPS altitude; None for a copy.
        fire_engine: whether a fire engine can be seen.
    """

    path: Path
    kind: str
    title: str
    copy_of: str | None = None
    captured_at: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude_m: float | None = None
    fire_engine: bool = False


@dataclass(frozen=True)
class Shot:
    """When, where and how a sample claims to have been taken: degrees, metres."""

    name: str
    title: str
    scene: Scene
    taken: datetime
    latitude: float
    longitude: float
    altitude_m: float
    relative_m: float
    yaw: float
    words_at: tuple[float, float]
    words_tilt: float


PHOTOS: Final = (
    Shot(
        name="DJI_0041.JPG",
        title="photo from a drone: a fire engine on a road between fields",
        scene=Scene(101, 4000, 3000, 22.0, 12.0, fire_engine=True, houses=9, trees=160),
        taken=datetime(2025, 6, 14, 10, 31, 7, tzinfo=LOCAL),
        latitude=47.512345,
        longitude=-19.987654,
        altitude_m=121.4,
        relative_m=80.2,
        yaw=-78.4,
        words_at=(0.03, 0.96),
        words_tilt=2.0,
    ),
    Shot(
        name="DJI_0042.JPG",
        title="photo from a drone: fields and farmhouses, no vehicle",
        scene=Scene(202, 4000, 3000, 22.0, -31.0, fire_engine=False, houses=6, trees=230),
        taken=datetime(2025, 6, 14, 10, 38, 52, tzinfo=LOCAL),
        latitude=47.520718,
        longitude=-19.969021,
        altitude_m=119.8,
        relative_m=78.6,
        yaw=121.9,
        words_at=(0.6, 0.1),
        words_tilt=-9.0,
    ),
)
CLIP: Final = Shot(
    name="DJI_0043.MP4",
    title="clip from a drone: flight along a road, a fire engine drives below",
    scene=Scene(303, 2600, 1500, 11.0, -7.0, fire_engine=False, houses=14, trees=190),
    taken=datetime(2025, 6, 14, 10, 44, 20, tzinfo=LOCAL),
    latitude=47.516021,
    longitude=-19.978312,
    altitude_m=132.5,
    relative_m=91.3,
    yaw=88.0,
    words_at=(0.04, 0.9),
    words_tilt=4.0,
)


def _degrees(value: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    """Degrees, minutes and seconds of an absolute angle, seconds to a ten-thousandth (EXIF 3.0, GPS IFD)."""
    ten_thousandths = round(abs(value) * 3600 * 10_000)
    minutes, rest = divmod(ten_thousandths, 60 * 10_000)
    return IFDRational(minutes // 60), IFDRational(minutes % 60), IFDRational(rest, 10_000)


def _exif(shot: Shot) -> Image.Exif:
    """EXIF as a drone writes it: maker, times with offset, GPS with references."""
    local, utc = shot.taken.strftime("%Y:%m:%d %H:%M:%S"), shot.taken.astimezone(UTC)
    offset = f"{shot.taken:%z}"[:3] + ":00"
    exif = Image.Exif()
    exif[0x010E], exif[0x010F], exif[0x0110] = "SAMPLE - NOT REAL", MAKE, MODEL
    exif[0x0131], exif[0x0132], exif[0x0112] = "sample 1.0", local, 1
    exif.get_ifd(0x8769).update(
        {
            0x9003: local,
            0x9004: local,
            0x9010: offset,
            0x9011: offset,
            0x829A: IFDRational(1, 800),
            0x829D: IFDRational(28, 10),
            0x8827: 100,
            0x920A: IFDRational(88, 10),
            0xA405: 24,
            0xA431: SERIAL,
        }
    )
    exif.get_ifd(0x8825).update(
        {
            0: b"\x02\x03\x00\x00",
            1: "N" if shot.latitude >= 0 else "S",
            2: _degrees(shot.latitude),
            3: "E" if shot.longitude >= 0 else "W",
            4: _degrees(shot.longitude),
            5: b"\x00",
            6: IFDRational(round(shot.altitude_m * 1000), 1000),
            7: (IFDRational(utc.hour), IFDRational(utc.minute), IFDRational(utc.second)),
            18: "WGS-84",
            29: f"{utc:%Y:%m:%d}",
        }
    )
    return exif


def _xmp(shot: Shot) -> bytes:
    """The drone's own XMP packet: heights, attitude, serial number."""
    values = {
        "AbsoluteAltitude": f"{shot.altitude_m:+.2f}",
        "RelativeAltitude": f"{shot.relative_m:+.2f}",
        "GpsLatitude": f"{shot.latitude:+.6f}",
        "GpsLongitude": f"{shot.longitude:+.6f}",
        "GimbalRollDegree": "+0.00",
        "GimbalYawDegree": f"{shot.yaw:+.2f}",
        "GimbalPitchDegree": "-89.90",
        "FlightRollDegree": "+1.20",
        "FlightYawDegree": f"{shot.yaw + 0.6:+.2f}",
        "FlightPitchDegree": "-3.40",
        "DroneSerialNumber": SERIAL,
    }
    attributes = "\n".join(f'   drone-dji:{name}="{value}"' for name, value in values.items())
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/"
{attributes}/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>""".encode()


def _photo(folder: Path, shot: Shot) -> Iterator[Sample]:
    """Write one photo and its messenger copy: 82 % of each side, 1,600 pixels wide, quality 62, no metadata."""
    picture = render(shot.scene)
    watermark(picture, shot.words_at, shot.words_tilt)
    image = Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    path = folder / shot.name
    image.save(path, "JPEG", quality=88, exif=_exif(shot), xmp=_xmp(shot))
    yield _original(path, "photo", shot)
    width, height = image.size
    left, top = round(width * 0.1), round(height * 0.08)
    part = image.crop((left, top, left + round(width * 0.82), top + round(height * 0.82)))
    part = part.resize((1600, round(1600 * part.height / part.width)), Image.Resampling.LANCZOS)
    copy = folder / f"forwarded_{path.stem[-4:]}.jpg"
    part.save(copy, "JPEG", quality=62)
    title = "the same photo as forwarded by a messenger: cropped, smaller, metadata stripped"
    yield Sample(copy, "photo", title, copy_of=path.name, fire_engine=shot.scene.fire_engine)


def _original(path: Path, kind: str, shot: Shot) -> Sample:
    return Sample(
        path,
        kind,
        shot.title,
        captured_at=shot.taken.isoformat(),
        latitude=shot.latitude,
        longitude=shot.longitude,
        altitude_m=shot.altitude_m,
        fire_engine=shot.scene.fire_engine or kind == "clip",
    )


def _frames() -> Iterator[Picture]:
    """The camera flies along the road, sways, turns a little and comes lower; the fire engine drives."""
    world, (width, height) = render(CLIP.scene), CLIP_SIZE
    for number in range(FPS * CLIP_SECONDS):
        share = number / (FPS * CLIP_SECONDS)
        along = -70.0 + 135.0 * share
        left, top = (max(0, round(place) - ENGINE_PX) for place in fire_engine_place(CLIP.scene, along))
        patch = np.s_[top : top + 2 * ENGINE_PX, left : left + 2 * ENGINE_PX]
        bare = world[patch].copy()
        draw_fire_engine(world, CLIP.scene, along)
        x = 620.0 + 1330.0 * share
        y = 790.0 + 60.0 * float(np.sin(2 * np.pi * share)) - 140.0 * share
        turn = cv2.getRotationMatrix2D((x, y), -6.0 + 14.0 * share, 0.84 + 0.22 * share)
        turn[:, 2] += np.array((width / 2 - x, height / 2 - y))
        frame = np.asarray(cv2.warpAffine(world, turn, (width, height), flags=cv2.INTER_LINEAR), dtype=np.uint8)
        world[patch] = bare
        watermark(frame, CLIP.words_at, CLIP.words_tilt)
        yield frame


def _place(second: float) -> tuple[float, float]:
    """Latitude and longitude after `second` seconds of flight, eastward at about 12 m/s."""
    metres = 12.1 * second
    longitude = CLIP.longitude + metres / (METRES_PER_DEGREE * float(np.cos(np.deg2rad(CLIP.latitude))))
    return CLIP.latitude + 0.9 * second / METRES_PER_DEGREE, longitude


def _telemetry(second: int) -> bytes:
    """One subtitle of telemetry, in the dialect of DJI's newer drones, framed for `mov_text` (3GPP TS 26.245)."""
    latitude, longitude = _place(second)
    taken = CLIP.taken + timedelta(seconds=second)
    text = (
        f"FrameCnt: {second * FPS + 1}, DiffTime: 1000ms\n{taken:%Y-%m-%d %H:%M:%S}.000\n"
        f"[iso: 100] [shutter: 1/800.0] [fnum: 2.8] [ev: 0] [focal_len: 24.00] "
        f"[latitude: {latitude:.6f}] [longitude: {longitude:.6f}] "
        f"[rel_alt: {CLIP.relative_m - 1.5 * second:.3f} abs_alt: {CLIP.altitude_m - 1.5 * second:.3f}]"
    ).encode()
    return len(text).to_bytes(2, "big") + text


def _encode(
    container: av.container.OutputContainer,
    frames: Iterator[Picture],
    size: tuple[int, int],
    crf: int,
    words: list[bytes],
) -> None:
    """Encode BGR frames as H.264, then one subtitle a second.

    The thread count is fixed and macroblock-tree rate control is off (as the preset has it), because with
    either left to the encoder the same frames do not always become the same bytes.
    """
    import av

    stream = container.add_stream("h264", rate=FPS, options={"preset": "superfast", "crf": str(crf), "threads": "2"})
    stream.width, stream.height, stream.pix_fmt, stream.codec_context.gop_size = *size, "yuv420p", 2 * FPS
    track = container.add_mux_stream("mov_text", time_base=Fraction(1, 1000)) if words else stream
    for number, picture in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
    for second, text in enumerate(words):
        packet = av.Packet(text)
        packet.stream, packet.time_base = track, Fraction(1, 1000)
        packet.pts = packet.dts = 1000 * second
        packet.duration = 1000
        container.mux(packet)


def _clip(folder: Path) -> Iterator[Sample]:
    """Write the clip with its telemetry track, and a copy: six seconds of it, smaller, harder compressed, bare."""
    import av

    path, copy, frames = folder / CLIP.name, folder / "repost.mp4", list(_frames())
    with av.open(str(path), "w", format="mp4", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update(
            {
                "creation_time": f"{CLIP.taken.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000000Z}",
                "location": f"{CLIP.latitude:+08.4f}{CLIP.longitude:+09.4f}{CLIP.altitude_m:+.1f}/",
                "make": MAKE,
                "model": MODEL,
                "comment": "SAMPLE - NOT REAL",
            }
        )
        _encode(container, iter(frames), CLIP_SIZE, 23, [_telemetry(second) for second in range(CLIP_SECONDS)])
    yield _original(path, "clip", CLIP)
    first, last = (round(second * FPS) for second in CLIP_TRIM)
    small = (
        np.asarray(cv2.resize(frame, (640, 360), interpolation=cv2.INTER_AREA), np.uint8)
        for frame in frames[first:last]
    )
    with av.open(str(copy), "w", format="mp4") as container:
        _encode(container, small, (640, 360), 30, [])
    title = "six seconds of the same clip as somebody posted it again: smaller, recompressed, metadata stripped"
    yield Sample(copy, "clip", title, copy_of=path.name, fire_engine=True)


def make_samples(folder: Path) -> list[Sample]:
    """Write all samples; the same bytes every time.

    Args:
        folder: made if missing; files of the same names are written over.

    Returns:
        Two photos, each followed by its copy, then the clip and its copy.

    Raises:
        OSError: when the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    photos = [sample for shot in PHOTOS for sample in _photo(folder, shot)]
    return [*photos, *_clip(folder)]


def main() -> None:
    """Write the samples into the folder named on the command line and print what they are, as JSON."""
    parser = argparse.ArgumentParser(description="Write sample media (rendered, not real).")
    parser.add_argument("folder", type=Path)
    samples = make_samples(parser.parse_args().folder)
    print(json.dumps([asdict(sample) | {"path": str(sample.path)} for sample in samples], indent=2))


if __name__ == "__main__":
    main()
