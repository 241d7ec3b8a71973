"""Findings about devices and programs: names, serials, and who wrote the file last. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.analysis.findings import info, rest, rest_with_conflicts, stated, warn
from app.analysis.probes.readings import shown
from schemas.records.v1.media_metadata import EditingTrace, Finding, MediaMetadata, RestsOn

EDITORS = re.compile(
    r"photoshop|lightroom|gimp|snapseed|picasa|acdsee|adobe|photo ?viewer|photoscape|nikon transfer|libformat|xnview|"
    r"imagemagick|canva|instagram|facebook|whatsapp|telegram|luminar|capture one|darktable|rawtherapee|affinity|"
    r"paint\.net|vsco|faceapp|facetune|remini|pixelmator|corel|irfanview|microsoft windows photo|premiere|"
    r"after effects|final cut|davinci|capcut|kinemaster|inshot|vegas",
    re.IGNORECASE,
)
ENCODERS = re.compile(r"\bLav[fc]|HandBrake|x26[45]|ffmpeg|Mainconcept", re.IGNORECASE)
GENERATORS = re.compile(
    r"midjourney|dall[-· ]?e\b|stable diffusion|firefly|novelai|comfyui|automatic1111|invokeai|leonardo\.ai|ideogram|"
    r"made with google ai|imagen\b|gpt-4o|openai|runway|\bsora\b",
    re.IGNORECASE,
)
_GENERATOR_SETTINGS = ("Steps: ", "Sampler: ", "Seed: ")
_DEVICE = ("camera_serial", "lens_serial", "drone_serial", "make", "model")
_NAMED = 5


def programs(record: MediaMetadata) -> Iterator[Finding]:
    """Editing programs, encoders and picture generators by name."""
    software = [trace for trace in record.editing if trace.kind in {"software", "history"}]
    editors = [trace for trace in software if EDITORS.search(trace.text)]
    if editors:
        text = f"names a program that edits or transfers: {_names(editors)}"
        yield info("editing_software", text, *_traces(editors))
    encoders = [trace for trace in record.editing if trace.kind == "encoder" and ENCODERS.search(trace.text)]
    if encoders:
        text = f"written by {_names(encoders)}; consistent with a video that was re-muxed or re-encoded"
        yield info("encoder_reencoded", text, *_traces(encoders))
    generators = [trace for trace in record.editing if GENERATORS.search(trace.text)]
    if generators:
        text = f"names a program that makes pictures by itself: {_names(generators)}; consistent with synthetic content"
        yield warn("generator_named", text, *_traces(generators))
    settings = record.raw.get("png", {}).get("parameters", "")
    if all(word in settings for word in _GENERATOR_SETTINGS):
        text = "the PNG holds settings of a program that makes pictures from words; consistent with synthetic content"
        yield warn("generator_named", text, stated("raw.png.parameters", settings, "png parameters"))


def _names(traces: list[EditingTrace]) -> str:
    return "; ".join(sorted({shown(trace.text) for trace in traces})[:_NAMED])


def _traces(traces: list[EditingTrace]) -> tuple[RestsOn, ...]:
    return tuple(stated("editing", trace.text, trace.source) for trace in traces)


def device_finding(record: MediaMetadata) -> Iterator[Finding]:
    """Serials and makers that disagree; serials that are placeholders."""
    for name in _DEVICE:
        fact = getattr(record.device, name)
        if fact.conflicts:
            other = ", ".join(f"{shown(conflict.value)} ({conflict.source})" for conflict in fact.conflicts)
            text = f"{name}: {shown(fact.value)} ({fact.source}), but also {other}"
            yield warn("device_conflict", text, *rest_with_conflicts(record, f"device.{name}"))
    serial = record.device.camera_serial.value
    if serial is not None and not serial.strip("0 .-"):
        text = f'the camera serial is recorded as "{shown(serial)}", which identifies no device'
        yield info("serial_placeholder", text, *rest(record, "device.camera_serial"))
