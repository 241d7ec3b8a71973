"""Facts of a recording, completed by what its container says; what photos are asked for comes first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from app.analysis.facts import Said, number_fact, same_text, text_fact
from app.analysis.gathered import Gathered
from app.analysis.normalise_video import attitude_text, encoder_traces, maker_by_handler, movie_datum, movie_number
from schemas.records.v1.media_metadata import (
    AttitudeFacts,
    DeviceFacts,
    EditingTrace,
    NumberFact,
    PositionFacts,
    TextFact,
)

_MAX_TRACES = 120
_ANGLES: Final = {
    "flight_yaw": "©fyw", "flight_pitch": "©fpt", "flight_roll": "©frl",
    "gimbal_yaw": "©gyw", "gimbal_pitch": "©gpt", "gimbal_roll": "©grl",
}  # fmt: skip
_DEVICE: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "make": (("@mak", "Device manufacturer", "exif/make", "nikon/make"),),
    "model": (("@mod", "©mdl", "CNMN"), ("MINF", "Device modelName", "exif/model", "nikon/model")),
    "camera_serial": (("CASN", "Device serialNo"),),
    "lens": (("com.apple.quicktime.camera.lens_model", "Lens modelName"),),
    "lens_serial": (("LINF", "LENS"),),
    "camera_serial_hash": (("CAME",),),
    "android_version": (("com.android.version",),),
}
_SOFTWARE: Final = ("@swr", "FMWR", "CNFV", "nikon/software")


def device_of(facts: DeviceFacts, gathered: Gathered) -> DeviceFacts:
    """Maker, model, numbers and program, from the places where recorders write them."""
    if gathered.video is None:
        return facts
    words: dict[str, list[Said[str] | None]] = {
        name: [gathered.movie_text(*names) for names in groups] for name, groups in _DEVICE.items()
    }
    words["make"].append(maker_by_handler(gathered))
    found = {name: completed_text(getattr(facts, name), said) for name, said in words.items()}
    if facts.software.value is None:
        found["software"] = text_fact([gathered.movie_text(*_SOFTWARE)])
    return facts.model_copy(update=found)


def position_of(facts: PositionFacts, gathered: Gathered) -> PositionFacts:
    """How far off the place may be, and its reference system."""
    if gathered.video is None:
        return facts
    error = movie_number(gathered, "com.apple.quicktime.location.accuracy.horizontal")
    return facts.model_copy(
        update={
            "horizontal_error": _numbers(facts.horizontal_error, [error], "m"),
            "map_datum": completed_text(facts.map_datum, [movie_datum(gathered)]),
        }
    )


def attitude_of(facts: AttitudeFacts, gathered: Gathered) -> AttitudeFacts:
    """Angles that a DJI drone writes into the movie's user data."""
    if gathered.video is None:
        return facts
    return facts.model_copy(
        update={
            name: _numbers(getattr(facts, name), [attitude_text(gathered, code)], "deg")
            for name, code in _ANGLES.items()
        }
    )


def editing_of(traces: tuple[EditingTrace, ...], gathered: Gathered) -> tuple[EditingTrace, ...]:
    """Programs that left their name inside the pictures, in handlers and in the segment."""
    more = (EditingTrace(kind="encoder", text=said.value, source=said.source) for said in encoder_traces(gathered))
    return tuple(dict.fromkeys((*traces, *more)))[:_MAX_TRACES]


def completed_text(fact: TextFact, words: Iterable[Said[str] | None]) -> TextFact:
    """A fact and what other places say of the same; a recorded word goes before a conclusion."""
    told = [word for word in words if word is not None]
    if fact.value is None:
        return text_fact(told, same_text)
    if fact.certainty in {"derived", "inferred"} and any(word.certainty == "recorded" for word in told):
        return text_fact(told, same_text)  # what stands in the file goes before what was concluded
    added = text_fact([Said(fact.value, fact.raw or "", fact.source or ""), *told], same_text)
    return _with_conflicts(fact, added)


def _numbers(fact: NumberFact, words: Iterable[Said[float] | None], unit: str) -> NumberFact:
    return number_fact(words, unit) if fact.value is None else fact


def _with_conflicts(fact: TextFact, added: TextFact) -> TextFact:
    if not added.conflicts:
        return fact
    return fact.model_copy(
        update={"certainty": "conflicting", "conflicts": tuple(dict.fromkeys((*fact.conflicts, *added.conflicts)))}
    )
