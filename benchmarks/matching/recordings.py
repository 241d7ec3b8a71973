"""Recordings of the benchmark and what people do to them before they come back; with the true times of each."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np

from benchmarks.matching.attacks import badged, bars, captioned, cropped, recoloured, story
from benchmarks.matching.media import Photos, Picture, Scene

FPS: Final = 10
SECONDS: Final = 16
SIZE: Final = (480, 360)
KINDS: Final = ("wander", "hover", "handheld", "slides")
Frames = list[Picture]
Truth = list[tuple[float, float, float]]  # query from, query to, item's time at that beginning
Attacked = tuple[Frames, Truth, float]  # with the item's seconds for one of the query's
Rng = np.random.Generator
Attack = Callable[[Frames, Frames, Rng], Attacked]


def recording(seed: int, photos: Photos, kind: str, seconds: float = SECONDS) -> Frames:
    """A camera over places where things move; every 5 to 8 s it cuts to another place.

    Args:
        seed: of all that is drawn.
        photos: whose textures the places are made of.
        kind: `wander` (a slow flight), `hover` (nearly still), `handheld` (fast, shaky) or `slides` (still pictures).
        seconds: its length.
    """
    rng, textures = np.random.default_rng(seed), photos.textures()
    frames: Frames = []
    cut = 0.0
    pace = {"wander": 1.0, "hover": 0.03, "handheld": 2.2, "slides": 0.0}[kind]
    shake = 12.0 if kind == "handheld" else 0.0
    for number in range(round(seconds * FPS)):
        t = number / FPS
        if t >= cut:
            cut += float(rng.uniform(2.5, 4) if kind == "slides" else rng.uniform(5, 8))
            wide = Scene(int(rng.integers(2**31)), textures).view((1280, 960), camera=(0.5, 0.5, 0.7))
            phase, step = rng.uniform(0, 2 * np.pi, 3), pace * rng.uniform(0.15, 0.5, 2)
            thing = cropped(textures[int(rng.integers(len(textures)))], 0.15, rng)
        share = 0.55 + 0.07 * np.sin(0.4 * pace * t + phase[0])
        across, down = 0.5 + 0.45 * np.sin(step[0] * t + phase[1]), 0.5 + 0.45 * np.cos(step[1] * t + phase[2])
        seen = wide if kind == "slides" else _with_thing(wide, thing, t)
        height, width = round(960 * share), round(1280 * share)
        jolt = rng.normal(0, shake, 2)
        y = int(np.clip((960 - height) * down + jolt[0], 0, 960 - height))
        x = int(np.clip((1280 - width) * across + jolt[1], 0, 1280 - width))
        frames.append(np.asarray(cv2.resize(seen[y : y + height, x : x + width], SIZE), np.uint8))
    return frames


def _with_thing(wide: Picture, thing: Picture, t: float) -> Picture:
    seen = wide.copy()
    top, left = round(700 * abs(np.sin(0.2 * t))), round(1000 * abs(np.cos(0.13 * t)))
    seen[top : top + thing.shape[0], left : left + thing.shape[1]] = thing
    return seen


def _each(change: Callable[[Picture, Rng], Picture]) -> Attack:
    """The same change, drawn once, of every frame."""

    def attack(frames: Frames, _: Frames, rng: Rng) -> Attacked:
        seed = int(rng.integers(2**31))
        made = [change(frame, np.random.default_rng(seed)) for frame in frames]
        return made, [(0.0, len(frames) / FPS, 0.0)], 1.0

    return attack


def _mirrored(picture: Picture) -> Picture:
    return np.ascontiguousarray(picture[:, ::-1])


def _scaled(picture: Picture, share: float) -> Picture:
    return np.asarray(cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)


def _paced(speed: float) -> Attack:
    def attack(frames: Frames, _: Frames, __: Rng) -> Attacked:
        count = int((len(frames) - 1) / speed)
        return [frames[round(i * speed)] for i in range(count)], [(0.0, count / FPS, 0.0)], speed

    return attack


def _trim(frames: Frames, _: Frames, rng: Rng) -> Attacked:
    start = int(rng.integers(0, len(frames) - 6 * FPS))
    return frames[start : start + 6 * FPS], [(0.0, 6.0, start / FPS)], 1.0


def _compiled(frames: Frames, other: Frames, rng: Rng) -> Attacked:
    start, length = int(rng.integers(0, len(frames) - 45)), 45
    made = other[:70] + frames[start : start + length] + other[70:130]
    return made, [(7.0, 11.5, start / FPS)], 1.0


def _compiled_crop(frames: Frames, other: Frames, rng: Rng) -> Attacked:
    made, truth, speed = _compiled(frames, other, rng)
    return _each(lambda f, r: cropped(f, 0.85, r))(made, [], rng)[0], truth, speed


def _two_clips(frames: Frames, other: Frames, _: Rng) -> Attacked:
    return frames[100:155] + other[:50] + frames[10:60], [(0.0, 5.5, 10.0), (10.5, 15.5, 1.0)], 1.0


def _repeated(frames: Frames, other: Frames, _: Rng) -> Attacked:
    return frames[20:80] + other[:40] + frames[20:80], [(0.0, 6.0, 2.0), (10.0, 16.0, 2.0)], 1.0


ATTACKS: Final[dict[str, Attack]] = {
    "recompress": _each(lambda f, _: f),
    "resize to half": _each(lambda f, _: _scaled(f, 0.5)),
    "grey and blurred": _each(lambda f, _: cv2.GaussianBlur(_gray(f), (0, 0), 1.5).astype(np.uint8)),
    "letterbox": _each(lambda f, _: bars(f, 0.16, 0)),
    "mirror": _each(lambda f, _: _mirrored(f)),
    "combo": _each(lambda f, rng: bars(recoloured(f, rng), 0.15, 0)),
    "upright story": _each(lambda f, _: _scaled(story(f), 0.5)),
    "caption + logo": _each(lambda f, rng: badged(captioned(f, rng), rng)),
    "crop to 80 %": _each(lambda f, rng: cropped(f, 0.8, rng)),
    "crop to 60 %": _each(lambda f, rng: cropped(f, 0.6, rng)),
    "mirror + crop to 80 %": _each(lambda f, rng: cropped(_mirrored(f), 0.8, rng)),
    "caption + crop + recolour": _each(lambda f, rng: cropped(captioned(recoloured(f, rng), rng), 0.85, rng)),
    "speed x1.25": _paced(1.25),
    "speed x0.85": _paced(0.85),
    "half the frames": lambda f, _, __: ([x for x in f[::2] for _ in (0, 1)], [(0.0, len(f) / FPS, 0.0)], 1.0),
    "trim to 6 s": _trim,
    "4.5 s in a compilation": _compiled,
    "4.5 s in a cropped compilation": _compiled_crop,
    "two clips in a compilation": _two_clips,
    "a clip twice": _repeated,
}


def _gray(picture: Picture) -> Picture:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def write(path: Path, frames: Frames, crf: int) -> Path:
    """Encode frames as H.264."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS))
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast"}
        height, width = (side // 2 * 2 for side in frames[0].shape[:2])
        stream.width, stream.height = width, height
        for frame in frames:
            even = np.ascontiguousarray(frame[:height, :width], dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="bgr24")))
        container.mux(stream.encode(None))
    return path
