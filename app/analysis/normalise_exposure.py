"""How the picture was exposed: numbers, and EXIF's choices in words (EXIF 2.32 section 4.6.5)."""

from __future__ import annotations

import math
from typing import Final

from app.analysis.facts import Said, integer_fact, number_fact, text_fact
from app.analysis.gathered import Gathered
from schemas.records.v1.media_metadata import ExposureFacts

_INFINITE: Final = 0xFFFFFFFF
_ISO_ELSEWHERE: Final = 65_535
_MOST_APEX: Final = 64
_PROGRAMS: Final = {
    1: "manual", 2: "normal program", 3: "aperture priority", 4: "shutter priority", 5: "creative program",
    6: "action program", 7: "portrait mode", 8: "landscape mode",
}  # fmt: skip
_METERING: Final = {
    1: "average", 2: "centre-weighted average", 3: "spot", 4: "multi-spot", 5: "pattern", 6: "partial", 255: "other",
}  # fmt: skip
_LIGHTS: Final = {
    1: "daylight", 2: "fluorescent", 3: "tungsten", 4: "flash", 9: "fine weather", 10: "cloudy", 11: "shade",
    12: "daylight fluorescent", 13: "day white fluorescent", 14: "cool white fluorescent", 15: "white fluorescent",
    16: "warm white fluorescent", 17: "standard light A", 18: "standard light B", 19: "standard light C", 20: "D55",
    21: "D65", 22: "D75", 23: "D50", 24: "ISO studio tungsten", 255: "other",
}  # fmt: skip
_MODES: Final = {0: "auto", 1: "manual", 2: "auto bracket"}
_BALANCES: Final = {0: "auto", 1: "manual"}
_SCENES: Final = {0: "standard", 1: "landscape", 2: "portrait", 3: "night scene"}
_RENDERINGS: Final = {0: "normal", 1: "custom"}
# Apple's numbers for CustomRendered go beyond EXIF's two.
_APPLE_RENDERINGS: Final = {
    2: "HDR, original not kept", 3: "HDR, original kept", 4: "original of an HDR picture", 6: "panorama",
    7: "portrait with HDR", 8: "portrait",
}  # fmt: skip
_APPLE_HDR: Final = {3: "HDR image", 4: "original of an HDR image"}
_APPLE_CAPTURES: Final = {1: "ProRAW", 2: "portrait", 10: "photo", 11: "manual focus", 12: "scene"}
_FLASH_RETURNS: Final = {2: ", no return light", 3: ", return light"}
_FLASH_MODES: Final = {1: ", compulsory on", 2: ", compulsory off", 3: ", auto"}


def exposure(gathered: Gathered) -> ExposureFacts:
    """Seconds, f-number, ISO speed, millimetres, steps of exposure, metres; choices in words."""
    number, xmp = gathered.exif_number, gathered.xmp_number
    return ExposureFacts(
        exposure_time=number_fact(
            [_positive(number("ExposureTime")) or _apex(gathered, "ShutterSpeedValue", -1.0), xmp("exif:ExposureTime")],
            "s",
            _close,
        ),
        f_number=number_fact(
            [_positive(number("FNumber")) or _apex(gathered, "ApertureValue", 0.5), xmp("exif:FNumber")], None, _close
        ),
        iso=integer_fact([_iso(gathered)]),
        focal_length=number_fact([_positive(number("FocalLength")), xmp("exif:FocalLength")], "mm", _close),
        focal_length_35mm=number_fact(
            [_positive(number("FocalLengthIn35mmFilm")), xmp("exif:FocalLengthIn35mmFilm")], "mm", _close
        ),
        exposure_bias=number_fact([number("ExposureBiasValue"), xmp("exif:ExposureBiasValue")], "EV", _close),
        max_aperture=number_fact([_apex(gathered, "MaxApertureValue", 0.5)], None),
        brightness=number_fact([number("BrightnessValue")], "EV"),
        subject_distance=number_fact([_distance(gathered)], "m"),
        digital_zoom=number_fact([_positive(number("DigitalZoomRatio"))], None),
        program=text_fact([_choice(gathered, "ExposureProgram", _PROGRAMS)]),
        mode=text_fact([_choice(gathered, "ExposureMode", _MODES)]),
        metering=text_fact([_choice(gathered, "MeteringMode", _METERING)]),
        flash=text_fact([_flash(gathered)]),
        white_balance=text_fact([_choice(gathered, "WhiteBalance", _BALANCES)]),
        light_source=text_fact([_choice(gathered, "LightSource", _LIGHTS)]),
        scene=text_fact([_choice(gathered, "SceneCaptureType", _SCENES)]),
        rendering=text_fact([_choice(gathered, "CustomRendered", _renderings(gathered))]),
        capture_mode=text_fact([_capture_mode(gathered)]),
    )


