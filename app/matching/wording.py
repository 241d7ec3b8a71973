"""What a verdict says to people: plain sentences, with the numbers and the limits they were held against."""

from __future__ import annotations

from math import ceil, floor
from typing import Final

from app.matching import rules
from app.matching.agreement import Agreement
from app.matching.align import MIN_SECONDS, Segment
from app.matching.features import Geometry
from app.matching.format import HashRow
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
_EXACT: Final = 1e-9  # .58 is 57.99999999999999 hundredths
_SAME: Final = (
    "The same picture, perhaps recompressed, resized or retouched; two shots taken in the same moment from the same "
    "place can look like this too, and so can two documents that differ in small details only."
)
_DERIVED: Final = "One picture is derived from the other, or both show an overlapping view of the same scene."
_PART: Final = (
    "The two share a part, such as a frame, a letterhead, a form or a caption, or show one place at two moments; in "
    "the middle of what they have in common they do not agree well enough to call one a copy of the other."
)
_LOOK: Final = "A person must look."


def photo_by_hash(name: VerdictName, distance: int, left: HashRow, right: HashRow, agreement: Agreement) -> Verdict:
    """Word a verdict that rests on two near hashes."""
    transform = list(_TURNS[left.dihedral])
    if "trimmed" in (left.role, right.role):
        transform.append("borders removed")
    if "crop" in (left.role, right.role):
        transform.append("cropped")
    if "content" in (left.role, right.role):
        transform.append("shown on a page or screen")
    same = name == "same_content"
    limit = rules.SAME_CONTENT_DISTANCE if same else rules.DERIVED_DISTANCE
    opening = {"same_content": _SAME, "derived": _DERIVED}.get(name, _PART)
    text = (
        f"{opening} {_changes(transform)}"
        f"Their fingerprints differ in {distance} of 256 bits (limit {limit}); laid upon each other, the pictures "
        f"{_agree(agreement, rules.MIN_SAME_NCC if same else rules.MIN_NCC)}.{_middle(name, agreement)}"
    )
    return Verdict(name, distance, limit, text, tuple(transform), ncc=round(agreement.ncc, 3))


def photo_by_geometry(name: VerdictName, geometry: Geometry, agreement: Agreement) -> Verdict:
    """Word a verdict that rests on matching points."""
    transform = _geometry_changes(geometry, agreement)
    points = f"{geometry.inliers} points match one to one in one geometry"
    if agreement.ncc < rules.MIN_NCC:
        text = (
            f"Perhaps the same place or object, photographed at another moment: {points} (limit "
            f"{rules.RELATED_INLIERS}), but laid upon each other the pictures do not "
            f"{_agree(agreement, rules.MIN_NCC)}. {_LOOK}"
        )
    else:
        small, large = sorted((agreement.overlap_query, agreement.overlap_candidate))
        least = rules.MIN_INLIERS if name == "derived" else rules.MIN_HINT_INLIERS
        limit = rules.MIN_NCC
        if geometry.few:
            least, limit = rules.MIN_FEW_INLIERS, rules.MIN_FEW_NCC
        text = (
            f"{_DERIVED if name == 'derived' else _PART} {_changes(transform)}{points} (limit {least}). "
            f"The common part is {_percent(large)} of one picture and {_percent(small)} of the other; there the "
            f"pictures {_agree(agreement, limit)}.{_middle(name, agreement)}"
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


def still(
    name: VerdictName,
    time_ms: int,
    segment: Segment,
    distance: int | None,
    geometry: Geometry,
    agreement: Agreement,
) -> Verdict:
    """Word a verdict on a photo and a recording."""
    if name == "derived":
        opening = (
            f"The photo is a picture of the recording, about {_clock(time_ms)} from its start, or was taken at that "
            "moment from nearly the same place."
        )
    else:
        opening = (
            f"Perhaps the scene that the recording shows about {_clock(time_ms)} from its start, in another picture."
        )
    transform = _geometry_changes(geometry, agreement)
    hashes = (
        f" The nearest frame's fingerprint differs in {distance} of 256 bits (limit {rules.DERIVED_DISTANCE})."
        if distance is not None
        else ""
    )
    text = (
        f"{opening} {_changes(transform)}{geometry.inliers} points match one to one in one geometry (limit "
        f"{rules.MIN_FRAME_INLIERS}); laid upon each other, the pictures {_agree(agreement, rules.MIN_NCC)}."
        f"{hashes}{'' if name == 'derived' else ' ' + _LOOK}"
    )
    threshold = None if distance is None else DERIVED
    return Verdict(
        name, distance, threshold, text, tuple(transform), (segment,), geometry.inliers, round(agreement.ncc, 3)
    )


def still_by_hash(time_ms: int, segment: Segment, distance: int) -> Verdict:
    """Word what only a near fingerprint says of a photo and a recording."""
    text = (
        f"Perhaps a picture of the recording, about {_clock(time_ms)} from its start: the fingerprints differ in "
        f"{distance} of 256 bits (limit {rules.SAME_CONTENT_DISTANCE}). No points of it near that moment are kept that "
        f"confirm this. {_LOOK}"
    )
    return Verdict("possibly_related", distance, rules.SAME_CONTENT_DISTANCE, text, (), (segment,))


def _clock(time_ms: int) -> str:
    """Hours, minutes and seconds."""
    minutes, seconds = divmod(time_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


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


def _agree(agreement: Agreement, limit: float) -> str:
    """Agreement with its limit, and what of the compared area agrees."""
    return (
        f"agree to {_percent(agreement.ncc)} (limit {_percent(limit)}), in {_percent(agreement.share)} of the squares "
        "compared"
    )


def _middle(name: VerdictName, agreement: Agreement) -> str:
    """What follows from where they agree."""
    if name == "possibly_related" and agreement.middle_share < rules.MIN_MIDDLE_SHARE:
        told = f"{_percent(agreement.middle_share)} of the squares agree (limit {_percent(rules.MIN_MIDDLE_SHARE)})"
        return f" In the middle, {told}. {_LOOK}"
    if name == "possibly_related":
        return (
            f" In the middle, they agree to {_percent(agreement.middle_ncc)} "
            f"(limit {_percent_up(rules.MIN_MIDDLE_NCC)}; below it, enough points have to match there, too). {_LOOK}"
        )
    if agreement.share < rules.MIN_SAME_SHARE:
        return " Elsewhere they differ, as under a caption, a logo or a changed part."
    return ""


def _percent(share: float) -> str:
    """Whole per cents, rounded down: what lies below a limit must not read as if it reached it."""
    return f"{floor(100 * max(share, 0.0) + _EXACT)} %"


def _percent_up(limit: float) -> str:
    """A limit that is no whole per cent, rounded up, so that what is below it never reads as equal."""
    return f"{ceil(100 * limit - _EXACT)} %"
