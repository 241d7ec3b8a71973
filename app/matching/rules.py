"""Verdict rules: thresholds with their provenance, and the decisions that follow from them. Pure.

"MATCHING.md" below is the measurement on 145 photos x 29 attacks against 339 photos (1.4 million
negative pairs) and 15 videos x 11 attacks. False positives weigh more than misses everywhere.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final, Literal

from app.matching.agreement import Agreement
from app.matching.align import Segment

VerdictName = Literal["identical", "same_content", "derived", "possibly_related"]
VERDICTS: Final[tuple[VerdictName, ...]] = ("identical", "same_content", "derived", "possibly_related")

# Bits of 256. At 87 the 256-bit pHash has about 1e-6 false positives per pair (MATCHING.md); 31 is the
# radius up to which the index is exact by the pigeonhole, 50 the widest that videos were tried with.
SAME_CONTENT_DISTANCE: Final = 31
DERIVED_DISTANCE: Final = 50
# PDQ's recommended gate (Meta, 2019). Two near-black frames differ by chance only.
MIN_QUALITY: Final = 50
# MATCHING.md; on real photos, copies measure .87 and more, chance geometry about 0.
MIN_NCC: Final = 0.5
# "The same picture" demands agreement nearly everywhere. Measured on made-up and real pairs: copies .93 and more,
# letters of one layout under one letterhead up to .88; squares that agree: copies .96 and more.
MIN_SAME_NCC: Final = 0.9
MIN_SAME_SHARE: Final = 0.95
# The middle of the common part has to agree by itself: captions, logos, letterheads and screen frames lie at the
# edges. Captioned copies reach .88 and more, screenshots of one app with different photos up to .74.
MIN_MIDDLE_SHARE: Final = 0.8
# In small pictures text is a grey haze, so points in the middle must match too (share of the cells: letters of one
# layout up to .2, forms filled in differently up to .5, captioned copies of photos .9 and more), unless the middle
# agrees better than such a haze does (up to .944; copies of photos without a caption .97 and more; cropped copies of
# small print lie on both sides, and are left to a person). Photos have more points than
# frames, better spread: made-up scenes from elsewhere and later reach .73, screenshots of crops .75 and more.
MIN_REACH: Final = 0.75
MIN_FRAME_REACH: Final = 0.65
MIN_MIDDLE_NCC: Final = 0.955
# Chance reaches 10 inliers in 5 % of pairs (MATCHING.md: 254 of 4,961); video views are many, so more.
MIN_INLIERS: Final = 12
MIN_FRAME_INLIERS: Final = 15
# A model grown from few points has to show in the pictures. Measured on crops to half of the sides
# (docs/benchmarks.md): copies 6 points, .887, in the middle .988 and 15 blocks and more; the best of strangers .20.
MIN_FEW_INLIERS: Final = 6
MIN_FEW_NCC: Final = 0.85
MIN_FEW_MIDDLE_NCC: Final = 0.975
MIN_FEW_BLOCKS: Final = 12
# A hint whose middle differs: of two made-up places paved with one photo of gravel, 12 and 14 points agreed.
MIN_HINT_INLIERS: Final = 20
# Geometry alone is only a hint: more points, spread over a fair part of both pictures.
RELATED_INLIERS: Final = 30
RELATED_SPREAD: Final = 0.3
# Of each picture; below this the overlap is too small to mean anything.
MIN_COMMON: Final = 0.02
# A video is "the same" when this share of both is aligned.
SAME_VIDEO_COVER: Final = 0.8


@dataclass(frozen=True)
class Verdict:
    """A relation between a query and an item, for a person to judge.

    Attributes:
        verdict: identical, same_content, derived or possibly_related.
        distance: bits of 256 between the hashes that speak for it; None when geometry alone does.
        threshold: the limit that the distance was held against; None likewise.
        explanation: sentences for people who know nothing of hashes; true from either side.
        transform: what was done to the query compared with the item ("mirrored", "borders removed").
        segments: stretches of a video, in order of the query; empty for photos.
        inliers: points that agree with the geometry found; 0 when none was needed.
        ncc: how well the pictures agree, laid upon each other; None when not compared.
    """

    verdict: VerdictName
    distance: int | None
    threshold: int | None
    explanation: str
    transform: tuple[str, ...] = ()
    segments: tuple[Segment, ...] = ()
    inliers: int = 0
    ncc: float | None = None

    def segments_as_text(self) -> list[dict[str, str]]:
        """Segments with decimal texts of seconds, as records that are hashed hold no floats."""
        return [{name: f"{value:.2f}" for name, value in asdict(segment).items()} for segment in self.segments]


def identical_verdict() -> Verdict:
    """The verdict for two files with the same SHA-256."""
    return Verdict("identical", 0, 0, "Both files are the same, byte for byte (their SHA-256 digests are equal).")


def photo_verdict_by_hash(distance: int, *, cropped: bool, quality: int, agreement: Agreement) -> VerdictName | None:
    """Decide on two photos whose hashes are near.

    Args:
        distance: bits between the two hashes.
        cropped: whether either is the hash of a crop.
        quality: the lower of the two hashed pictures' qualities, 0 to 100.
        agreement: of the two hashed parts, laid upon each other.
    """
    if distance > DERIVED_DISTANCE or agreement.ncc < MIN_NCC:
        return None
    everywhere = agreement.ncc >= MIN_SAME_NCC and agreement.share >= MIN_SAME_SHARE
    if everywhere and distance <= SAME_CONTENT_DISTANCE and quality >= MIN_QUALITY and not cropped:
        return "same_content"
    return "derived" if subject_agrees(agreement, reach=0.0) else "possibly_related"


def photo_verdict_by_geometry(*, inliers: int, spread: float, reach: float, agreement: Agreement) -> VerdictName | None:
    """Decide on two photos with a plausible geometric model (scale and shape already bounded)."""
    common = min(agreement.overlap_query, agreement.overlap_candidate)
    if inliers >= MIN_INLIERS and agreement.ncc >= MIN_NCC and common >= MIN_COMMON:
        if subject_agrees(agreement, reach=reach):
            return "derived"
        return "possibly_related" if inliers >= MIN_HINT_INLIERS else None
    if inliers >= RELATED_INLIERS and spread >= RELATED_SPREAD:
        return "possibly_related"
    return None


def photo_verdict_by_few_points(*, inliers: int, agreement: Agreement) -> VerdictName | None:
    """Decide on two photos with a model grown from few points and refined by the pictures; no hint rests on one."""
    alike = agreement.ncc >= MIN_FEW_NCC and agreement.middle_ncc >= MIN_FEW_MIDDLE_NCC
    common = min(agreement.overlap_query, agreement.overlap_candidate)
    enough = inliers >= MIN_FEW_INLIERS and agreement.blocks >= MIN_FEW_BLOCKS and common >= MIN_COMMON
    return "derived" if alike and enough and agreement.middle_share >= MIN_MIDDLE_SHARE else None


def subject_agrees(agreement: Agreement, *, reach: float, least: float = MIN_REACH) -> bool:
    """Whether the middle of the common part agrees, and not only a frame or a letterhead around it."""
    if agreement.middle_share < MIN_MIDDLE_SHARE:
        return False
    return agreement.middle_ncc >= MIN_MIDDLE_NCC or reach >= least


def frames_agree(*, inliers: int, reach: float, agreement: Agreement) -> bool:
    """Whether two video frames show the same picture by geometry."""
    enough = inliers >= MIN_FRAME_INLIERS and agreement.ncc >= MIN_NCC
    return enough and subject_agrees(agreement, reach=reach, least=MIN_FRAME_REACH)


def still_verdict(
    *, distance: int | None, inliers: int, spread: float, reach: float, agreement: Agreement
) -> VerdictName | None:
    """Decide on a photo and a view of a recording with a plausible geometric model.

    Args:
        distance: bits between the photo and a sampled frame near the view; None when none is within the wider radius.
        inliers: points that agree with the model.
        spread: share of the pictures' cells that hold one.
        reach: of the middle cells, likewise.
        agreement: of the two pictures under the model.
    """
    if frames_agree(inliers=inliers, reach=reach, agreement=agreement):
        near = distance is not None and distance <= SAME_CONTENT_DISTANCE
        alike = agreement.ncc >= MIN_SAME_NCC and agreement.share >= MIN_SAME_SHARE
        return "derived" if near or alike else "possibly_related"
    common = min(agreement.overlap_query, agreement.overlap_candidate)
    if inliers >= MIN_FRAME_INLIERS and agreement.ncc >= MIN_NCC and common >= MIN_COMMON:
        return "possibly_related"
    return "possibly_related" if inliers >= RELATED_INLIERS and spread >= RELATED_SPREAD else None


def video_verdict_by_hash(median_distance: float, *, query_cover: float, item_cover: float) -> VerdictName:
    """Decide on two videos with aligned look-alike frames in enough distinct seconds.

    Args:
        median_distance: bits, over the aligned frames.
        query_cover: share of the query's usable frames that are aligned, 0 to 1.
        item_cover: likewise of the item.
    """
    whole = min(query_cover, item_cover) >= SAME_VIDEO_COVER
    return "same_content" if whole and median_distance <= SAME_CONTENT_DISTANCE else "derived"


def rank(verdict: Verdict) -> tuple[int, int]:
    """Sort key: strongest verdict first, then the nearest hash."""
    return VERDICTS.index(verdict.verdict), 257 if verdict.distance is None else verdict.distance