def _close(first: object, second: object) -> bool:
    """Equality up to one in a hundred: other writers round."""
    return (
        isinstance(first, int | float) and isinstance(second, int | float) and math.isclose(first, second, rel_tol=0.01)
    )


def _positive(said: Said[float] | None) -> Said[float] | None:
    """0 means "unknown" for these tags (EXIF 2.32)."""
    return said if said is not None and said.value > 0 else None


def _apex(gathered: Gathered, name: str, factor: float) -> Said[float] | None:
    """An APEX value as a time in seconds (factor -1) or an f-number (factor 1/2): a power of two."""
    said = gathered.exif_number(name)
    if said is None or abs(said.value) > _MOST_APEX:
        return None
    return Said(2.0 ** (said.value * factor), said.raw, said.source, "derived")


def _iso(gathered: Gathered) -> Said[int] | None:
    """ISO speed; 65535 means that it stands in a tag of 32 bits (EXIF 2.32, PhotographicSensitivity)."""
    said = gathered.exif_number("ISOSpeedRatings")
    if said is None or said.value >= _ISO_ELSEWHERE:
        wider = ("RecommendedExposureIndex", "StandardOutputSensitivity", "ISOSpeed")
        said = next((found for name in wider if (found := gathered.exif_number(name))), said)
    said = said or gathered.xmp_number("exif:ISOSpeedRatings", "exifEX:PhotographicSensitivity")
    return Said(int(said.value), said.raw, said.source) if said and said.value > 0 else None


def _distance(gathered: Gathered) -> Said[float] | None:
    """0 means unknown and 0xFFFFFFFF infinite: neither is a number of metres."""
    said = _positive(gathered.exif_number("SubjectDistance"))
    return said if said is not None and said.value < _INFINITE - 1 else None


def _choice(gathered: Gathered, name: str, words: dict[int, str]) -> Said[str] | None:
    """The word for a number; None for the number that means "unknown", a number without a word as itself."""
    said = gathered.exif_number(name)
    if said is None or (said.value == 0 and 0 not in words):
        return None
    return Said(words.get(int(said.value), f"number {int(said.value)}"), said.raw, said.source)


def _renderings(gathered: Gathered) -> dict[int, str]:
    make = gathered.exif_text("Make")
    return _RENDERINGS | (_APPLE_RENDERINGS if make is not None and make.value == "Apple" else {})


def _flash(gathered: Gathered) -> Said[str] | None:
    said = gathered.exif_number("Flash")
    if said is None or not 0 <= said.value <= 0x7F:  # noqa: PLR2004 (seven bits)
        return None
    bits = int(said.value)
    if bits & 0x20:
        return Said("no flash function", said.raw, said.source)
    text = "fired" if bits & 1 else "did not fire"
    text += _FLASH_RETURNS.get(bits >> 1 & 3, "") + _FLASH_MODES.get(bits >> 3 & 3, "")
    return Said(text + (", red-eye reduction" if bits & 0x40 else ""), said.raw, said.source)


def _capture_mode(gathered: Gathered) -> Said[str] | None:
    """Everything that says how the picture was taken, one after another."""
    said = [*_apple_modes(gathered), *_xmp_modes(gathered)]
    if not said:
        return None
    value, raw, source = (
        "; ".join(dict.fromkeys(part))
        for part in zip(*((each.value, each.raw, each.source) for each in said), strict=True)
    )
    return Said(value, raw, source)


def _apple_modes(gathered: Gathered) -> list[Said[str]]:
    found = []
    for name, words in (("HDRImageType", _APPLE_HDR), ("ImageCaptureType", _APPLE_CAPTURES)):
        said = gathered.maker_number(name, "Apple")
        word = words.get(int(said.value)) if said else None
        if said and word:
            found.append(Said(word, said.raw, said.source))
    for name, word in (("BurstUUID", "burst"), ("ContentIdentifier", "Live Photo")):
        text = gathered.maker_text(name) if gathered.maker.maker == "Apple" else None
        if text:
            found.append(Said(word, text.raw, text.source))
    return found


def _xmp_modes(gathered: Gathered) -> list[Said[str]]:
    found = []
    switches = (
        ("GCamera:MotionPhoto", "motion photo"),
        ("GCamera:MicroVideo", "motion photo"),
        ("drone-dji:SurveyingMode", "surveying"),
    )
    for name, word in switches:
        said = gathered.xmp_text(name)
        if said and said.value not in {"0", "False"}:
            found.append(Said(word, said.raw, said.source))
    for name, prefix in (
        ("GPano:ProjectionType", "panorama, "),
        ("GCamera:BurstID", "burst "),
        ("Camera:BandName", "band "),
    ):
        said = gathered.xmp_text(name)
        if said:
            found.append(Said(prefix + said.value, said.raw, said.source))
    return found
