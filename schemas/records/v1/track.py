"""Records of where a recorder was while it recorded, version 1: the summary in the metadata, and the whole track.

Units: positions are signed decimal degrees on WGS84, heights and errors metres, angles degrees, speeds metres per
second, `t` seconds of the video. UTC times end in "Z"; `time` is the recorder's own clock, without a zone.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Certainty = Literal["recorded", "derived", "inferred", "conflicting", "absent"]
Real = Annotated[float, Field(allow_inf_nan=False)]
Latitude = Annotated[float, Field(allow_inf_nan=False, ge=-90, le=90)]
Longitude = Annotated[float, Field(allow_inf_nan=False, ge=-180, le=180)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrackPoint(_Record):
    """One sample: what the recorder wrote at a moment; null where it wrote nothing usable.

    Attributes:
        t: seconds of the video; null where the file gives its samples no time.
        lat, lon: of the recorder, never of what it looks at.
        alt: above what `PositionTrack.alt_datum` names; `alt_ellipsoid` above the WGS84 ellipsoid;
            `alt_relative` above the place of take-off. The three are never mixed.
        time: the recorder's own clock, local, as ISO 8601 without an offset.
        utc: UTC, where the recorder wrote UTC.
        speed: over ground; `speed_3d` in space; `speed_vertical` upwards.
        heading: course over ground, from true north.
        yaw, pitch, roll: of the vehicle; `gimbal_*`: of the camera.
        satellites: number used; `fix`: 0 none, 2 or 3 dimensions, as the receiver states it; `dop`: dilution of
            precision as stated; `error_horizontal`, `error_vertical`: as stated by the receiver.
        distance_home: from the place of take-off, as stated.
        target_lat, target_lon, target_alt: the centre of the picture on the ground, as stated.
        checksum: whether the packet's own checksum holds, where it has one.
    """

    t: Real | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None
    alt: Real | None = None
    alt_relative: Real | None = None
    time: str | None = None
    utc: str | None = None
    alt_ellipsoid: Real | None = None
    speed: Real | None = None
    speed_3d: Real | None = None
    speed_vertical: Real | None = None
    heading: Real | None = None
    yaw: Real | None = None
    pitch: Real | None = None
    roll: Real | None = None
    gimbal_yaw: Real | None = None
    gimbal_pitch: Real | None = None
    gimbal_roll: Real | None = None
    satellites: int | None = None
    fix: int | None = None
    dop: Real | None = None
    error_horizontal: Real | None = None
    error_vertical: Real | None = None
    distance_home: Real | None = None
    target_lat: Latitude | None = None
    target_lon: Longitude | None = None
    target_alt: Real | None = None
    checksum: Literal["right", "wrong"] | None = None


COLUMNS: Final = tuple(TrackPoint.model_fields)


class TrackJumps(_Record):
    """What in a track does not go on as it should; counted in the sandbox over all samples.

    Attributes:
        backwards: steps in which the recorder's clock goes back.
        gaps: steps longer than ten seconds of the video, or in which the clock and the video differ by more.
        first_gap_s: second of the video at which the first of either begins.
        fastest: greatest speed in m/s that two positions half a second or more apart ask for, and `fastest_s` when.
    """

    backwards: int = 0
    gaps: int = 0
    first_gap_s: Real | None = None
    fastest: Real | None = None
    fastest_s: Real | None = None


class PositionTrack(_Record):
    """Summary of the telemetry track in the file.

    Attributes:
        points: samples with a position, 0 when there is none; `first` and `last` are among them, and are positions
            with a satellite fix where any has one.
        samples: all telemetry samples that were read, with or without a position.
        samples_in_file: how many the file holds; more than `samples` when only every n-th was read.
        without_fix: positions whose receiver states that it had no fix: they may be old, and lie in no line or
            interpolation. Nor do positions of packets with a wrong checksum.
        zero: samples at 0,0, which is what recorders write before they have a fix; they count as no position.
        certainty: "inferred" when the order of the axes rests on evidence other than the values' range,
            "conflicting" when no position is free of doubt by the recorder's own word or checksum.
        axis_order: what settles which number is the latitude: "named", "range" (a value beyond 90 degrees),
            "distance" (the stated distance from the place of take-off), "location" (the movie's own), "habit" (of
            the model, unproven), "layout" or "unit" (of a model whose format is not known), "contradiction".
        timing: where `t` comes from: "recorded" (the container or the subtitle's times), "derived" (from the
            recorder's clock, counted from the first sample), "absent".
        alt_datum: what `alt` is above, where the format says so: "mean sea level", "WGS84 ellipsoid".
        device: what the track names as its recorder; `serial`: its number.
        checksums_right, checksums_wrong, checksums_missing: of packets that carry one by their standard.
    """

    points: int = 0
    samples: int = 0
    samples_in_file: int | None = None
    without_fix: int = 0
    zero: int = 0
    certainty: Certainty = "absent"
    axis_order: str | None = None
    timing: Literal["recorded", "derived", "absent"] = "absent"
    dialect: str | None = None
    source: str | None = None
    alt_datum: str | None = None
    device: str | None = None
    serial: str | None = None
    checksums_right: int = 0
    checksums_wrong: int = 0
    checksums_missing: int = 0
    first: TrackPoint | None = None
    last: TrackPoint | None = None
    start_s: Real | None = None
    end_s: Real | None = None
    jumps: TrackJumps | None = None


Cell = Annotated[int | float | str | None, Field(union_mode="smart")]


class TrackRecord(_Record):
    """A whole track: one row for each sample, in the order of the file, with the columns that hold anything."""

    v: Literal[1] = 1
    type: Literal["position track"] = "position track"
    summary: PositionTrack
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @model_validator(mode="after")
    def _rectangular(self) -> TrackRecord:
        if any(name not in COLUMNS for name in self.columns) or len(set(self.columns)) != len(self.columns):
            raise ValueError("a column is unknown or stands twice")
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("a row has other columns")
        return self
