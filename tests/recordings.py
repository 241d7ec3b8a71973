"""Made-up recordings whose every picture shows its own time: sixteen bars, black or white, are a number of tenths."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

BARS = 16
TICKS = 90_000
BASES = {"mpeg4": Fraction(1, 10), "mpeg2video": Fraction(1, 25)}  # these encoders know whole rates only
LOUD = 0.5


def bars(tenths: int, width: int = 320, height: int = 240) -> NDArray[np.uint8]:
    """A grey picture of a time; the highest bit is on the left."""
    bits = [(tenths >> (BARS - 1 - place)) & 1 for place in range(BARS)]
    row = np.repeat(np.array(bits, np.uint8) * 215 + 20, -(-width // BARS))[:width]
    return np.ascontiguousarray(np.broadcast_to(row, (height, width)))


def read_bars(gray: NDArray[np.uint8]) -> int:
    """The time that a picture shows, in tenths of a second."""
    row = gray[gray.shape[0] // 2].astype(float)
    edge = len(row) / BARS
    bits = [row[int((place + 0.5) * edge)] > 128 for place in range(BARS)]
    return int("".join("1" if bit else "0" for bit in bits), 2)


def record(  # noqa: PLR0913 (each is a property of a recording)
    path: Path,
    times: Iterable[float],
    *,
    size: tuple[int, int] = (320, 240),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rotation: int | None = None,
    aspect: Fraction | None = None,
    sound: tuple[float, float] | None = None,
    transfer: int | None = None,
    options: dict[str, str] | None = None,
    **container: Any,  # noqa: ANN401 (options of PyAV's open)
) -> Path:
    """Write a recording with a picture at each of some times (seconds).

    Args:
        transfer: number of the transfer function (ITU-T H.273), with the primaries of BT.2020.
        sound: beginning and end of a tone of 440 Hz, seconds.
    """
    with av.open(str(path), "w", **container) as target:
        # x265 gives pictures out of order unless told not to, now and then with times that no container takes.
        chosen = {"x265-params": "bframes=0:log-level=none"} if codec == "libx265" else {}
        chosen |= options or {}
        stream = target.add_stream(codec, rate=25 if codec == "mpeg2video" else 10, options=chosen)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        usual = Fraction(1, 1000 if path.suffix in {".webm", ".mkv"} else TICKS)
        stream.codec_context.time_base = BASES.get(codec, usual)
        if transfer is not None:
            stream.codec_context.color_trc, stream.codec_context.color_primaries = transfer, 9
            stream.codec_context.colorspace = 9
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation)
        voice = target.add_stream("aac", rate=48_000, layout="mono") if sound is not None else None
        for at in times:
            frame = av.VideoFrame.from_ndarray(bars(round(at * 10), *size), format="gray").reformat(format=pixels)
            base = stream.codec_context.time_base
            frame.pts, frame.time_base = round(at / float(base)), base
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
        if voice is not None and sound is not None:
            _tone(target, voice, *sound)
    return path


def _tone(target: OutputContainer, voice: Any, start: float, end: float) -> None:  # noqa: ANN401 (a stream)
    samples = LOUD * np.sin(np.arange(int((end - start) * 48_000)) * 2 * np.pi * 440 / 48_000).astype(np.float32)
    for at in range(0, len(samples) // 1024 * 1024, 1024):
        frame = av.AudioFrame.from_ndarray(samples[None, at : at + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, round(start * 48_000) + at, Fraction(1, 48_000)
        target.mux(voice.encode(frame))
    target.mux(voice.encode(None))


@dataclass(frozen=True)
class Seen:
    """What a player finds in a file: pictures as (seconds, tenths shown, gray plane), the times of loud sound."""

    size: tuple[int, int]
    codec: str
    profile: str | None
    pixels: str
    pictures: list[tuple[float, int]]
    planes: list[NDArray[np.uint8]]
    keys: list[float]
    loud: tuple[float, float] | None
    audio: str | None


def play(path: Path) -> Seen:
    """Decode a file from its first to its last picture and sound."""
    with av.open(str(path)) as source:
        video = source.streams.video[0]
        frames = list(source.decode(video))
        planes = [np.asarray(frame.to_ndarray(format="gray"), np.uint8) for frame in frames]
        pictures = [(round(frame.time, 3), read_bars(plane)) for frame, plane in zip(frames, planes, strict=True)]
        keys = [round(frame.time, 3) for frame in frames if frame.key_frame]
        context = video.codec_context
        described = (context.width, context.height), context.name, context.profile, context.pix_fmt or ""
    with av.open(str(path)) as source:
        heard = source.streams.audio
        name = heard[0].codec_context.name if heard else None
        loud: list[float] = []
        for frame in source.decode(heard[0]) if heard else ():
            if np.abs(frame.to_ndarray()).max() > LOUD / 4:
                at = frame.time or 0.0
                loud += [at, at + frame.samples / frame.sample_rate]
    return Seen(*described, pictures, planes, keys, (min(loud), max(loud)) if loud else None, name)
