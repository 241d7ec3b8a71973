"""What a verdict says to people: plain sentences, with the numbers and the limits they were held against."""

from __future__ import annotations

from typing import Final

from app.matching import rules
from app.matching.align import MIN_SECONDS, Segment
from app.matching.features import Geometry
from app.matching.format import HashRow
from app.matching.picture import Agreement
from app.matching.rules import DERIVED_DISTANCE as DERIVED
from app.matching.rules import Verdict, VerdictName

# The query, flipped and turned by this number, is the item. Said so that it is true from either side.
_TURNS: Final = {
    0: (),
    1: ("rotated by 90 degrees",),
    2: ("rotated by 180 degrees",),
    3: ("rotated by 90 degrees",),
    4: ("mirrored",),
    5: ("mirrored", "rotated by 90 degrees"),
    6: ("mirrored upside down",),
    7: ("mirrored", "rotated by 90 degrees"),
}
_SMALL_TURN: Final = 2.0  # degrees
_NEARLY_ALL: Final = 0.9
_SAME: Final = (
    "The same picture, perhaps recompressed, resized or retouched; two shots taken in the same moment from the same "
    "place can look like this too."
)
_DERIVED: Final = "One picture is derived from the other, or both show an overlapping view of the same scene."


def photo_by_hash(name: VerdictName, distance: int, left: HashRow, right: HashRow, agreement: Agreement) -> Verdict:
    """Word a verdict that rests on two near hashes."""
    transform = list(_TURNS[left.dihedral])
    if "trimmed" in (left.role, right.role):
        transform.append("borders removed")
    if "crop" in (left.role, right.role):
        transform.append("cropped")
    limit = rules.SAME_CONTENT_DISTANCE if name == "same_content" else rules.DERIVED_DISTANCE
    text = (
        f"{_SAME if name == 'same_content' else _DERIVED} {_changes(transform)}"
        f"Their fingerprints differ in {distance} of 256 bits (limit {limit}); "
        f"laid upon each other, the pictures agree to {_percent(agreement.ncc)} (limit {_percent(rules.MIN_NCC)})."
    )
    return Verdict(name, distance, limit, text, tuple(transform), ncc=round(agreement.ncc, 3))


def photo_by_geometry(name: VerdictName, geometry: Geometry, agreement: Agreement) -> Verdict:
    """Word a verdict that rests on matching points."""
    transform = _geometry_changes(geometry, agreement)
    ncc = f"agree to {_percent(agreement.ncc)} (limit {_percent(rules.MIN_NCC)})"
    if name == "derived":
        small, large = sorted((agreement.overlap_query, agreement.overlap_candidate))
        text = (
            f"{_DERIVED} {_changes(transform)}{geometry.inliers} points match one to one in one geometry (limit "
            f"{rules.MIN_INLIERS}). The common part is {_percent(large)} of one picture and {_percent(small)} of the "
            f"other; there the pictures {ncc}."
        )
    else:
        text = (
            "Perhaps the same place or object, photographed at another moment: "
            f"{geometry.inliers} points match one to one in one geometry (limit {rules.RELATED_INLIERS}), "
            f"but laid upon each other the pictures do not {ncc}. A person must look."
        )
    return Verdict(name, None, None, text, tuple(transform), inliers=geometry.inliers, ncc=round(agreement.ncc, 3))


def video(name: VerdictName, segments: list[Segment], *, distance: int | None, mirrored: bool, seconds: int) -> Verdict:
    """Word a verdict on two videos; `seconds` is the number of distinct seconds that line up."""
    opening = (
        "The same recording."
        if name == "same_content"
        else "One recording is derived from the other, or both contain the same stretch."
    )
    transform = ["mirrored"] if mirrored else []
    if distance is None:
        transform.append("cropped or overlaid")
    basis = (
        "matching points and grey levels of their frames"
        if distance is None
        else f"frame fingerprints, half of which differ in at most {distance} of 256 bits (limit {DERIVED})"
    )
    stretches = "one stretch" if len(segments) == 1 else f"{len(segments)} stretches"
    text = (
        f"{opening} {_changes(transform)}{seconds} distinct seconds (limit {MIN_SECONDS}) line up in {stretches}, "
        f"by {basis}."
    )
    threshold = None if distance is None else DERIVED
    return Verdict(name, distance, threshold, text, tuple(transform), tuple(segments))


def _geometry_changes(geometry: Geometry, agreement: Agreement) -> list[str]:
    changes = ["mirrored"] if geometry.mirrored else []
    if abs(geometry.turn_degrees) >= _SMALL_TURN:
        changes.append(f"rotated by {round(abs(geometry.turn_degrees))} degrees")
    small, large = sorted((agreement.overlap_query, agreement.overlap_candidate))
    if small < _NEARLY_ALL:
        changes.append("cropped" if large >= _NEARLY_ALL else "overlapping in part")
    return changes


def _changes(transform: list[str]) -> str:
    return f"Seen from the one, the other is: {', '.join(transform)}. " if transform else ""


def _percent(share: float) -> str:
    return f"{round(100 * max(share, 0.0))} %"
